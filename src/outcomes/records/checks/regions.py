"""Scores of patients whose complaint is not what the instrument is for: kept, left out or asked about."""

from __future__ import annotations

import numpy as np

from outcomes.facts import Instrument, Listing, Name, Source, Text, Value, read_facts, read_schema
from outcomes.records.episodes import Attribute, take_first
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments

#: A region that may hold several, so that it says nothing against an instrument.
_OPEN = "other"


def settle_regions(
    scores: Assessments, region: Attribute | None, n_episodes: int, source: Source, problems: Problems
) -> np.ndarray:
    """Keep, leave out or ask about the scores of patients of other regions, as the source declares."""
    stays = np.ones(len(scores), dtype=bool)
    if region is None or not len(scores):
        return stays
    names = np.append(region.values.astype(str), "")  # the last one stands for none
    home = names[take_first(region, n_episodes)][scores.episode]
    for instrument in {measure.instrument.id: measure.instrument for measure in scores.measures}.values():
        of_it = [measure.instrument.id == instrument.id for measure in scores.measures]
        here = np.array(of_it)[scores.measure] & ~np.isnan(scores.score)
        fitting = np.isin(home, [*instrument.regions, _OPEN, ""])
        other = here & ~fitting
        if not instrument.regions or not other.any():
            continue
        answer = source.other_regions.get(instrument.id)
        values: dict[str, Value] = {
            "instrument": instrument.called_short,
            "regions": _name_regions(instrument),
        }
        if answer == "leave_out":
            what = Text("findings.REGION_OTHER.left_out", values)
            for column, records in scores.split(other):
                problems.refuse_cells(records, "REGION_OTHER", what, column=column.header)
            what = Text.of("findings.REGION_LEFT_OUT.what")
            said = Text("findings.REGION_LEFT_OUT.said", values)
            _note(scores, other, "REGION_LEFT_OUT", "accept", what, said, instrument, problems)
            stays &= ~other
        elif answer == "keep" or _are_few(scores, here, other):
            outcome = "answered" if answer else "accept_with_warning"
            what, said = (Text(f"findings.REGION_OTHER.{key}", values) for key in ("kept", "said"))
            _note(scores, other, "REGION_OTHER", outcome, what, said, instrument, problems)
        else:
            _ask(scores, here, other, home, instrument, problems)
    return stays


def _are_few(scores: Assessments, here: np.ndarray, other: np.ndarray) -> bool:
    """Whether so few scores are of other regions that no mean can move by more than they are said to."""
    limits = read_facts("checks")["regions"]
    n_episodes = len(np.unique(scores.episode[other]))
    return n_episodes < limits["fewest"] or bool(other.sum() <= limits["share"] * here.sum())


def _name_regions(instrument: Instrument) -> Listing:
    labels = read_schema()["episodes"]["region"].labels or {}
    return Listing(tuple(Name("levels.region", region, labels[region]) for region in instrument.regions))


def _note(
    scores: Assessments,
    other: np.ndarray,
    rule: str,
    outcome: str,
    what: Text,
    said: Text,
    instrument: Instrument,
    problems: Problems,
) -> None:
    for column, records in scores.split(other):
        problems.note(rule, outcome, what, records, column=column.header, said=said, measure=instrument.id)


def _ask(
    scores: Assessments,
    here: np.ndarray,
    other: np.ndarray,
    home: np.ndarray,
    instrument: Instrument,
    problems: Problems,
) -> None:
    labels = read_schema()["episodes"]["region"].labels or {}
    regions, counts = np.unique(home[other], return_counts=True)
    where = ", ".join(f"{labels[region]} {count}" for region, count in zip(regions, counts, strict=True))
    what = Text.of(
        "findings.REGION_OTHER.asked",
        instrument=instrument.called_short,
        regions=_name_regions(instrument),
        n=int(other.sum()),
        n_all=int(here.sum()),
        where=where,
    )
    answers = {
        f'[other_regions] {instrument.id} = "leave_out"': Text.of("findings.REGION_OTHER.leave_out"),
        f'[other_regions] {instrument.id} = "keep"': Text.of("findings.REGION_OTHER.keep"),
    }
    problems.ask("REGION_OTHER", what, answers, scores.record[other])
