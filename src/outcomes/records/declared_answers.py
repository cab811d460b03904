"""What a source answers, held against what there is: absence, changes, other regions, confirmed doubts."""

from __future__ import annotations

from outcomes.errors import FactsError
from outcomes.facts import (
    FileSpec,
    ScoreSpec,
    Source,
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
)
from outcomes.facts.toml import suggest_name
from outcomes.records.episodes import BASELINE

#: What a column of scores may hold.
HOLDS = ("score", "change", "improvement")
REGION_ANSWERS = ("keep", "leave_out")


def check_answers(spec: FileSpec) -> list[tuple[str, str | None]]:
    """Return what is wrong with what a file answers, with remedies."""
    wrong = _check_confirmed(spec.confirmed, "")
    for key in ("answered", "missing_where"):
        known = _list_names(spec)
        for entry in getattr(spec, key):
            wrong += [
                (f"{key}: {name!r} is no score of the file", suggest_name(name, known))
                for name in entry.scores
                if name not in known
            ]
            if not known:
                wrong.append((f"{key}: the file has no scores", "remove it, or add [[file.scores]]"))
    for number, score in enumerate(spec.scores, start=1):
        place = f"[[file.scores]] {number}: "
        wrong += [(f"{place}{what}", remedy) for what, remedy in _check_holds(spec, score)]
        wrong += _check_confirmed(score.confirmed, place)
    return wrong


def _check_confirmed(confirmed: tuple[str, ...], place: str) -> list[tuple[str, str | None]]:
    known = [
        *read_facts("checks")["doubts"]["names"],
        *(f"{name}_changes" for name in read_schema()["episodes"]),
    ]
    return [
        (f"{place}confirmed: there is no doubt {name!r}", suggest_name(name, known))
        for name in confirmed
        if name not in known
    ]


def _list_names(spec: FileSpec) -> list[str]:
    headers = [header for score in spec.scores for header in (score.instrument, score.column, *score.items)]
    return list(dict.fromkeys(name for name in [*headers, spec.columns.get("score")] if name))


def _check_holds(spec: FileSpec, score: ScoreSpec) -> list[tuple[str, str | None]]:
    if score.holds is None or score.holds == "score":
        return []
    if score.holds not in HOLDS:
        return [(f"holds = {score.holds!r} is not one of {', '.join(HOLDS)}", None)]
    if score.items or score.timepoint == BASELINE:
        return [(f"holds = {score.holds!r} is for a recorded score after the start", "remove it")]
    try:
        instrument = read_instrument(score.instrument)
    except FactsError:
        return []  # told as an unknown instrument
    if score.holds == "improvement" and instrument.direction == "none":
        return [(f"{instrument.name} has no direction, so it has no improvement", 'write holds = "change"')]
    if spec.rows != "episode" or find_start(spec, score) is None:
        what = f"holds = {score.holds!r} needs the score at the start in the same row, and there is none"
        return [(what, f'add a [[file.scores]] block of {score.instrument} with timepoint = "{BASELINE}"')]
    return []


def find_start(spec: FileSpec, score: ScoreSpec) -> int | None:
    """Return the position of the block that holds the start of the same measure, None where there is none."""
    for place, other in enumerate(spec.scores):
        same = (other.instrument, other.variant) == (score.instrument, score.variant)
        if same and other.timepoint == BASELINE:
            return place
    return None


def check_other_regions(source: Source) -> list[tuple[str, str | None]]:
    """Return what is wrong with ``[other_regions]``, each with its remedy."""
    wrong: list[tuple[str, str | None]] = []
    for name, answer in source.other_regions.items():
        if name not in list_instruments():
            wrong.append((f"other_regions: no instrument {name!r}", suggest_name(name, list_instruments())))
        elif not read_instrument(name).regions:
            wrong.append((f"other_regions: {name} is for patients of any region", "remove the line"))
        elif answer not in REGION_ANSWERS:
            allowed = " or ".join(f'"{it}"' for it in REGION_ANSWERS)
            wrong.append((f"other_regions.{name} = {answer!r} is no answer", f"write {allowed}"))
    return wrong
