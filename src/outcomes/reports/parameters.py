"""The parameters of a report: the notebook's ``parameters`` cell is their schema."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from outcomes.errors import Finding, ReportError

if TYPE_CHECKING:
    from nbformat import NotebookNode

Value = str | int | float | bool
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_LONGEST_TEXT = 400
# without these nobody could say what a page may show
_NEEDED = ("audience", "k")
# controls, and lone halves of characters
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
# controls that reorder or hide text, so that a page would not say what its reader believes it says
_REORDERING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report.

    Parameters
    ----------
    name : str
    default : str, int, float or bool
        Its type is the parameter's type; empty text stands for "the source's default".
    meaning : str
        The comment beside it: unit, meaning, and what is allowed.
    allowed : tuple of str
        Allowed texts where the comment says ``one of: a, b``; empty text is allowed where it is the default.
    minimum, maximum : float or None
        Where the comment says ``from 5 to 100``.
    """

    name: str
    default: Value
    meaning: str = ""
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def kind(self) -> type:
        """Type of the values."""
        return type(self.default)


def read_parameters(notebook: NotebookNode) -> dict[str, Parameter]:
    """Read the schema of a report's parameters from its notebook.

    Parameters
    ----------
    notebook : NotebookNode
        With exactly one cell tagged ``parameters``, which holds lines ``name = value  # comment`` only.

    Returns
    -------
    dict of Parameter by name
        In the order of the cell.

    Raises
    ------
    ReportError
        When the cell is absent or holds anything else (exit code 2).
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    if len(cells) != 1:
        raise ReportError(
            f"A report needs exactly one cell tagged 'parameters'; this notebook has {len(cells)}.",
            exit_code=2,
        )
    comments = _read_comments(cells[0].source)
    schema = {}
    for node in ast.parse(cells[0].source).body:
        name, default = _read_assignment(node)
        schema[name] = _build_parameter(name, default, comments.get(node.end_lineno or node.lineno, ""))
    absent = [name for name in _NEEDED if name not in schema]
    if absent:
        raise ReportError(f"Add {' and '.join(absent)} to the cell tagged 'parameters'.", exit_code=2)
    return schema


def check_parameters(schema: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Value]:
    """Return all parameters of a run: those given, checked, and the defaults of the others.

    Parameters
    ----------
    schema : mapping of Parameter
        As `read_parameters` returns it.
    given : mapping
        Values by name, of the declared types; paths and numpy's integers and floats become plain ones.

    Returns
    -------
    dict
        Plain ``str``, ``int``, ``float`` and ``bool`` values, one for each parameter of the schema.

    Raises
    ------
    ReportError
        Listing every unknown, ill-typed or out-of-range parameter at once (exit code 2).
    """
    findings: list[Finding] = []
    values = {name: parameter.default for name, parameter in schema.items()}
    for name, value in given.items():
        if name not in schema:
            findings.append(_report_unknown(name, list(schema)))
            continue
        plain = _make_plain(value, schema[name].kind)
        problem = _find_problem(schema[name], plain)
        if problem:
            findings.append(problem)
        elif plain is not None:
            values[name] = plain
    raise_findings(findings)
    return values


def parse_texts(schema: Mapping[str, Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Read parameters typed as text (``k=8`` on a command line) by the declared types.

    A text that does not read as its parameter's type is left as it is, for `check_parameters` to refuse;
    ``007`` stays text where the parameter is text.

    Examples
    --------
    >>> schema = {"k": Parameter("k", 11), "period": Parameter("period", "")}
    >>> parse_texts(schema, {"k": "8", "period": "2018"})
    {'k': 8, 'period': '2018'}
    """
    return {
        name: _parse_text(text, schema[name].kind) if name in schema else text for name, text in texts.items()
    }


def raise_findings(findings: Sequence[Finding]) -> None:
    """Raise all findings about parameters at once, if there are any (exit code 2)."""
    if findings:
        raise ReportError("The report was not started; its parameters are wrong:", findings, exit_code=2)


def _read_comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _read_assignment(node: ast.stmt) -> tuple[str, Value]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            default = None
        if isinstance(default, (str, int, float)):
            return node.targets[0].id, default
    raise ReportError(
        f"Line {node.lineno} of the parameters cell is not of the form name = value with a plain text, "
        "number, True or False.",
        exit_code=2,
    )


def _build_parameter(name: str, default: Value, comment: str) -> Parameter:
    among = re.search(r"one of: ([\w, -]+)", comment)
    limits = re.search(r"from (-?[\d.]+) to (-?[\d.]+)", comment)
    return Parameter(
        name,
        default,
        comment,
        tuple(part.strip() for part in among[1].split(",")) if among else (),
        float(limits[1]) if limits else None,
        float(limits[2]) if limits else None,
    )


def _report_unknown(name: str, known: list[str]) -> Finding:
    near = get_close_matches(str(name), known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
    return Finding(
        "PARAMETER_UNKNOWN", "refuse_file", f"there is no parameter {str(name)[:40]!r}", remedy=remedy
    )


def _make_plain(value: Any, kind: type) -> Value | None:
    """Return the value as the plain type of its parameter, None where it is not of that type."""
    if kind is bool or isinstance(value, bool):
        return value if kind is bool and isinstance(value, bool) else None
    if kind is str and isinstance(value, (str, PathLike)):
        return str(fspath(value))
    if kind is int and isinstance(value, Integral):
        return int(value)
    if kind is float and isinstance(value, Real) and math.isfinite(value):
        return float(value)
    return None


def _find_problem(parameter: Parameter, value: Value | None) -> Finding | None:
    def refuse(rule: str, what: str, remedy: str | None = None) -> Finding:
        return Finding(rule, "refuse_file", f"{parameter.name} {what}", remedy=remedy)

    if value is None:
        return refuse("PARAMETER_TYPE", f"must be {_KINDS[parameter.kind]}", parameter.meaning or None)
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            return refuse("PARAMETER_RANGE", f"is longer than {_LONGEST_TEXT} characters")
        if any(
            unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in _REORDERING for sign in value
        ):
            return refuse("PARAMETER_VALUE", "holds control characters")
        if parameter.allowed and value not in (*parameter.allowed, parameter.default):
            return refuse("PARAMETER_VALUE", f"must be one of: {', '.join(parameter.allowed)}")
        return None
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None and not low <= value <= high:
        return refuse("PARAMETER_RANGE", f"must lie from {low:g} to {high:g}")
    return None


def _parse_text(text: str, kind: type) -> Any:
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError:
        return text
