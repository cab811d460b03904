"""The parameters of a report: the notebook's ``parameters`` cell is their schema."""

import ast
import datetime as dt
import io
import json
import math
import re
import tokenize
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from outcomes.cohort import read_filters
from outcomes.disclosure.rules import AUDIENCES
from outcomes.errors import AnalysisError, FactsError, Finding, ReportError
from outcomes.facts import (
    Source,
    Text,
    list_instruments,
    parse_rule,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
)
from outcomes.facts.instrument_file import suggest_instrument
from outcomes.facts.toml import suggest_name

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: What a parameter may hold: nothing but what JSON has, so that it is the same on every side of a process.
Value = str | int | float | bool | None | list[str | int | float | bool]
_TYPES = {"str": str, "int": int, "float": float, "bool": bool}
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_SEVERAL = {str: "texts", int: "whole numbers", float: "numbers", bool: "true or false each"}
_LONGEST_TEXT = 400
_LONGEST_LIST = 200
_DATE = re.compile(r"\ba date\b")
# without these it is not known what a page may show
_NEEDED = ("audience", "k")
# controls, and lone halves of characters
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
# controls that reorder or hide text, so that a page would not say what its reader believes it says
_REORDERING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report.

    >>> Parameter("k", 11, "patients, from 5 to 100", minimum=5, maximum=100, kind=int).describe_kind()
    'a whole number from 5 to 100'
    """

    name: str
    #: Empty text means "the source's default", None "not given".
    default: Value
    #: The comment beside it: unit, meaning, and what is allowed.
    meaning: str = ""
    #: Allowed texts where the comment says ``one of: a, b``; empty text is allowed where it is the default.
    allowed: tuple[str, ...] = ()
    #: Where the comment says ``from 5 to 100``.
    minimum: float | None = None
    maximum: float | None = None
    #: ``str``, ``int``, ``float`` or ``bool``; of a list, that of its values.
    kind: type = str
    #: Whether the value is a list.
    several: bool = False
    #: Whether None is allowed.
    optional: bool = False
    #: Whether a text is a day such as ``2026-01-31``: where the comment says ``a date``.
    is_date: bool = False

    def describe_kind(self) -> str:
        """Return the kind of value in words, with what is allowed."""
        kind = "a date such as 2026-01-31" if self.is_date else _KINDS[self.kind]
        words = f"a list of {'dates' if self.is_date else _SEVERAL[self.kind]}" if self.several else kind
        if self.allowed:
            words = f"{'of' if self.several else 'one of'}: {', '.join(self.allowed)}"
        if self.minimum is not None and self.maximum is not None:
            words += f" from {self.minimum:g} to {self.maximum:g}"
        return f"{words}, or none" if self.optional else words


def read_parameters(notebook: "NotebookNode") -> dict[str, Parameter]:
    """Read the schema of a report's parameters from its notebook, in the order of the cell.

    Exactly one cell is tagged ``parameters`` and holds lines ``name = value  # comment`` only. A default that
    does not say its type has it beside its name: ``share: float | None = None``, ``ages: list[int] = []``; a
    list without a type holds texts. Anything else is refused (exit code 2).
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    if len(cells) != 1:
        raise ReportError(Text.of("errors.report.one_cell", n=len(cells)), exit_code=2)
    tokens = tokenize.generate_tokens(io.StringIO(cells[0].source).readline)
    comments = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    schema = {}
    for node in ast.parse(cells[0].source).body:
        name, default, type_ = _read_assignment(node)
        comment = comments.get(node.end_lineno or node.lineno, "")
        schema[name] = _build_parameter(name, default, type_, comment)
    absent = [name for name in _NEEDED if name not in schema]
    if absent:
        raise ReportError(f"Add {' and '.join(absent)} to the cell tagged 'parameters'.", exit_code=2)
    return schema


def check_parameters(schema: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Value]:
    """Return all parameters of a run: those given, checked, and the defaults of the others.

    Paths, dates, tuples and numpy's numbers become plain values, as JSON has them; ``007`` stays a text.
    `ReportError` lists every unknown, ill-typed or out-of-range parameter at once (exit code 2).
    """
    findings: list[Finding] = []
    values = {name: parameter.default for name, parameter in schema.items()}
    for name, value in given.items():
        if name not in schema:
            what = f"there is no parameter {str(name)[:40]!r}"
            remedy = suggest_name(str(name), schema)
            findings.append(Finding("PARAMETER_UNKNOWN", "refuse_file", what, remedy=remedy))
            continue
        plain = _make_plain(value, schema[name])
        problem = _find_problem(schema[name], plain)
        if problem:
            findings.append(problem)
        else:
            values[name] = plain
    raise_findings(findings)
    return values


def parse_texts(schema: Mapping[str, Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Read parameters typed as text (``k=8`` on a command line) by the declared types.

    A text that does not read as its parameter's type is left as it is, for `check_parameters` to refuse;
    ``007`` stays text where the parameter is text. Lists are separated by commas; ``none`` is none where
    that is allowed.

    >>> schema = {"k": Parameter("k", 11, kind=int), "period": Parameter("period", "")}
    >>> parse_texts(schema, {"k": "8", "period": "2018"})
    {'k': 8, 'period': '2018'}
    """
    return {name: _parse_text(text, schema.get(name)) for name, text in texts.items()}


def describe_parameters(schema: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """Return one row per parameter: its name, what it takes, its default and its meaning with the unit."""
    return [
        {
            "parameter": parameter.name,
            "takes": parameter.describe_kind(),
            "default": json.dumps(parameter.default, ensure_ascii=False),
            "meaning": parameter.meaning,
        }
        for parameter in schema.values()
    ]


def raise_findings(findings: Sequence[Finding]) -> None:
    """Raise all findings about parameters at once, if there are any (exit code 2)."""
    if findings:
        raise ReportError("The report was not started; its parameters are wrong:", findings, exit_code=2)


def _read_assignment(node: ast.stmt) -> tuple[str, Any, tuple[type, bool, bool]]:
    """Return name, default and type (of one value, whether several, whether none is allowed)."""
    named: ast.expr | None = None
    said: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        named = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        named, said = node.target, node.annotation
    if isinstance(named, ast.Name) and node.value is not None:  # type: ignore[attr-defined]
        try:
            default = ast.literal_eval(node.value)  # type: ignore[attr-defined]
        except ValueError:
            default = ...
        type_ = _read_type(ast.unparse(said)) if said else _guess_type(default)
        if type_ and _is_of(default, *type_):
            return named.id, default, type_
    raise ReportError(Text.of("errors.report.assignment", line=node.lineno), exit_code=2)


def _read_type(text: str) -> tuple[type, bool, bool] | None:
    """Read ``int``, ``list[str]`` or ``float | None``, quoted or not."""
    match = re.fullmatch(r"(list\[)?(str|int|float|bool)\]?( *\| *None)?", text.strip("'\""))
    return (_TYPES[match[2]], bool(match[1]), bool(match[3])) if match else None


def _guess_type(default: Any) -> tuple[type, bool, bool] | None:
    if isinstance(default, list):
        kinds = {type(value) for value in default} or {str}
        return (kinds.pop(), True, False) if len(kinds) == 1 else None
    return (type(default), False, False) if type(default) in _KINDS else None


def _is_of(default: Any, kind: type, several: bool, optional: bool) -> bool:
    if default is None:
        return optional
    values = default if several else [default]
    return isinstance(values, list) and kind in _KINDS and all(type(value) is kind for value in values)


def _build_parameter(name: str, default: Any, type_: tuple[type, bool, bool], comment: str) -> Parameter:
    among = re.search(r"one of: ([\w, -]+)", comment)
    limits = re.search(r"from (-?[\d.]+) to (-?[\d.]+)", comment)
    allowed = tuple(part.strip() for part in among[1].split(",")) if among else ()
    low, high = (float(limits[1]), float(limits[2])) if limits else (None, None)
    is_date = type_[0] is str and bool(_DATE.search(comment))
    return Parameter(name, default, comment, allowed, low, high, *type_, is_date)


def _make_plain(value: Any, parameter: Parameter) -> Any:
    """Return the value as plain ones of its parameter's type, ``...`` where it is not of that type."""
    if value is None:
        return None if parameter.optional else ...
    if not parameter.several:
        return _make_one_plain(value, parameter.kind)
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        return ...
    plain = [_make_one_plain(one, parameter.kind) for one in value]
    return ... if ... in plain else plain


def _make_one_plain(value: Any, kind: type) -> Any:
    if kind is bool or isinstance(value, bool):
        return value if kind is bool and isinstance(value, bool) else ...
    if kind is str and isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if kind is str and isinstance(value, (str, PathLike)):
        return str(fspath(value))
    if kind is int and isinstance(value, Integral):
        return int(value)
    if kind is float and isinstance(value, Real) and math.isfinite(value):
        return float(value)
    return ...


def _find_problem(parameter: Parameter, value: Any) -> Finding | None:
    def refuse(rule: str, what: str, remedy: str | None = None) -> Finding:
        return Finding(rule, "refuse_file", f"{parameter.name} {what}", remedy=remedy)

    if value is ...:
        return refuse("PARAMETER_TYPE", f"must be {parameter.describe_kind()}", parameter.meaning or None)
    if isinstance(value, list):
        if len(value) > _LONGEST_LIST:
            return refuse("PARAMETER_RANGE", f"holds more than {_LONGEST_LIST} values")
        found = (_find_problem(parameter, one) for one in value)
        return next((problem for problem in found if problem), None)
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            return refuse("PARAMETER_RANGE", f"is longer than {_LONGEST_TEXT} characters")
        if any(unicodedata.category(sign) in _HIDDEN or sign in _REORDERING for sign in value):
            return refuse("PARAMETER_VALUE", "holds control characters")
        if parameter.allowed and value not in parameter.allowed and value != parameter.default:
            return refuse("PARAMETER_VALUE", f"must be one of: {', '.join(parameter.allowed)}")
        if parameter.is_date and value != parameter.default and not _is_day(value):
            return refuse("PARAMETER_VALUE", "must be a date of the calendar, written like 2026-01-31")
        return None
    low, high = parameter.minimum, parameter.maximum
    if value is not None and low is not None and high is not None and not low <= value <= high:
        return refuse("PARAMETER_RANGE", f"must lie from {low:g} to {high:g}")
    return None


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _parse_text(text: str, parameter: Parameter | None) -> Any:
    if parameter is None or (parameter.kind is str and not (parameter.several or parameter.optional)):
        return text
    if parameter.optional and text.strip().lower() in ("", "none"):
        return None
    if parameter.several:
        return [_parse_one(part.strip(), parameter.kind) for part in text.split(",") if part.strip()]
    return _parse_one(text, parameter.kind)


def _parse_one(text: str, kind: type) -> Any:
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text


def check_names(values: Mapping[str, Value], source: Source | None) -> None:
    """Refuse unknown instruments, time points, therapies, thresholds and filters, all at once (exit code 2).

    Empty text means the source's default; the source's own time points and therapies count too.
    """
    known = {
        "audience": AUDIENCES,
        "instrument": list_instruments(),
        "timepoint": (*read_timepoints(), *(source.timepoints if source else ())),
        "reference": (*read_therapies(), *(source.therapies if source else ())),
    }
    findings = [*_find_unknown(values, known), *_find_wrong_threshold(values, source)]
    findings += _find_wrong_filters(values)
    if values.get("therapist") and values.get("audience") != "team":
        what = "a page about one therapist is for the team only"
        findings.append(Finding("PARAMETER_VALUE", "refuse_file", what, remedy="audience = team"))
    raise_findings(findings)


def _find_unknown(values: Mapping[str, Value], known: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    for name, names in known.items():
        value = values.get(name)
        if value and value not in names:
            near = suggest_name(str(value), names) if name != "instrument" else suggest_instrument(str(value))
            yield Finding("PARAMETER_VALUE", "refuse_file", f"{name} is not a known one", remedy=near)


def _find_wrong_filters(values: Mapping[str, Value]) -> Iterator[Finding]:
    """Find filters that are not written as such, or are about columns that cannot be filtered by."""
    only = values.get("only")
    columns = read_schema()["episodes"]
    allowed = [name for name, column in columns.items() if column.covariate] + read_facts("cohort")["filters"]
    try:
        named = read_filters(only if isinstance(only, list) else [])
    except AnalysisError as error:
        what = "only holds something else than filters"
        yield Finding("PARAMETER_VALUE", "refuse_file", what, remedy=str(error))
        return
    for name in (name for name in named if name not in allowed):
        what = f"only names a column that is not known: {name!r}"
        yield Finding("PARAMETER_VALUE", "refuse_file", what, remedy=suggest_name(name, allowed))


def _find_wrong_threshold(values: Mapping[str, Value], source: Source | None) -> Iterator[Finding]:
    """Find a threshold that is neither a rule nor one of the measure's for single patients."""
    primary = source.primary if source else {}
    given = str(values.get("threshold") or "")
    id = str(values.get("instrument") or primary.get("instrument") or "")
    if not given or id not in list_instruments():
        return
    asked = values.get("variant") or (primary.get("variant") if id == primary.get("instrument") else None)
    try:
        instrument = read_instrument(f"{id}:{asked}" if asked else id)
        if parse_rule(given) is None and instrument.threshold(given).level != "individual":
            raise FactsError(f"{given!r} is for groups; it says nothing about single patients.")
    except FactsError as error:
        yield Finding("PARAMETER_VALUE", "refuse_file", "threshold cannot be used", remedy=str(error))
