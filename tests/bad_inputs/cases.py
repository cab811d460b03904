"""Reading cases.yaml, and making the file and the source of a case."""

from __future__ import annotations

import csv
import io
import tomllib
from contextlib import ExitStack
from pathlib import Path

import yaml

from bad_inputs import generators
from outcomes.facts import FileSpec, Source
from outcomes.facts.source import build_source

_FOLDER = Path(__file__).parent
_CATALOGUE = yaml.safe_load((_FOLDER / "cases.yaml").read_text(encoding="utf-8"))
BASE: str = _CATALOGUE["base"]


def list_cases(*families: str) -> list[dict]:
    """Return the cases, those of some families or all of records."""
    return [
        case
        for case in _CATALOGUE["cases"]
        if case["family"] in families or (not families and case["family"] != "config")
    ]


def make_file(case: dict, folder: Path, stack: ExitStack) -> Path:
    """Write the file of a case into a folder and return its path."""
    if "generator" in case:
        make = getattr(generators, case["generator"], None)
        if make is not None:
            return make(folder, BASE, case, stack)
        from bad_inputs import generators_records

        content = getattr(generators_records, case["generator"])(BASE, case).encode("utf-8")
    elif "hex" in case:
        content = bytes.fromhex(case["hex"])
    else:
        text = case.get("text", _patch(case["set"]) if "set" in case else BASE)
        content = text.encode(case.get("encoding", "utf-8"))
    path = folder / f"visits{case.get('suffix', '.csv')}"
    path.write_bytes(content)
    return path


def _patch(changes: list[dict]) -> str:
    rows = list(csv.reader(io.StringIO(BASE)))
    for change in changes:
        rows[change["row"]][rows[0].index(change["col"])] = change["to"]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def make_source(case: dict, file_name: str, **changes) -> Source:
    """Return the source that describes the file of a case."""
    content = tomllib.loads((_FOLDER / "base-clinic.toml").read_text(encoding="utf-8"))
    file = content["file"][0]
    file["path"] = file_name
    for key, value in {**case.get("options", {}), **changes}.items():
        if key == "run_date":
            continue
        if key == "columns":
            file["columns"] = {
                name: header for name, header in {**file["columns"], **value}.items() if header
            }
        elif key in FileSpec.__dataclass_fields__:
            file[key] = value
        else:
            content[key] = value
    return build_source(content, "base-clinic.toml")
