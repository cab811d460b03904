"""The truth behind the made-up clinic: what each therapy would have done for everybody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from outcomes.errors import FactsError
from outcomes.facts import read_facts
from outcomes.synthetic.course import draw_course, follow_scores
from outcomes.synthetic.people import draw_people


def true_effects(
    n: int = 1_000_000, *, seed: int = 20261123, instrument: str = "odi", chunk: int = 50_000
) -> pd.DataFrame:
    """Return the true mean differences between therapies among those in whom the instrument is taken.

    For each of ``n`` made-up patients, ``chunk`` at once, the scores under both therapies are drawn from the
    same noise and written down as they would have been (items rounded and clipped). One row per time point
    and pair of therapies: the mean ``difference`` (group - versus, in the instrument's unit), its Monte Carlo
    error and the patients with both scores.

    >>> effects = true_effects(2_000, seed=1)
    >>> list(effects.columns)
    ['timepoint', 'group', 'versus', 'difference', 'std_error', 'n']
    """
    facts = read_facts("made_up_clinic")
    if instrument not in facts["scores"]:
        raise FactsError(
            f"The made-up clinic knows the truth of {', '.join(facts['scores'])}, not of {instrument!r}."
        )
    pairs = list(combinations(range(len(facts["therapies"])), 2))
    sums = np.zeros((3, len(pairs), len(facts["timepoints"])))
    for number, start in enumerate(range(0, n, chunk)):
        sums += _add_chunk(min(chunk, n - start), seed + number, instrument, pairs)
    return _tabulate_effects(sums, pairs, instrument)


def _add_chunk(n: int, seed: int, instrument: str, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return number, sum and sum of squares of the differences, each pairs x time points."""
    course = draw_course(draw_people(n, seed), seed)
    n_therapies = len(read_facts("made_up_clinic")["therapies"])
    known = ~np.isnan(course.baseline[instrument])
    potential = [follow_scores(course, np.full(n, code), instrument)[known] for code in range(n_therapies)]
    differences = np.stack([potential[group] - potential[versus] for group, versus in pairs])
    both = ~np.isnan(differences)
    return np.stack([both.sum(axis=1), np.nansum(differences, axis=1), np.nansum(differences**2, axis=1)])


def _tabulate_effects(sums: np.ndarray, pairs: list[tuple[int, int]], instrument: str) -> pd.DataFrame:
    facts = read_facts("made_up_clinic")
    taken = facts["scores"][instrument].get("timepoints", facts["timepoints"])
    rows = []
    for visit, timepoint in enumerate(facts["timepoints"]):
        for pair, (group, versus) in enumerate(pairs):
            count, total, squares = sums[:, pair, visit]
            mean = total / count
            error = np.sqrt(max(squares / count - mean**2, 0.0) / count)
            names = (facts["therapies"][group], facts["therapies"][versus])
            rows.append((timepoint, *names, mean, error, int(count)))
    columns = ["timepoint", "group", "versus", "difference", "std_error", "n"]
    table = pd.DataFrame(rows, columns=columns)
    return table.loc[table["timepoint"].isin(taken)].reset_index(drop=True)
