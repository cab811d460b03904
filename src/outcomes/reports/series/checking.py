"""`check_series`: whether what is declared can be made - of these notebooks, from these records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from outcomes.errors import FactsError, Finding, PrivacyError, RecordsError, ReportError
from outcomes.facts import list_instruments, read_source
from outcomes.records import Records
from outcomes.reports.catalogue import find_notebook
from outcomes.reports.names import check_names
from outcomes.reports.notebook_file import read_notebook
from outcomes.reports.parameters import Parameter, check_parameters, read_parameters
from outcomes.reports.series.declaration import DECLARATION, Series
from outcomes.reports.series.periods import Period
from outcomes.reports.series.slices import Reading, describe_reading, fill_parameters, list_slices


def check_series(
    declared: Mapping[str, Series], read: Callable[[Series], Records]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Check every declared series against its notebook and its records.

    Parameters
    ----------
    declared : mapping of Series
    read : callable
        Reads the records of a series; asked once for each place of records.

    Returns
    -------
    tuple
        One row per series (``series, notebook, audience, pages, period, cadence``), and everything that is
        wrong: a report or parameter that does not exist, a value of the wrong type, an instrument, site,
        therapist, region or therapy that nobody recorded, a period where the records hold no dates.
    """
    rows, findings = [], list[Finding]()
    readings: dict[tuple[str, str], Reading | None] = {}
    for series in declared.values():
        place = (series.source, series.path)
        if place not in readings:
            readings[place], problems = _read(series, read)
            findings.extend(problems)
        reading = readings[place]
        findings.extend(_check_one(series, reading))
        rows.append(
            {
                "series": series.id,
                "notebook": series.notebook,
                "audience": series.audience,
                "pages": len(list_slices(series, reading)) if reading else None,
                "period": series.period,
                "cadence": series.cadence,
            }
        )
    return rows, list(dict.fromkeys(findings))


def _read(series: Series, read: Callable[[Series], Records]) -> tuple[Reading | None, list[Finding]]:
    try:
        return describe_reading(read(series)), []
    except (FactsError, RecordsError, PrivacyError) as error:
        return None, [_blame(series, "SERIES_SOURCE", str(error).splitlines()[0]), *error.findings]


def _check_one(series: Series, reading: Reading | None) -> Iterator[Finding]:
    try:
        schema = read_parameters(read_notebook(find_notebook(series.notebook)))
    except ReportError as error:
        yield _blame(series, "SERIES_NOTEBOOK", str(error))
        return
    lacks = [name for name in _list_needed(series) if name not in schema]
    for name in lacks:
        what = f"the notebook {series.notebook} has no parameter {name}, which {_say_why(series, name)} needs"
        yield _blame(series, "SERIES_PARAMETER", what)
    if not lacks:
        yield from _check_parameters(series, schema)
    if reading:
        yield from _check_recorded(series, reading)


def _list_needed(series: Series) -> Iterator[str]:
    if series.for_each:
        yield series.for_each
    if series.period != "all":
        yield from ("since", "until")


def _say_why(series: Series, name: str) -> str:
    return f"for_each = {series.for_each!r}" if name == series.for_each else f"period = {series.period!r}"


def _check_parameters(series: Series, schema: Mapping[str, Parameter]) -> Iterator[Finding]:
    place = {name: getattr(series, name) for name in ("source", "path") if name in schema}
    given = {**place, **fill_parameters(series, schema, {}, Period(None, None), "")}
    for name in ("source", "path", series.for_each, "since", "until"):
        if name and name in series.parameters and (name != "since" or series.period != "all"):
            yield _blame(series, "SERIES_PARAMETER", f"{name} is set by the series itself, not in parameters")
    try:
        values = check_parameters(schema, given)
        check_names(values, read_source(series.source))
    except ReportError as error:
        for finding in error.findings:
            yield _blame(series, finding.rule, finding.what, finding.remedy)
    except FactsError as error:
        yield _blame(series, "SERIES_SOURCE", str(error))


def _check_recorded(series: Series, reading: Reading) -> Iterator[Finding]:
    for name in ("instrument", "site", "therapist", "therapy", "region"):
        wanted, recorded = series.parameters.get(name), reading.recorded[name]
        known = sorted({entry[name] for entry in recorded})
        is_told = name == "instrument" and wanted not in list_instruments()
        if wanted and wanted not in known and not is_told:
            remedy = f"recorded are {', '.join(known) or 'none'}."
            yield _blame(series, "SERIES_NOT_RECORDED", f"nobody recorded the {name} it asks for", remedy)
    if series.for_each and not reading.recorded[series.for_each]:
        yield _blame(series, "SERIES_NOT_RECORDED", f"nobody recorded a {series.for_each}")
    if series.period != "all" and not reading.newest:
        what = "the records hold no dates of starts, which a period needs"
        yield _blame(series, "SERIES_PERIOD", what, 'period = "all"')


def _blame(series: Series, rule: str, what: str, remedy: str | None = None) -> Finding:
    return Finding(rule, "refuse_file", f"[report.{series.id}]: {what}", DECLARATION.name, remedy=remedy)
