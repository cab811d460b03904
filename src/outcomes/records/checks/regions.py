"""Scores of patients whose complaint is not what the instrument is for: kept, left out or asked about."""

from __future__ import annotations

import numpy as np

from outcomes.facts import Instrument, Source, read_facts, read_schema
from outcomes.records.episodes import Attribute, take_first
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments

#: A region that may hold several, so that it says nothing against an instrument.
_OPEN = "other"


def settle_regions(
    scores: Assessments, region: Attribute | None, n_episodes: int, source: Source, problems: Problems
) -> np.ndarray:
    """Keep, leave out or ask about the scores of patients of other regions, as the source declares.

    Parameters
    ----------
    scores : Assessments
    region : Attribute or None
        Region of each episode; None where the source has none.
    n_episodes : int
    source : Source
    problems : Problems

    Returns
    -------
    numpy.ndarray of bool
        Which assessments stay.
    """
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
        if answer == "leave_out":
            _leave_out(scores, other, instrument, problems)
            stays &= ~other
        elif answer == "keep" or _are_few(scores, here, other):
            _keep(scores, other, instrument, answer, problems)
        else:
            _ask(scores, here, other, home, instrument, problems)
    return stays


def _are_few(scores: Assessments, here: np.ndarray, other: np.ndarray) -> bool:
    """Whether so few scores are of other regions that no mean can move by more than they are said to."""
    limits = read_facts("checks")["regions"]
    n_episodes = len(np.unique(scores.episode[other]))
    return n_episodes < limits["fewest"] or bool(other.sum() <= limits["share"] * here.sum())


def _name(instrument: Instrument) -> str:
    labels = read_schema()["episodes"]["region"].labels or {}
    return " and ".join(labels[region] for region in instrument.regions)


def _keep(
    scores: Assessments, other: np.ndarray, instrument: Instrument, answer: str | None, problems: Problems
) -> None:
    name, where = instrument.short_name, _name(instrument)
    said = (
        f"Scores of the {name}, which is made for patients with complaints of the {where}, are kept of "
        "patients with complaints elsewhere too."
    )
    what = f"the {name} is made for complaints of the {where}; scores of patients with others are kept"
    outcome = "answered" if answer else "accept_with_warning"
    _note(scores, other, "REGION_OTHER", outcome, what, said, instrument, problems)


def _leave_out(scores: Assessments, other: np.ndarray, instrument: Instrument, problems: Problems) -> None:
    name, where = instrument.short_name, _name(instrument)
    what = f"the {name} is made for complaints of the {where}; of a patient with another, it is left out"
    for number, column in enumerate(scores.columns):
        records = scores.record[other & (scores.column == number)]
        problems.refuse_cells(records, "REGION_OTHER", what, column=column.header)
    said = (
        f"Scores of the {name}, which is made for patients with complaints of the {where}, are left out for "
        "patients with complaints elsewhere."
    )
    _note(
        scores,
        other,
        "REGION_LEFT_OUT",
        "accept",
        "scores of other regions left out",
        said,
        instrument,
        problems,
    )


def _note(
    scores: Assessments, other: np.ndarray, rule: str, outcome: str, what: str, said: str,
    instrument: Instrument, problems: Problems,
) -> None:  # fmt: skip
    for number, column in enumerate(scores.columns):
        records = scores.record[other & (scores.column == number)]
        problems.note(rule, outcome, what, records, column=column.header, said=said, measure=instrument.id)


def _ask(
    scores: Assessments, here: np.ndarray, other: np.ndarray, home: np.ndarray, instrument: Instrument,
    problems: Problems,
) -> None:  # fmt: skip
    labels = read_schema()["episodes"]["region"].labels or {}
    regions, counts = np.unique(home[other], return_counts=True)
    where = ", ".join(f"{labels[region]} {count}" for region, count in zip(regions, counts, strict=True))
    what = (
        f"the {instrument.short_name} is made for complaints of the {_name(instrument)}, {int(other.sum())} "
        f"of {int(here.sum())} scores are of patients with others ({where}): do they count?"
    )
    answers = {
        f'[other_regions] {instrument.id} = "leave_out"': "they become missing, and pages say so",
        f'[other_regions] {instrument.id} = "keep"': "they count as they stand, and pages say so",
    }
    problems.ask("REGION_OTHER", what, answers, scores.record[other])
