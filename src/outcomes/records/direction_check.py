"""Sites whose scores move against all others, as a reversed scale would."""

from __future__ import annotations

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.assessments import Assessments
from outcomes.records.problems import Problems

#: A mean change counts as a direction when it is this many standard errors from none.
_CLEAR = 3.0


def note_reversed_sites(
    scores: Assessments,
    is_baseline: np.ndarray,
    is_follow_up: np.ndarray,
    site: np.ndarray,
    n_sites: int,
    problems: Problems,
) -> None:
    """Name sites whose mean change of an instrument has the opposite sign of every other site's.

    The change is from an episode's first baseline to its mean follow-up score. Needs three sites, or two of which one is
    the larger; a site counts with enough pairs and a mean change clearly different from none.
    """
    if n_sites < 2:
        return
    fewest = read_facts("checks")["direction"]["fewest"]
    for number in range(len(scores.measures)):
        here = (scores.measure == number) & ~np.isnan(scores.score)
        change, where = _measure_change(scores, here & is_baseline, here & is_follow_up, site)
        sign, count = np.zeros(n_sites), np.zeros(n_sites, dtype=int)
        for code in np.unique(where):
            values = change[where == code]
            count[code] = len(values)
            if (
                len(values) >= fewest
                and abs(values.mean()) > _CLEAR * max(values.std(ddof=1), 1e-12) / len(values) ** 0.5
            ):
                sign[code] = np.sign(values.mean())
        _note_odd_sign(scores, here, site, sign, count, number, problems)


def _measure_change(
    scores: Assessments, baseline: np.ndarray, follow_up: np.ndarray, site: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the change of each episode that has both, and its site."""
    n_episodes = int(scores.episode.max(initial=-1)) + 1
    start = np.full(n_episodes, np.nan)
    start[scores.episode[baseline][::-1]] = scores.score[baseline][::-1]
    count = np.bincount(scores.episode[follow_up], minlength=n_episodes)
    total = np.bincount(scores.episode[follow_up], weights=scores.score[follow_up], minlength=n_episodes)
    home = np.zeros(n_episodes, dtype=np.int64)
    home[scores.episode] = site
    both = (count > 0) & ~np.isnan(start)
    return total[both] / count[both] - start[both], home[both]


def _note_odd_sign(
    scores: Assessments,
    here: np.ndarray,
    site: np.ndarray,
    sign: np.ndarray,
    count: np.ndarray,
    number: int,
    problems: Problems,
) -> None:
    for code in np.flatnonzero(sign):
        others = sign[(sign != 0) & (np.arange(len(sign)) != code)]
        if (
            not len(others)
            or (others == sign[code]).any()
            or (len(others) == 1 and count[code] > count.sum() / 2)
        ):
            continue
        chosen = here & (site == code)
        for position, column in enumerate(scores.columns):
            problems.note(
                "SCORE_DIRECTION_SUSPECT", "accept_with_warning",
                f"the {scores.measures[number].instrument.short_name} moves at one site against all others; perhaps its scale is reversed",
                scores.record[chosen & (scores.column == position)], column=column.header,
            )  # fmt: skip
