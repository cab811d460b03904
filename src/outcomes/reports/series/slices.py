"""The pages of a series: which there are, with which parameters, and whether they can be made.

There is one for each recorded site, therapist, therapy, region or instrument, or a single one.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from outcomes.disclosure.rules import read_rules
from outcomes.errors import FactsError, Finding, PrivacyError, RecordsError, ReportError
from outcomes.facts import list_instruments, read_source
from outcomes.records.tables import Records
from outcomes.reports.notebook_file import find_notebook, read_notebook
from outcomes.reports.parameters import Parameter, check_names, check_parameters, read_parameters
from outcomes.reports.series.cadence import Period
from outcomes.reports.series.declaration import DECLARATION, Series


@dataclass(frozen=True)
class RecordsDigest:
    """What a run must know of the records before it makes a page."""

    sha256: str
    #: Source records read.
    n_read: int
    #: The newest day in the records (ISO); empty where they hold no dates.
    newest: str
    #: Patient and day of each start that has a date.
    starts: pd.DataFrame = field(repr=False)
    disclosure_profile: str
    #: For each kind of slice the values that occur, sorted.
    recorded: Mapping[str, Sequence[Mapping[str, str]]]


def digest_records(records: Records) -> RecordsDigest:
    """Return what a run must know of the records before it makes a page."""
    episodes = records.episodes
    recorded: dict[str, Sequence[Mapping[str, str]]] = {
        name: [{name: value} for value in sorted(str(one) for one in episodes[name].dropna().unique())]
        for name in ("site", "therapist", "therapy", "region")
    }
    scores = records.assessments[["instrument", "variant"]].drop_duplicates().astype("object")
    found = {(str(id), variant if isinstance(variant, str) else "") for id, variant in scores.to_numpy()}
    recorded["instrument"] = [
        {"instrument": id, **({"variant": variant} if variant else {})} for id, variant in sorted(found)
    ]
    starts = episodes[["patient_id", "start_date"]].dropna()
    profile, newest = records.source.disclosure_profile, _find_newest(records)
    return RecordsDigest(records.fingerprint, records.n_read, newest, starts, profile, recorded)


def say_days(series: Series, digest: RecordsDigest, period: Period) -> str:
    """Say in which months the episodes of a period began; empty where the records do not say.

    For stakeholders at least k patients began up to the end of the first month, and from the beginning of the
    last one, so that neither tells of a few.
    """
    held = digest.starts
    if period.since is not None and period.until is not None:
        held = held[held["start_date"].between(pd.Timestamp(period.since), pd.Timestamp(period.until))]
    by_patient = held.groupby("patient_id", observed=True)["start_date"]
    rules = read_rules(series.k, digest.disclosure_profile)
    place = 0 if series.audience == "team" else rules.k - 1
    if by_patient.ngroups <= place:
        return ""
    first, last = by_patient.min().sort_values().iloc[place], by_patient.max().sort_values().iloc[-1 - place]
    finest = "%Y" if series.audience != "team" and rules.cells["years_only"] else "%Y-%m"
    since, until = sorted((f"{first:{finest}}", f"{last:{finest}}"))
    return series.words.say("series.period", since=since, until=until)


def list_slices(series: Series, digest: RecordsDigest) -> list[Mapping[str, str]]:
    """Return what each page of a series is about; one empty mapping where it is a single page."""
    return list(digest.recorded[series.for_each]) if series.for_each else [{}]


def fill_parameters(
    series: Series, schema: Mapping[str, Parameter], slice: Mapping[str, str], period: Period, said: str
) -> dict[str, Any]:
    """Return the parameters of one page: those declared, those of its slice, and those of its period."""
    values: dict[str, Any] = {"audience": series.audience, **series.parameters, **slice}
    if series.k is not None:
        values.setdefault("k", series.k)
    if period.since is not None and period.until is not None:
        values |= {"since": period.since.isoformat(), "until": period.until.isoformat()}
    if said and "period" in schema and "period" not in series.parameters:
        values["period"] = said
    return values


def _find_newest(records: Records) -> str:
    """Return the newest day on which anything happened; a start has a date, all else days after it."""
    start = records.episodes["start_date"]
    if not start.notna().any():
        return ""
    starts = dict(zip(records.episodes["episode_id"].astype("str"), start, strict=True))
    newest = start.max()
    for table in (records.assessments, records.sessions, records.events):
        begun = pd.to_datetime(table["episode_id"].astype("str").map(starts))
        days = pd.to_timedelta(table["day"].astype("float64"), unit="D")
        newest = max(newest, latest) if not pd.isna(latest := (begun + days).max()) else newest
    return dt.date(newest.year, newest.month, newest.day).isoformat()


def check_series(
    declared: Mapping[str, Series], read: Callable[[Series], Records]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Check every declared series against its notebook and its records, which ``read`` reads once a place.

    Returns one row per series (``series, notebook, audience, pages, period, cadence``), and everything that
    is wrong, such as a value of the wrong type, a site that the records do not hold, or no dates.
    """
    rows, findings = [], list[Finding]()
    digests: dict[tuple[str, str], RecordsDigest | None] = {}
    for series in declared.values():
        place = (series.source, series.path)
        if place not in digests:
            digests[place], problems = _read(series, read)
            findings.extend(problems)
        digest = digests[place]
        findings.extend(_check_one(series, digest))
        rows.append(
            {
                "series": series.id,
                "notebook": series.notebook,
                "audience": series.audience,
                "pages": len(list_slices(series, digest)) if digest else None,
                "period": series.period,
                "cadence": series.cadence,
            }
        )
    return rows, list(dict.fromkeys(findings))


def _read(series: Series, read: Callable[[Series], Records]) -> tuple[RecordsDigest | None, list[Finding]]:
    try:
        return digest_records(read(series)), []
    except (FactsError, RecordsError, PrivacyError) as error:
        return None, [_describe(series, "SERIES_SOURCE", str(error).splitlines()[0]), *error.findings]


def _check_one(series: Series, digest: RecordsDigest | None) -> Iterator[Finding]:
    try:
        schema = read_parameters(read_notebook(find_notebook(series.notebook)))
    except ReportError as error:
        yield _describe(series, "SERIES_NOTEBOOK", str(error))
        return
    needed = {series.for_each: f"for_each = {series.for_each!r}"} if series.for_each else {}
    if series.period != "all":
        needed |= dict.fromkeys(("since", "until"), f"period = {series.period!r}")
    lacks = {name: key for name, key in needed.items() if name not in schema}
    for name, key in lacks.items():
        what = f"the notebook {series.notebook} has no parameter {name}, which {key} needs"
        yield _describe(series, "SERIES_PARAMETER", what)
    if not lacks:
        yield from _check_parameters(series, schema)
    if digest:
        yield from _check_recorded(series, digest)


def _check_parameters(series: Series, schema: Mapping[str, Parameter]) -> Iterator[Finding]:
    place = {name: getattr(series, name) for name in ("source", "path") if name in schema}
    given = {**place, **fill_parameters(series, schema, {}, Period(None, None), "")}
    for name in ("source", "path", series.for_each, "since", "until"):
        if name and name in series.parameters and (name != "since" or series.period != "all"):
            yield _describe(
                series, "SERIES_PARAMETER", f"{name} is set by the series itself, not in parameters"
            )
    try:
        check_names(check_parameters(schema, given), read_source(series.source))
    except ReportError as error:
        for finding in error.findings:
            yield _describe(series, finding.rule, finding.what, finding.remedy)
    except FactsError as error:
        yield _describe(series, "SERIES_SOURCE", str(error))


def _check_recorded(series: Series, digest: RecordsDigest) -> Iterator[Finding]:
    for name in ("instrument", "site", "therapist", "therapy", "region"):
        wanted, recorded = series.parameters.get(name), digest.recorded[name]
        known = sorted({entry[name] for entry in recorded})
        is_told = name == "instrument" and wanted not in list_instruments()
        if wanted and wanted not in known and not is_told:
            remedy = f"recorded are {', '.join(known) or 'none'}."
            yield _describe(series, "SERIES_NOT_RECORDED", f"the records hold no such {name}", remedy)
    if series.for_each and not digest.recorded[series.for_each]:
        remedy = f"map a column to {series.for_each} in the source, if there is one."
        yield _describe(series, "SERIES_NOT_RECORDED", f"the records hold no {series.for_each}", remedy)
    if series.period != "all" and not digest.newest:
        what = "the records hold no dates of starts, which a period needs"
        yield _describe(series, "SERIES_PERIOD", what, 'period = "all"')


def _describe(series: Series, rule: str, what: str, remedy: str | None = None) -> Finding:
    return Finding(rule, "refuse_file", f"[report.{series.id}]: {what}", DECLARATION.name, remedy=remedy)
