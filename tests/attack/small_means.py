"""What follows of the mean of a few patients from the means of all others, of wholes, and of other visits.

A mean times its number of patients is a sum, and sums add up: over the groups of a table, over those seen and
those not, over the scores at two visits and the improvement between them. Who attacks does not know whose
score is whose. How many patients a withheld group has he may have been told, or he tries each number of 1 to
k-1: for each of them the mean is linear.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from bounding import Knowledge
from made_pages import Found
from page_knowledge import ALL, ANY, RANGES, conclude
from published import Fact

#: Width, as a share of a measure's range, that the mean of a few patients must keep: the same quarter that a
#: newcomer's score must. The ODI is read in five bands, each a fifth of its range (no, moderate, severe ...):
#: whoever is left with a quarter cannot say in which of them the few are.
LEAST_WIDTH = 0.25
_AGES = (0.0, 120.0)
#: Measures of which a higher score is better, so that the improvement is the later score less the first.
_HIGHER_IS_BETTER = ("sorensen_s", "eq5d_5l:taiwan")
_COUNTED = {"sum of score": "scored", "sum of improvement": "gained", "sum of covariate": "known"}


def conclude_means(facts: Iterable[Fact], k: int) -> Knowledge:
    """Put together what rows say of numbers of patients and of sums, with those of covariates and visits."""
    facts = list(facts)
    known = conclude(facts, k)
    _read_covariates(known, facts)
    _follow_halves(known)
    _follow_visits(known)
    return known


def _read_covariates(known: Knowledge, facts: Iterable[Fact]) -> None:
    families: dict[tuple, dict[str, tuple]] = defaultdict(dict)
    for fact in facts:
        if fact.statistic != "mean":
            continue
        place = (fact.outcome, fact.group, fact.timepoint, fact.term)
        name, counted = ("sum of covariate", *place), ("known", *place)
        known.number(name, -math.inf, whole=False)
        low, high = _find_range(name)
        known.fact({name: 1, counted: -low}, 0, source="range")
        known.fact({name: 1, counted: -high}, high=0, source="range")
        if not math.isnan(fact.estimate):
            known.fact({name: 1, counted: 0.05 - fact.estimate}, -1e-9, source="mean")
            known.fact({name: 1, counted: -0.05 - fact.estimate}, high=1e-9, source="mean")
        families[fact.outcome, fact.timepoint, fact.term, fact.view][fact.group] = name
        same = ("sum of score", *place[:3])
        if fact.term == "score" and fact.timepoint == "baseline" and same in known.place:
            known.equal({name: 1, same: -1}, "the start")
    for (*_, view), members in families.items():
        groups = set(members) - {ALL}
        if ALL in members and len(groups) > 1 and view.startswith("baseline"):
            known.equal(
                {members[ALL]: 1.0, **{members[group]: -1.0 for group in groups}}, "groups of covariates"
            )


def _follow_halves(known: Knowledge) -> None:
    """Those seen, those not seen and those not yet due are all; the last ones' sum lies within the range."""
    for name in list(known.place):
        if name[0] == "sum of covariate" and name[2] == "seen":
            _, outcome, _, time, term = name
            start = ("sum of covariate", outcome, ALL, "baseline", term)
            other = ("sum of covariate", outcome, "not_seen", time, term)
            if start in known.place and other in known.place:
                numbers = {("known", *one[1:]): sign for one, sign in ((start, 1), (name, -1), (other, -1))}
                sums = {start: 1.0, name: -1.0, other: -1.0}
                for sign, edge in zip((1, -1), _find_range(name), strict=True):
                    late = {number: -edge * weight for number, weight in numbers.items()}
                    terms = {one: sign * weight for one, weight in (sums | late).items()}
                    known.fact(terms, 0, source="not yet due")


def _follow_visits(known: Knowledge) -> None:
    """An improvement is the difference of two scores of the same patients, some of those at the start."""
    for name in list(known.place):
        if name[0] != "sum of improvement" or name[1].endswith(ANY):
            continue
        _, outcome, group, time = name
        later, first = ("sum of score", outcome, group, time), ("sum of score", outcome, group, "baseline")
        gained, everyone = ("gained", outcome, group, time), ("scored", outcome, group, "baseline")
        if not {later, first, gained, everyone} <= known.place.keys():
            continue
        start = ("sum at the start", outcome, group, time)
        known.number(start, -math.inf, whole=False)
        sign = -1 if outcome in _HIGHER_IS_BETTER else 1
        known.equal({name: sign, start: -1, later: 1}, "improvement")
        for sign, edge in zip((1, -1), _find_range(first), strict=True):
            known.fact({start: sign, gained: -sign * edge}, 0, source="range")
            known.fact(
                {first: sign, start: -sign, everyone: -sign * edge, gained: sign * edge},
                0,
                source="the others",
            )


def _find_range(name: tuple) -> tuple[float, float]:
    """Return the lowest and the highest value that a patient can have."""
    if name[0] == "sum of covariate" and name[4] != "score":
        return _AGES
    low, high = RANGES[name[1].removesuffix(ANY)]
    return (low - high, high - low) if name[0] == "sum of improvement" else (low, high)


def attack_means(known: Knowledge, truth: Mapping, k: int, *, told: bool = True) -> tuple[list[Found], int]:
    """Attack the mean of every group of 1 to k-1 patients; return what was found out and how many were tried.

    Parameters
    ----------
    known : Knowledge
        Of `conclude_means`.
    truth : mapping
        True numbers by name, to choose the groups and to judge by.
    k : int
    told : bool
        Whether somebody told the attacker how many patients the group has; else he tries 1 to k-1, and what
        he is left with is wider.
    """
    found, n_tried = [], 0
    for top, bottom, n, total in [*_list_small(known, truth, k), *_add_rests(known, truth, k)]:
        n_tried += 1
        lowest, highest = _find_range(top)
        enough = LEAST_WIDTH * (highest - lowest)
        values = [int(n)] if told else range(1, k)
        low, high = known.bound_quotient(top, bottom, values, enough)
        if high - low < enough:
            low, high = known.bound_quotient(top, bottom, values, enough, presolve=False)
        if high - low < enough:
            found.append(Found(top, total / n, low, high))
    return found, n_tried


def _list_small(known: Knowledge, truth: Mapping, k: int) -> Iterator[tuple[tuple, tuple, float, float]]:
    """Yield sums over 1 to k-1 patients, with the number of patients, and both as they truly are."""
    for name in known.place:
        if name[0] in _COUNTED and (name[0] == "sum of covariate" or name[1].removesuffix(ANY) in RANGES):
            counted = (_COUNTED[name[0]], *name[1:])
            if 0 < truth.get(counted, 0) < k:
                yield name, counted, truth[counted], truth.get(name, math.nan)


def _add_rests(known: Knowledge, truth: Mapping, k: int) -> list[tuple[tuple, tuple, float, float]]:
    """Add what several small groups of a table are together, where that is fewer than k patients too."""
    together: dict[tuple, list[tuple]] = defaultdict(list)
    for entry in _list_small(known, truth, k):
        if entry[0][2] not in (ALL, "seen", "not_seen"):
            together[entry[0][0], entry[0][1], *entry[0][3:]].append(entry)
    rests = []
    for key, entries in together.items():
        n, total = (sum(entry[i] for entry in entries) for i in (2, 3))
        if len(entries) > 1 and n < k:
            top, bottom = ((key[0] + mark, key[1], "few", *key[2:]) for mark in ("", ", their number"))
            known.number(top, -math.inf, whole=False)
            known.equal({top: 1, **{entry[0]: -1.0 for entry in entries}})
            known.equal({bottom: 1, **{entry[1]: -1.0 for entry in entries}})
            rests.append((top, bottom, n, total))
    return rests
