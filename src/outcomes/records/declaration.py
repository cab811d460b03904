"""A source's declaration held against what there is: columns, codes, measures, and what it answers."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from outcomes.errors import FactsError, Finding
from outcomes.facts import (
    OWN,
    FileSpec,
    ScoreSpec,
    Source,
    Text,
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
)
from outcomes.facts.toml import suggest_name
from outcomes.records.columns.dates import find_zone
from outcomes.records.columns.mapping import list_therapy_spellings
from outcomes.records.episodes.times import BASELINE, list_timepoints
from outcomes.records.scores.measures import build_measure

_LONG = ("instrument", "variant", "score")
_IDS = ("episode_id", "patient_id")
_KEY_STEPS = ("strip", "casefold", "leading_zeros")
#: What a column of scores may hold.
_HOLDS = ("score", "change", "improvement")
_REGION_ANSWERS = ("keep", "leave_out")

#: What is wrong, and what to do about it.
_Wrong: TypeAlias = "tuple[Text, Text | str | None]"


def check_declaration(source: Source) -> None:
    """Refuse a source that names what does not exist."""
    find_zone(source.time_zone)
    findings = []
    within = any(spec.within for spec in source.files)
    for number, spec in enumerate(source.files, start=1):
        place = f"{source.name}, [[file]] {number}"
        wrong = [*_check_columns(spec), *_check_codes(spec, source), *_check_scores(spec, source)]
        wrong += _check_answers(spec)
        wrong += _check_within(spec) if within else []
        findings += [
            Finding("SOURCE_NAME", "refuse_file", what, place, remedy=remedy) for what, remedy in wrong
        ]
    known = (*read_schema()["episodes"], "start_year")
    wrong = [
        *_check_other_regions(source),
        *_check_names("quasi_identifiers", "not_of_episodes", source.quasi_identifiers, known),
    ]
    findings += [
        Finding("SOURCE_NAME", "refuse_file", what, source.name, remedy=remedy) for what, remedy in wrong
    ]
    if findings:
        raise FactsError(Text.of("findings.SOURCE_NAME.refused", source=source.name), findings)


def list_columns(rows: str) -> tuple[str, ...]:
    """Return the columns of the schema that a file of such rows may map."""
    schema = read_schema()
    if rows in ("session", "event"):
        return (*_IDS, "site", *schema[f"{rows}s"], "date")
    long = _LONG if rows == "assessment" else ()
    own = (name for name in schema["assessments"] if name not in (*_LONG, "n_items_missing"))
    attributes = (name for name in schema["episodes"] if name != "excluded")
    return tuple(dict.fromkeys((*attributes, *own, *long, "date")))


def _check_names(key: str, wrong: str, names: Iterable[str], known: Sequence[str]) -> Iterator[_Wrong]:
    """Yield each name of a key that is not known; ``wrong`` is the sentence that says so."""
    for name in names:
        if name not in known:
            what = Text.of(f"findings.SOURCE_NAME.{wrong}", key=key, name=repr(name))
            yield what, suggest_name(name, known).removesuffix(".")


def _check_columns(spec: FileSpec) -> Iterator[_Wrong]:
    for key in ("columns", "constants", "top_code", "missing_codes"):
        yield from _check_names(key, "not_of_schema", getattr(spec, key), list_columns(spec.rows))
    for name in spec.constants:
        if name in spec.columns:
            what = Text.of("findings.SOURCE_NAME.mapped_twice", name=repr(name))
            yield what, Text.of("findings.SOURCE_NAME.remove_one")
    yield from _check_names("key_normalise", "no_way_to_change_ids", spec.key_normalise, _KEY_STEPS)
    if spec.patient == "by id" and not set(_IDS) & set(spec.columns):
        yield Text.of("findings.SOURCE_NAME.no_ids"), Text.of("findings.SOURCE_NAME.add_ids")
    if ("score" in spec.columns) != ("instrument" in spec.columns):
        what = Text.of("findings.SOURCE_NAME.score_without_instrument")
        yield what, Text.of("findings.SOURCE_NAME.use_scores")


def _check_within(spec: FileSpec) -> list[_Wrong]:
    """Check that the ids of a file can be told apart by site where those of any file are."""
    has_site = "site" in spec.columns or "site" in spec.constants
    if spec.patient != "by id" or (spec.within and has_site):
        return []
    if spec.within:
        return [(Text.of("findings.SOURCE_NAME.no_site"), Text.of("findings.SOURCE_NAME.add_site"))]
    what = Text.of("findings.SOURCE_NAME.not_within")
    return [(what, Text.of("findings.SOURCE_NAME.add_within", has_site=has_site))]


def _check_codes(spec: FileSpec, source: Source) -> Iterator[_Wrong]:
    for name, codes in spec.codes.items():
        allowed = _list_allowed(name, spec, source)
        if name not in list_columns(spec.rows):
            yield from _check_names("codes", "not_of_schema", [name], list_columns(spec.rows))
        elif name == "instrument":
            for value in codes.values():
                yield from _check_measure(value)
        elif allowed:
            yield from _check_names(f"codes.{name}", "not_a_code", dict.fromkeys(codes.values()), allowed)


def _list_allowed(name: str, spec: FileSpec, source: Source) -> list[str]:
    """Return the codes that a code list may lead to; empty where any name may stand."""
    if name == "therapy":
        return sorted(set(list_therapy_spellings(source).values()))
    if name == "timepoint":
        return list(list_timepoints(source))
    schema = read_schema()
    column = schema.get(f"{spec.rows}s", {}).get(name) or schema["episodes"].get(name)
    if column is None:
        return []
    return ["yes", "no"] if column.type == "flag" else list(column.allowed)


def _check_scores(spec: FileSpec, source: Source) -> Iterator[_Wrong]:
    for name, scale in spec.scales.items():
        try:  # the instrument alone: a scale may be declared for all its variants at once
            read_instrument(name.partition(":")[0])
        except FactsError as error:
            yield Text.of("findings.SOURCE_NAME.of_scales", what=str(error)), None
            continue
        for what, remedy in _check_scale(name, scale):
            yield Text.of("findings.SOURCE_NAME.of_scales", what=what), remedy
    labels = list_timepoints(source)
    for number, score in enumerate(spec.scores, start=1):
        place = f"[[file.scores]] {number}"
        name = f"{score.instrument}:{score.variant}" if score.variant else score.instrument
        unknown = list(_check_measure(name))
        yield from unknown
        if score.timepoint is not None:
            yield from _check_names(place, "not_a_timepoint", [score.timepoint], labels)
        if score.column is None and not score.items:
            what = Text.of("findings.SOURCE_NAME.score_nowhere", place=place)
            yield what, Text.of("findings.SOURCE_NAME.add_score_column")
        if not unknown:
            for what, remedy in _check_score_scale(score):
                yield Text.of("findings.SOURCE_NAME.at_place", place=place, what=what), remedy
        timed = score.timepoint or score.date_column or score.day_column
        if spec.rows == "episode" and not timed and not {"timepoint", "date", "day"} & set(spec.columns):
            what = Text.of("findings.SOURCE_NAME.score_undated", place=place)
            yield what, Text.of("findings.SOURCE_NAME.add_timepoint")


def _check_score_scale(score: ScoreSpec) -> list[_Wrong]:
    instrument = read_instrument(score.instrument)
    if score.scale is not None:
        return _check_scale(score.instrument, score.scale)
    computed = score.column is None and instrument.scoring_rule.rule != "single"
    if not instrument.scale_required or computed:
        return []
    scales = " or ".join(f'scale = "{name}" ({it["meaning"]})' for name, it in instrument.scales.items())
    what = Text.of("findings.SOURCE_NAME.opposite_ways", instrument=instrument.called)
    if score.column is None:
        return [(what, Text.of("findings.SOURCE_NAME.add_scale_of_column", scales=scales))]
    return [(what, Text.of("findings.SOURCE_NAME.add_scale", scales=scales))]


def _check_scale(name: str, scale: str) -> list[_Wrong]:
    instrument = read_instrument(name.partition(":")[0])
    known = [*instrument.scales, *([] if instrument.scale_required else [OWN])]
    return list(_check_names(instrument.name, "not_a_scale", [scale], known))


def _check_measure(name: str) -> Iterator[_Wrong]:
    try:
        build_measure(name)
    except FactsError as error:
        yield Text.of("findings.SOURCE_NAME.of_facts", what=str(error)), None


def _check_answers(spec: FileSpec) -> Iterator[_Wrong]:
    """Yield what is wrong with what a file answers: absence, changes, confirmed doubts."""
    yield from _check_confirmed(spec.confirmed, "")
    headers = [header for score in spec.scores for header in (score.instrument, score.column, *score.items)]
    known = list(dict.fromkeys(name for name in [*headers, spec.columns.get("score")] if name))
    for key in ("answered", "missing_where"):
        for entry in getattr(spec, key):
            yield from _check_names(key, "not_a_score", entry.scores, known)
            if not known:
                what = Text.of("findings.SOURCE_NAME.no_scores", key=key)
                yield what, Text.of("findings.SOURCE_NAME.remove_or_add_scores")
    for number, score in enumerate(spec.scores, start=1):
        place = f"[[file.scores]] {number}: "
        for what, remedy in _check_holds(spec, score):
            yield Text.of("findings.SOURCE_NAME.of_block", place=place, what=what), remedy
        yield from _check_confirmed(score.confirmed, place)


def _check_confirmed(confirmed: tuple[str, ...], place: str) -> Iterator[_Wrong]:
    doubts = read_facts("checks")["doubts"]["names"]
    changes = (f"{name}_changes" for name in read_schema()["episodes"])
    return _check_names(f"{place}confirmed", "not_a_doubt", confirmed, [*doubts, *changes])


def _check_holds(spec: FileSpec, score: ScoreSpec) -> list[_Wrong]:
    """Return what is wrong with a column that is said to hold a change or an improvement."""
    holds = score.holds
    if holds is None or holds == "score":
        return []
    if holds not in _HOLDS:
        return [(Text.of("findings.SOURCE_NAME.holds_nothing", holds=repr(holds)), None)]
    if score.items or score.timepoint == BASELINE:
        what = Text.of("findings.SOURCE_NAME.holds_no_score", holds=repr(holds))
        return [(what, Text.of("findings.SOURCE_NAME.remove"))]
    try:
        instrument = read_instrument(score.instrument)
    except FactsError:
        return []  # told as an unknown instrument
    if holds == "improvement" and instrument.direction == "none":
        what = Text.of("findings.SOURCE_NAME.no_improvement", instrument=instrument.called)
        return [(what, Text.of("findings.SOURCE_NAME.write_change"))]
    measure = (score.instrument, score.variant)
    starts = ((other.instrument, other.variant) for other in spec.scores if other.timepoint == BASELINE)
    if spec.rows != "episode" or measure not in starts:
        what = Text.of("findings.SOURCE_NAME.holds_without_start", holds=repr(holds))
        remedy = Text.of("findings.SOURCE_NAME.add_start", instrument=score.instrument, timepoint=BASELINE)
        return [(what, remedy)]
    return []


def _check_other_regions(source: Source) -> Iterator[_Wrong]:
    for name, answer in source.other_regions.items():
        if name not in list_instruments():
            yield from _check_names("other_regions", "no_instrument", [name], list_instruments())
        elif not read_instrument(name).regions:
            what = Text.of("findings.SOURCE_NAME.any_region", instrument=name)
            yield what, Text.of("findings.SOURCE_NAME.remove_line")
        elif answer not in _REGION_ANSWERS:
            what = Text.of("findings.SOURCE_NAME.no_answer", instrument=name, answer=repr(answer))
            allowed = " or ".join(f'"{it}"' for it in _REGION_ANSWERS)
            yield what, Text.of("findings.SOURCE_NAME.write", allowed=allowed)
