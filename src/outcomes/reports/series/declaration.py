"""`Series`: one entry of ``reports/reports.toml``, and the reader of that file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from outcomes.disclosure.rules import AUDIENCES
from outcomes.errors import Finding, ReportError
from outcomes.facts import find_project
from outcomes.facts.toml import read_toml
from outcomes.reports.engine import ENGINES, TimeLimits
from outcomes.reports.series.cadence import is_cadence
from outcomes.reports.series.periods import PERIODS

#: Where the declaration lies in a project.
DECLARATION = Path("reports") / "reports.toml"
#: What a series may make one page for each of.
FOR_EACH = ("site", "therapist", "therapy", "region", "instrument")
#: What to do about several missed slots: one run for the latest, or one for each.
CATCH_UP = ("latest", "all")
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_KINDS = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "int | None": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "Mapping[str, Any]": (dict, "a table { ... }"),
}
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Series:
    """A report that is made again and again: one entry ``[report.ID]``.

    Parameters
    ----------
    id : str
        Small letters, digits, hyphens and underscores; the folder of its pages.
    notebook : str
        Name of the report's notebook.
    source : str
        Name of a source, or the path of a source TOML.
    path : str
        File or folder of records; where the source says when empty.
    title : str
        Words for the index; the page's own title when empty.
    parameters : mapping
        For the notebook.
    for_each : str
        One page for each recorded one of these; a single page when empty. See `FOR_EACH`.
    audience : str
        ``team`` or ``stakeholder``.
    k : int, optional
        Smallest number of patients behind a shown number; that of the source's disclosure profile where
        absent.
    period : str
        Which episodes count, by their start. See `PERIODS`.
    rolling_months : int
        Length of a rolling period.
    time_zone : str
        In which months end and cron expressions are meant.
    cadence : str
        ``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` or a cron expression of five fields.
    catch_up : str
        What to do about several missed slots. See `CATCH_UP`.
    retry_minutes : int
        How long a slot that failed is left alone by ``run --due``.
    largest_shrink : float
        Share of the records by which they may shrink from one release to the next (0-1).
    out : str
        Folder of pages.
    retention_days : int
        How long private run folders are kept.
    cell_seconds, report_seconds, batch_seconds : float
        Time limits for a cell, a page, and all pages of a release together.
    engine : str
        ``auto``, ``fork`` or ``stock``.
    """

    id: str
    notebook: str
    source: str
    path: str = ""
    title: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    for_each: str = ""
    audience: str = "team"
    k: int | None = None
    period: str = "all"
    rolling_months: int = 12
    time_zone: str = "UTC"
    cadence: str = "quarterly"
    catch_up: str = "latest"
    retry_minutes: int = 60
    largest_shrink: float = 0.2
    out: str = "reports/html"
    retention_days: int = 30
    cell_seconds: float = 600.0
    report_seconds: float = 1800.0
    batch_seconds: float = 14_400.0
    engine: str = "auto"

    @property
    def limits(self) -> TimeLimits:
        """Time limits of a page."""
        return TimeLimits(self.cell_seconds, self.report_seconds)


#: For a key that takes a few words: which; for one that takes a number: from where to where.
_ALLOWED: dict[str, tuple[str, ...]] = {
    "for_each": ("", *FOR_EACH), "audience": AUDIENCES, "period": PERIODS, "catch_up": CATCH_UP,
    "engine": ENGINES,
}  # fmt: skip
_LIMITS: dict[str, tuple[float, float]] = {
    "k": (5, 100), "rolling_months": (1, 120), "retry_minutes": (0, 10_080), "largest_shrink": (0, 1),
    "retention_days": (1, 3650), "cell_seconds": (1, _DAY_SECONDS), "report_seconds": (1, _DAY_SECONDS),
    "batch_seconds": (1, 7 * _DAY_SECONDS),
}  # fmt: skip


def read_series(path: str | Path | None = None) -> dict[str, Series]:
    """Read the declaration of all series.

    Parameters
    ----------
    path : str or Path, optional
        ``reports/reports.toml`` of the project when absent. ``[defaults]`` holds keys for all series,
        ``[report.ID]`` those of one.

    Returns
    -------
    dict of Series by id
        In the order of the file.

    Raises
    ------
    FactsError
        When the file is absent or not TOML (exit code 2).
    ReportError
        Listing every unknown key, wrong type and wrong value of the file at once (exit code 2).
    """
    place = Path(path) if path is not None else find_project() / DECLARATION
    content = read_toml(place)
    findings: list[Finding] = []
    refuse = _Refusing(findings, place.name)
    for key in content.keys() - {"defaults", "report"}:
        refuse.unknown(key, ["defaults", "report"], "the file")
    tables, defaults = content.get("report", {}), content.get("defaults", {})
    if not isinstance(tables, dict) or not isinstance(defaults, dict):
        refuse("SERIES_TYPE", "report and defaults are tables", remedy="[report.my-report]")
        tables, defaults = {}, {}
    read = {id: _read_one(id, table, defaults, refuse) for id, table in tables.items()}
    if not tables and not findings:
        refuse("SERIES_NONE", "declares no report", remedy="[report.my-report]")
    if findings:
        raise ReportError(f"{place.name} cannot be used as it stands:", findings, exit_code=2)
    return {id: series for id, series in read.items() if series}


class _Refusing:
    """Gathers what is wrong in the file."""

    def __init__(self, findings: list[Finding], file: str) -> None:
        self._findings, self._file = findings, file

    def __call__(self, rule: str, what: str, remedy: str | None = None) -> None:
        self._findings.append(Finding(rule, "refuse_file", what, file=self._file, remedy=remedy))

    def unknown(self, key: str, known: list[str], where: str) -> None:
        near = get_close_matches(key, known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
        self("SERIES_UNKNOWN_KEY", f"{where} has an unknown key {key!r}", remedy=remedy)


def _read_one(id: str, table: Any, defaults: Mapping[str, Any], refuse: _Refusing) -> Series | None:
    where = f"[report.{id}]"
    if not _ID.fullmatch(id):
        refuse("SERIES_ID", f"{where}: an id is made of small letters, digits, - and _")
        return None
    if not isinstance(table, dict):
        refuse("SERIES_TYPE", f"{where} is a table", remedy=where)
        return None
    fields = {entry.name: entry for entry in dataclasses.fields(Series) if entry.name != "id"}
    values = {**defaults, **table}
    if isinstance(defaults.get("parameters"), dict) and isinstance(table.get("parameters"), dict):
        values["parameters"] = {**defaults["parameters"], **table["parameters"]}
    sound = True
    for key, value in values.items():
        if key not in fields:
            refuse.unknown(key, list(fields), "[defaults]" if key in defaults and key not in table else where)
            sound = False
            continue
        for rule, what, remedy in _find_problems(key, value, str(fields[key].type)):
            refuse(rule, f"{where}: {what}", remedy)
            sound = False
    for key in ("notebook", "source"):
        if key not in values:
            refuse("SERIES_INCOMPLETE", f"{where} needs {key}", remedy=f'{key} = "..."')
            sound = False
    if values.get("for_each") == "therapist" and values.get("audience", "team") != "team":
        refuse("SERIES_VALUE", f"{where}: pages about therapists are for the team only")
        sound = False
    return Series(id, **values) if sound else None


def _find_problems(key: str, value: Any, type_: str) -> Iterator[tuple[str, str, str | None]]:
    kind, said = _KINDS[type_]
    if not isinstance(value, kind) or (isinstance(value, bool) and type_ != "bool"):  # type: ignore[arg-type]
        yield "SERIES_TYPE", f"{key} must be {said}", None
        return
    if key in _ALLOWED and value not in _ALLOWED[key]:
        known = ", ".join(name for name in _ALLOWED[key] if name)
        yield "SERIES_VALUE", f"{key} must be one of: {known}", None
    if key in _LIMITS and not _LIMITS[key][0] <= value <= _LIMITS[key][1]:
        yield "SERIES_VALUE", f"{key} must lie from {_LIMITS[key][0]:g} to {_LIMITS[key][1]:g}", None
    if key == "cadence" and not is_cadence(value):
        remedy = "daily, weekly, monthly, quarterly, yearly, or a cron expression such as '30 2 1 * *'"
        yield "SERIES_VALUE", "cadence is neither a known word nor a cron expression of five fields", remedy
    if key == "time_zone" and not _is_zone(value):
        yield "SERIES_VALUE", "time_zone is no name of a zone", 'time_zone = "Europe/Amsterdam"'


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        return False
