"""`Series`: one entry of ``reports/reports.toml``, and the reader of that file."""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from outcomes.cohort import read_filters
from outcomes.disclosure.rules import AUDIENCES
from outcomes.errors import FactsError, Finding, ReportError
from outcomes.facts import Words, find_project, read_words
from outcomes.facts.toml import read_toml, suggest_name
from outcomes.reports.engine import ENGINES, TimeLimits
from outcomes.reports.series.cadence import PERIODS, is_cadence

#: Where the declaration lies in a project.
DECLARATION = Path("reports") / "reports.toml"
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_KINDS: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    int: (int, "a whole number"),
    int | None: (int, "a whole number"),
    float: ((int, float), "a number"),
    Mapping[str, Any]: (dict, "a table { ... }"),
}
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Series:
    """A report that is made again and again: one entry ``[report.ID]``."""

    #: Small letters, digits, hyphens and underscores; the folder of its pages.
    id: str
    notebook: str
    #: Name of a source, or the path of a source TOML.
    source: str
    #: File or folder of records; where the source says when empty.
    path: str = ""
    #: Words for the index; the page's own title when empty.
    title: str = ""
    #: For the notebook.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: One page for each recorded ``site``, ``therapist``, ``therapy``, ``region`` or ``instrument``; a single
    #: page when empty.
    for_each: str = ""
    audience: str = "team"
    #: Smallest number of patients behind a shown number; that of the source's disclosure profile where
    #: absent.
    k: int | None = None
    #: Which episodes count, by their start. See `PERIODS`.
    period: str = "all"
    rolling_months: int = 12
    #: In which months end and cron expressions are meant.
    time_zone: str = "UTC"
    #: ``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` or a cron expression of five fields.
    cadence: str = "quarterly"
    #: What to do about several missed slots: one run for the ``latest``, or one for ``all``.
    catch_up: str = "latest"
    #: How long a slot that failed is left alone by ``run --due``.
    retry_minutes: int = 60
    #: Share of the records by which they may shrink from one release to the next (0-1).
    largest_shrink: float = 0.2
    out: str = "reports/html"
    retention_days: int = 30
    #: Time limits for a cell, a page, and all pages of a release together.
    cell_seconds: float = 600.0
    report_seconds: float = 1800.0
    batch_seconds: float = 14_400.0
    engine: str = "auto"

    @property
    def words(self) -> Words:
        """Words in which the series is spoken of: in the language of its pages."""
        return read_known_words(str(self.parameters.get("language", "en")))

    @property
    def limits(self) -> TimeLimits:
        """Time limits of a page."""
        return TimeLimits(self.cell_seconds, self.report_seconds)


def read_known_words(language: str) -> Words:
    """Return the words of a language; English where there are none, since only the page itself must fail."""
    try:
        return read_words(language)
    except FactsError:
        return read_words()


#: For a key that takes a few words: which; for one that takes a number: from where to where.
_ALLOWED: dict[str, tuple[str, ...]] = {
    "for_each": ("", "site", "therapist", "therapy", "region", "instrument"),
    "audience": AUDIENCES,
    "period": PERIODS,
    "catch_up": ("latest", "all"),
    "engine": ENGINES,
}
_LIMITS: dict[str, tuple[float, float]] = {
    "k": (5, 100),
    "rolling_months": (1, 120),
    "retry_minutes": (0, 10_080),
    "largest_shrink": (0, 1),
    "retention_days": (1, 3650),
    "cell_seconds": (1, _DAY_SECONDS),
    "report_seconds": (1, _DAY_SECONDS),
    "batch_seconds": (1, 7 * _DAY_SECONDS),
}


def read_series(path: str | Path | None = None) -> dict[str, Series]:
    """Read the declaration of all series by id: ``reports/reports.toml`` of the project, or another file.

    ``[defaults]`` holds keys for all series, ``[report.ID]`` those of one. `ReportError` lists every unknown
    key, wrong type and wrong value of the file (exit code 2).
    """
    place = Path(path) if path is not None else find_project() / DECLARATION
    content = read_toml(place)
    findings: list[Finding] = []
    refuse = _Problems(findings, place.name)
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


class _Problems:
    """Everything that is wrong in the file."""

    def __init__(self, findings: list[Finding], file: str) -> None:
        self._findings, self._file = findings, file

    def __call__(self, rule: str, what: str, remedy: str | None = None) -> None:
        self._findings.append(Finding(rule, "refuse_file", what, file=self._file, remedy=remedy))

    def unknown(self, key: str, known: list[str], where: str) -> None:
        self("SERIES_UNKNOWN_KEY", f"{where} has an unknown key {key!r}", remedy=suggest_name(key, known))


def _read_one(id: str, table: Any, defaults: Mapping[str, Any], refuse: _Problems) -> Series | None:
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
        for rule, what, remedy in _find_problems(key, value, fields[key].type):
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


def _find_problems(key: str, value: Any, type_: Any) -> Iterator[tuple[str, str, str | None]]:
    kind, said = _KINDS[type_]
    if not isinstance(value, kind) or isinstance(value, bool):
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


def find_refused_cuts(source: str, columns: Collection[str]) -> tuple[str, ...]:
    """Return those of the columns by which a stakeholder's report of a source may not be cut.

    A free choice of patients would let anyone ask for ever smaller groups. A page for stakeholders is cut
    only as some declared report for stakeholders is: by what it makes a page for each of, and by the filters
    among its parameters. ``therapy`` among the columns means that some therapies only are looked at.
    """
    wanted = set(columns)
    if not wanted:
        return ()
    declared = read_series() if (find_project() / DECLARATION).is_file() else {}
    allowed = [
        _list_cuts(series)
        for series in declared.values()
        if series.audience == "stakeholder" and series.source == source
    ]
    refused = [wanted - cuts for cuts in allowed] or [wanted]
    return tuple(sorted(sorted(refused, key=len)[0]))


def _list_cuts(series: Series) -> set[str]:
    named = {"site", "region", "therapy"} & {name for name, value in series.parameters.items() if value}
    named |= {"therapy"} if series.parameters.get("therapies") else set()
    named |= {series.for_each} if series.for_each else set()
    return named | set(read_filters(series.parameters.get("only", ())))
