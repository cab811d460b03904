"""A source's declaration held against what there is: columns, codes, therapies, time points, instruments."""

from __future__ import annotations

from difflib import get_close_matches

from outcomes.errors import FactsError, Finding
from outcomes.facts import OWN, FileSpec, ScoreSpec, Source, read_instrument, read_schema
from outcomes.records.columns import find_zone, list_therapy_spellings
from outcomes.records.declared_answers import check_answers, check_other_regions
from outcomes.records.episodes import list_timepoints
from outcomes.records.scores import build_measure, say_scales

_LONG = ("instrument", "variant", "score")
_IDS = ("episode_id", "patient_id")


def check_declaration(source: Source) -> None:
    """Refuse a source that names what does not exist.

    Raises
    ------
    FactsError
        With one finding per wrong name, each with the nearest right one.
    """
    find_zone(source.time_zone)
    findings = []
    for number, spec in enumerate(source.files, start=1):
        place = f"{source.name}, [[file]] {number}"
        wrong = [*_check_columns(spec), *_check_codes(spec, source), *_check_scores(spec, source)]
        wrong += check_answers(spec)
        findings += [
            Finding("SOURCE_NAME", "refuse_file", what, place, remedy=remedy) for what, remedy in wrong
        ]
    for what, remedy in check_other_regions(source):
        findings.append(Finding("SOURCE_NAME", "refuse_file", what, source.name, remedy=remedy))
    known = (*read_schema()["episodes"], "start_year")
    for name in source.quasi_identifiers:
        if name not in known:
            what, remedy = _suggest(
                f"quasi_identifiers: {name!r} is not a column of the episodes", name, known
            )
            findings.append(Finding("SOURCE_NAME", "refuse_file", what, source.name, remedy=remedy))
    if findings:
        what = f"The source {source.name} names what does not exist, or leaves open how to read it."
        raise FactsError(what, findings)


def list_columns(rows: str) -> tuple[str, ...]:
    """Return the columns of the schema that a file of such rows may map."""
    schema = read_schema()
    if rows in ("session", "event"):
        return (*_IDS, *schema[f"{rows}s"], "date")
    long = _LONG if rows == "assessment" else ()
    own = (name for name in schema["assessments"] if name not in (*_LONG, "n_items_missing"))
    attributes = (name for name in schema["episodes"] if name != "excluded")
    return tuple(dict.fromkeys((*attributes, *own, *long, "date")))


def _check_columns(spec: FileSpec) -> list[tuple[str, str | None]]:
    allowed = list_columns(spec.rows)
    wrong = [
        _suggest(f"{key}: {name!r} is not a column of the schema", name, allowed)
        for key in ("columns", "constants", "top_code", "missing_codes")
        for name in getattr(spec, key)
        if name not in allowed
    ]
    wrong += [
        (f"constants: {name!r} is mapped to a column of the file too", "remove one of the two")
        for name in spec.constants
        if name in spec.columns
    ]
    if spec.patient == "by id" and not set(_IDS) & set(spec.columns):
        wrong.append(
            (
                "no column says whose the rows are",
                'add to [file.columns]: patient_id = "<header>", or patient = "one per row"',
            )
        )
    if ("score" in spec.columns) != ("instrument" in spec.columns):
        wrong.append(
            (
                "score and instrument are mapped together or not at all",
                "or use [[file.scores]] with instrument = ...",
            )
        )
    return wrong


def _suggest(what: str, name: str, allowed: tuple[str, ...] | list[str]) -> tuple[str, str | None]:
    near = get_close_matches(name, allowed, n=1)
    return what, f"did you mean {near[0]!r}?" if near else f"known are {', '.join(allowed)}"


def _check_codes(spec: FileSpec, source: Source) -> list[tuple[str, str | None]]:
    wrong: list[tuple[str, str | None]] = []
    for name, codes in spec.codes.items():
        allowed = _list_allowed(name, spec, source)
        if name not in list_columns(spec.rows):
            wrong.append(
                _suggest(f"codes: {name!r} is not a column of the schema", name, list_columns(spec.rows))
            )
        elif name == "instrument":
            wrong += [entry for value in codes.values() for entry in _check_measure(value)]
        elif allowed:
            wrong += [
                _suggest(f"codes.{name}: {value!r} is not one of its codes", value, allowed)
                for value in dict.fromkeys(codes.values())
                if value not in allowed
            ]
    return wrong


def _list_allowed(name: str, spec: FileSpec, source: Source) -> list[str]:
    """Return the codes that a code list may lead to; empty where any name may stand."""
    if name == "therapy":
        known = list_therapy_spellings(source)
        return sorted(set(known.values()))
    if name == "timepoint":
        return list(list_timepoints(source))
    schema = read_schema()
    column = schema.get(f"{spec.rows}s", {}).get(name) or schema["episodes"].get(name)
    if column is None:
        return []
    return ["yes", "no"] if column.type == "flag" else list(column.allowed)


def _check_scores(spec: FileSpec, source: Source) -> list[tuple[str, str | None]]:
    wrong = [
        (f"[file.scales]: {what}", remedy)
        for name, scale in spec.scales.items()
        for what, remedy in (_check_id(name) or _check_scale(name, scale))
    ]
    labels = list_timepoints(source)
    for number, score in enumerate(spec.scores, start=1):
        place = f"[[file.scores]] {number}"
        name = f"{score.instrument}:{score.variant}" if score.variant else score.instrument
        wrong += _check_measure(name)
        if score.timepoint is not None and score.timepoint not in labels:
            wrong.append(
                _suggest(f"{place}: {score.timepoint!r} is not a time point", score.timepoint, labels)
            )
        if score.column is None and not score.items:
            wrong.append(
                (f"{place}: nothing says where the score stands", 'add column = "<header>" or items = [...]')
            )
        if not _check_measure(name):
            wrong += [(f"{place}: {what}", remedy) for what, remedy in _check_score_scale(score)]
        timed = score.timepoint or score.date_column or score.day_column
        if spec.rows == "episode" and not timed and not {"timepoint", "date", "day"} & set(spec.columns):
            wrong.append((f"{place}: nothing says when the score was given", 'add timepoint = "baseline"'))
    return wrong


def _check_score_scale(score: ScoreSpec) -> list[tuple[str, str | None]]:
    instrument = read_instrument(score.instrument)
    if score.scale is not None:
        return _check_scale(score.instrument, score.scale)
    computed = score.column is None and instrument.scoring_rule.rule != "single"
    if not instrument.scale_required or computed:
        return []
    asked = f"{instrument.name} is recorded in opposite ways, and nothing says which"
    return [(asked, say_scales(instrument, score.column is None))]


def _check_scale(name: str, scale: str) -> list[tuple[str, str | None]]:
    instrument = read_instrument(name.partition(":")[0])
    known = [*instrument.scales, *([] if instrument.scale_required else [OWN])]
    if scale in known:
        return []
    return [_suggest(f"{instrument.name} has no scale {scale!r}", scale, known)]


def _check_measure(name: str) -> list[tuple[str, str | None]]:
    try:
        build_measure(name)
    except FactsError as error:
        return [(str(error), None)]
    return []


def _check_id(name: str) -> list[tuple[str, str | None]]:
    """Check the instrument alone: a scale may be declared for all its variants at once."""
    try:
        read_instrument(name.partition(":")[0])
    except FactsError as error:
        return [(str(error), None)]
    return []
