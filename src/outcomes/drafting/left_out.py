"""Which columns of a table are not read, and why; which of them say whether a form was filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outcomes.drafting.sketch import Sketch

_LEFT_OUT = ("identifying", "free_text", "contradicted", "export_mark", "blank", "repeated", "unknown")


def describe_answered(sketch: Sketch) -> dict[str, Any]:
    """Return what says whether forms were filled in; a status column follows the columns of its form."""
    covered: dict[str, list[str]] = {}
    before: list[str] = []
    for column, role in zip(sketch.columns, sketch.roles, strict=True):
        if role.kind == "score":
            before.append(column.header)
        elif role.kind == "status":
            covered |= {column.header: before} if before else {}
            before = []
    if len(covered) == 1 and not before and sum(map(len, covered.values())) == len(sketch.scores):
        return {"answered": {"column": next(iter(covered)), "values": ["2"]}}
    blocks = [
        {"column": header, "values": ["0", "1", ""], "scores": scores} for header, scores in covered.items()
    ]
    return {"missing_where": blocks} if blocks else {}


def list_left_out(sketch: Sketch) -> dict[str, tuple[str, ...]]:
    """Return why columns are not read to their headers."""
    used = {column.header for column in sketch.mapped.values()}
    rivals = {column.header for columns in sketch.rivals.values() for column in columns}
    answered = _list_status_columns(describe_answered(sketch))
    found: dict[str, list[str]] = {kind: [] for kind in _LEFT_OUT} | {"repeated": list(sketch.repeated)}
    for column, role in zip(sketch.columns, sketch.roles, strict=True):
        if not column.filled:
            found["blank"].append(column.header)
        elif role.kind in _LEFT_OUT:
            found[role.kind].append(column.header)
        elif role.kind == "status" and column.header not in answered:
            found["export_mark"].append(column.header)
        elif role.kind == "column" and column.header not in used | rivals:
            found["unknown"].append(column.header)
    return {kind: tuple(headers) for kind, headers in found.items() if headers}


def _list_status_columns(answered: Mapping[str, Any]) -> set[str]:
    return {
        entry["column"] for entry in (answered.get("answered"), *answered.get("missing_where", ())) if entry
    }
