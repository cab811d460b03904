"""Scores of patients whose complaint is not what the instrument is for: kept, left out or asked about."""

import numpy as np

from outcomes.facts import Instrument, Text, read_facts, read_schema
from outcomes.records.absence import OPEN_REGION, name_regions
from outcomes.records.episodes.attributes import Attribute, take_first
from outcomes.records.problems import Values
from outcomes.records.scores.assessments import Assessments


def settle_regions(scores: Assessments, region: Attribute | None) -> np.ndarray:
    """Keep, leave out or ask about the scores of patients of other regions; return which scores stay."""
    stays, problems = np.ones(len(scores), dtype=bool), scores.problems
    if region is None or not len(scores):
        return stays
    names = np.append(region.values.astype(str), "")  # the last one stands for none
    home = names[take_first(region, scores.n_episodes)][scores.episode]
    for instrument in {measure.instrument.id: measure.instrument for measure in scores.measures}.values():
        of_it = [measure.instrument.id == instrument.id for measure in scores.measures]
        here = np.array(of_it)[scores.measure] & ~np.isnan(scores.score)
        other = here & ~np.isin(home, [*instrument.regions, OPEN_REGION, ""])
        if not instrument.regions or not other.any():
            continue
        answer = scores.source.other_regions.get(instrument.id)
        labels = read_schema()["episodes"]["region"].labels or {}
        values: Values = {"instrument": instrument.called_short, "regions": name_regions(instrument.regions)}
        if answer == "leave_out":
            for column, records in scores.split(other):
                problems.refuse_cells("REGION_OTHER.left_out", records, column=column.header, **values)
            rule, outcome = "REGION_LEFT_OUT", "accept"
            stays &= ~other
        elif answer == "keep" or _are_few(scores, here, other):
            rule, outcome = "REGION_OTHER.kept", "answered" if answer else "accept_with_warning"
        else:
            counts = zip(*np.unique(home[other], return_counts=True), strict=True)
            where = ", ".join(f"{labels[region]} {count}" for region, count in counts)
            values |= {"n": int(other.sum()), "n_all": int(here.sum()), "where": where}
            problems.ask("REGION_OTHER.asked", _list_answers(instrument), scores.record[other], **values)
            continue
        for column, records in scores.split(other):
            problems.note(rule, records, outcome, column=column.header, measure=instrument.id, **values)
    return stays


def _are_few(scores: Assessments, here: np.ndarray, other: np.ndarray) -> bool:
    """Whether so few scores are of other regions that no mean can move by more than they are said to."""
    limits = read_facts("checks")["regions"]
    n_episodes = len(np.unique(scores.episode[other]))
    return n_episodes < limits["fewest"] or bool(other.sum() <= limits["share"] * here.sum())


def _list_answers(instrument: Instrument) -> dict[str, Text]:
    return {
        f'[other_regions] {instrument.id} = "leave_out"': Text.of("findings.REGION_OTHER.leave_out"),
        f'[other_regions] {instrument.id} = "keep"': Text.of("findings.REGION_OTHER.keep"),
    }
