"""Names among a report's parameters that the facts or the source must know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from outcomes.cohort import read_filters
from outcomes.disclosure.rules import AUDIENCES
from outcomes.errors import AnalysisError, FactsError, Finding
from outcomes.facts import (
    Source,
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
from outcomes.reports.parameters import Value, raise_findings


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
