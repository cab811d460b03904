"""What a reader who knows how these pages are made concludes from the rows of one or more of them.

Numbers are named by what they count: ``("due", outcome, group, time)``. The facts are those of any cohort:
seen and not seen make up those due, groups make up all, whoever improved was seen, a flow loses what it
excludes, the sum of scores of all is that of the groups.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from bounding import Knowledge
from published import Fact
from scipy import special

ALL = "all"
#: Marks the measures of a page whose patients need no score at the start: another cohort.
ANY = "*"
#: Lowest and highest score of the measures whose sums are followed.
RANGES = {
    "odi": (0, 100), "nprs:average": (0, 10), "sorensen_s": (0, 300), "eq5d_5l:taiwan": (-1.1, 1),
    "mmst_cm": (0, 15),
}  # fmt: skip
_BANDS = ((0, 50, 60, 70, 80, 90, 100), (0, 60, 80, 100), (0, 60, 100), (0, 50, 100))
_Z = float(special.ndtri(0.975))
#: So near, as a share of the range, a mean expected of all who began is taken to be to that of those seen.
_NEAR = 0.1


def conclude(facts: Iterable[Fact], k: int, *, multiple: int = 5, means: bool = True) -> Knowledge:
    """Put together all that the rows say and imply.

    Parameters
    ----------
    facts : iterable of Fact
        Of all pages that the attacker has of the same records.
    k : int
        As printed on the page.
    multiple : int
        Of counts.
    means : bool
        Whether sums of scores are followed too.
    """
    return _Reader(list(facts), k, multiple, means).read()


class _Reader:
    def __init__(self, facts: list[Fact], k: int, multiple: int, means: bool) -> None:
        self.facts, self.k, self.multiple, self.means = facts, k, multiple, means
        self.known = Knowledge()
        self.groups: dict[tuple[str, str], set[str]] = defaultdict(set)

    def read(self) -> Knowledge:
        seen = set()
        for fact in self.facts:
            signature = (fact.key, fact.estimate, fact.conf_low, fact.conf_high, fact.n, fact.display)
            if repr(signature) in seen:
                continue
            seen.add(repr(signature))
            read = getattr(self, f"_read_{fact.statistic}", None)
            if read:
                read(fact)
        self._relate()
        return self.known

    # What a rounded number means

    def _count(self, name: tuple, value: float, least: int | None = None) -> None:
        """A shown count: a multiple of 5, and k at least unless it is none."""
        self.known.number(name)
        if math.isnan(value):
            return
        half = self.multiple / 2
        low, high = math.ceil(value - half), math.ceil(value + half) - 1
        if value > 0:
            low = max(low, self.k if least is None else least)
        # A shown zero is a true zero: fewer than k would have been withheld.
        self.known.number(name, low, high if value > 0 else 0)

    def _share(self, fact: Fact, part: tuple, whole: tuple) -> None:
        """A shown share: every pair of numbers that gives its three roundings is possible."""
        self._count(whole, fact.n)
        self.known.fact({whole: 1, part: -1}, 0, source="part of a whole")
        if fact.few is not None:
            self.known.number(part, 0, fact.few - 1)
            return
        if fact.all_but is not None:
            self.known.fact({whole: 1, part: -1}, 0, fact.all_but - 1, "all but few")
            return
        if math.isnan(fact.estimate) or math.isnan(fact.n):
            self.known.number(part)
            return
        place = self.known.place[whole]
        pairs = [
            (with_, n)
            for n in range(int(self.known.low[place]), int(min(self.known.high[place], fact.n + 3)) + 1)
            for with_ in range(n + 1)
            if all(side == 0 or side >= self.k for side in (with_, n - with_)) and self._gives(with_, n, fact)
        ]
        if not pairs:
            self.known.number(part)
            return
        self.known.number(part, min(w for w, _ in pairs), max(w for w, _ in pairs))
        self.known.number(whole, min(n for _, n in pairs), max(n for _, n in pairs))
        ratios = [w / n for w, n in pairs]
        self.known.fact({part: 1, whole: -min(ratios)}, 0 - 1e-9, source="share")
        self.known.fact({part: 1, whole: -max(ratios)}, high=1e-9, source="share")
        rest = [n - w for w, n in pairs]
        self.known.fact({whole: 1, part: -1}, min(rest), max(rest), source="rest of a share")

    def _gives(self, with_: int, n: int, fact: Fact) -> bool:
        share = with_ / n
        if not self._rounds(share, n, fact.estimate):
            return False
        if not math.isnan(fact.conf_low):
            centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
            margin = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
            if not self._rounds(max(0.0, centre - margin), n, fact.conf_low):
                return False
            if not self._rounds(min(1.0, centre + margin), n, fact.conf_high):
                return False
        return True

    @staticmethod
    def _rounds(share: float, n: int, shown: float) -> bool:
        step = 10 if n < 50 else 5 if n < 100 else 1
        percent = round(shown * 100)
        return percent % step == 0 and abs(share * 100 - percent) <= step / 2 + 1e-9

    def _sum(self, name: tuple, n: tuple, mean: float, half: float) -> None:
        """A shown mean: the sum of scores lies within its rounding times the number of patients."""
        if not self.means:
            return
        self.known.number(name, -math.inf, whole=False)
        if not math.isnan(mean):
            self.known.fact({name: 1, n: -(mean - half)}, 0 - 1e-9, source="mean")
            self.known.fact({name: 1, n: -(mean + half)}, high=1e-9, source="mean")

    # Rows by their statistic

    def _read_n(self, fact: Fact) -> None:
        self._group(fact)
        if fact.group in ("seen", "not_seen"):
            self._count(("responding", fact.outcome, fact.group, fact.timepoint), fact.estimate)
        else:
            self._count(_name_cohort(fact.outcome, fact.group), fact.estimate)

    def _read_n_missing(self, fact: Fact) -> None:
        self._count(("unknown", fact.outcome, fact.group, fact.timepoint, fact.term), fact.estimate)

    def _read_share(self, fact: Fact) -> None:
        """A level of a category at the start, among those of whom it is known."""
        place = (fact.outcome, fact.group, fact.timepoint, fact.term)
        self._share(fact, ("level", *place, fact.level), ("known", *place))

    def _read_mean(self, fact: Fact) -> None:
        place = (fact.outcome, fact.group, fact.timepoint, fact.term)
        self._count(("known", *place), fact.n)

    def _read_share_seen(self, fact: Fact) -> None:
        if fact.term or fact.level:
            return
        due, seen = (
            ("due", fact.outcome, fact.group, fact.timepoint),
            ("met", fact.outcome, fact.group, fact.timepoint),
        )
        self._group(fact)
        self._count(due, fact.n)
        self.known.number(seen)
        self.known.fact({due: 1, seen: -1}, 0, source="seen of those due")
        if not fact.withheld:
            low, high = fact.band
            self._size_by_band(due, low, high)
            self.known.fact({seen: 1, due: -low}, 0, source="band")
            # the upper edge of a band belongs to the next one, except the last
            self.known.fact({seen: 1, due: -high}, high=0 if high == 1 else -1e-6, source="band")

    def _size_by_band(self, due: tuple, low: float, high: float) -> None:
        """How wide a band is tells how many patients there are: the finest bands of k patients are used."""
        sizes = []
        for edges, finer in zip(_BANDS, (None, *_BANDS), strict=False):
            if (round(100 * low), round(100 * high)) in pairwise(edges):
                sizes.append((_least(edges, self.k), _least(finer, self.k) - 1 if finer else math.inf))
        if sizes:
            self.known.number(due, min(size[0] for size in sizes), max(size[1] for size in sizes))

    def _read_mean_score(self, fact: Fact) -> None:
        if fact.term:
            return
        self._group(fact)
        self._measure(fact, "scored", "sum of score")

    def _read_mean_expected(self, fact: Fact) -> None:
        self._group(fact)
        self._measure(fact, "scored", "sum of score", _NEAR)

    def _read_mean_improvement(self, fact: Fact) -> None:
        # a table of domains names the domain as the level
        if not fact.term:
            self._group(fact)
            self._measure(fact, "gained", "sum of improvement", _NEAR)

    def _measure(self, fact: Fact, counted: str, summed: str, near: float = 0.0) -> None:
        """Take a mean for that of the patients counted, which a model's mean of more patients is nearly."""
        place = (fact.outcome, fact.group, fact.timepoint)
        low, high = RANGES.get(fact.outcome.removesuffix(ANY), (0.0, 0.0))
        half = (0.005 if fact.outcome.startswith("eq5d") else 0.05) + near * (high - low)
        self._count((counted, *place), fact.n)
        self._sum((summed, *place), (counted, *place), fact.estimate, half)

    def _read_share_improved(self, fact: Fact) -> None:
        self._read_responders(fact, "improved")

    def _read_share_worse(self, fact: Fact) -> None:
        self._read_responders(fact, "worse")

    def _read_share_in_state(self, fact: Fact) -> None:
        if fact.term == "start":
            self._group(fact)
            place = (fact.outcome, fact.group, fact.timepoint)
            self._share(fact, ("in_state", *place, fact.level, fact.term), ("scored", *place))
        else:
            self._read_responders(fact, "in_state")

    def _read_responders(self, fact: Fact, what: str) -> None:
        place = (fact.outcome, fact.group, fact.timepoint)
        self._group(fact)
        if fact.term == "seen":
            whole = ("answered", *place, fact.level)
            self.known.fact({("gained", *place): 1, whole: -1}, 0, source="answered of those scored")
            if _is_absolute(fact):
                self.known.equal({("gained", *place): 1, whole: -1}, "all scored answer")
        else:
            whole = ("due", *place)
        self._share(fact, (what, *place, fact.level, fact.term), whole)

    def _read_share_improved_by(self, fact: Fact) -> None:
        place = (fact.outcome, fact.group, fact.timepoint)
        self._share(fact, ("by", *place, fact.x), ("gained", *place))

    def _read_n_recorded(self, fact: Fact) -> None:
        self._group(fact)
        self._count(("recorded", fact.outcome, fact.group, fact.term), fact.estimate)

    def _flow(self, fact: Fact, name: str, counted: str) -> None:
        self._count((name, fact.outcome, fact.term), fact.estimate)
        # the patients behind a row stand beside it
        self._count((counted, fact.outcome, fact.term), fact.n)

    def _read_n_patients(self, fact: Fact) -> None:
        if fact.term:
            self._flow(fact, "left", "left")

    def _read_n_episodes(self, fact: Fact) -> None:
        if fact.term:
            self._flow(fact, "episodes left", "left")

    def _read_n_excluded_patients(self, fact: Fact) -> None:
        self._flow(fact, "gone", "gone")

    def _read_n_excluded_episodes(self, fact: Fact) -> None:
        self._flow(fact, "episodes gone", "touched")

    def _group(self, fact: Fact) -> None:
        if fact.group not in (ALL, "seen", "not_seen", ""):
            self.groups[fact.outcome, fact.view].add(fact.group)

    # What holds among them

    def _relate(self) -> None:
        names = list(self.known.place)
        self._add_over_groups(names)
        self._add_over_levels(names)
        self._follow_visits(names)
        self._follow_flow(names)
        self._bound_sums()

    def _add_over_groups(self, names: list[tuple]) -> None:
        """All is the sum of the groups, where every group has a row of its own."""
        families: dict[tuple, dict[str, tuple]] = defaultdict(dict)
        for name in names:
            if len(name) > 2 and name[0] not in ("left", "gone", "episodes left", "episodes gone", "touched"):
                families[(name[0], name[1], *name[3:])][name[2]] = name
        for key, members in families.items():
            for groups in self._list_partitions(key[1]):
                if ALL in members and groups <= set(members):
                    terms = {members[ALL]: 1.0, **{members[group]: -1.0 for group in groups}}
                    self.known.equal(terms, f"groups of {key[0]}")

    def _list_partitions(self, outcome: str) -> list[set[str]]:
        """Return the groups that make up all patients, such as therapies, or sites.

        A table may leave some of them out: those that share groups are of one kind.
        """
        kinds: list[set[str]] = []
        for (of, _), groups in self.groups.items():
            if of == outcome:
                alike = [kind for kind in kinds if kind & groups]
                kinds = [kind for kind in kinds if not kind & groups] + [groups.union(*alike)]
        return kinds

    def _add_over_levels(self, names: list[tuple]) -> None:
        levels: dict[tuple, set[str]] = defaultdict(set)
        printed = dict.fromkeys(name[1:5] for name in names if name[0] == "level")
        for name in names:
            if name[0] == "level":
                levels[name[1], name[4]].add(name[5])
        for place in printed:
            # a level may be left out of one group that stands in another: its number is unknown, not none
            every = levels[place[0], place[3]]
            if len(every) > 1:
                parts = [("level", *place, level) for level in sorted(every)]
                self.known.equal({("known", *place): 1, **dict.fromkeys(parts, -1.0)}, "levels")
        names = list(self.known.place)
        for name in names:
            if name[0] == "known":
                outcome, group, time, term = name[1:]
                kind = _name_cohort(outcome, group)
                if group in ("seen", "not_seen"):
                    kind = ("responding", outcome, group, time)
                missing = ("unknown", outcome, group, time, term)
                if missing in self.known.place:
                    self.known.equal({kind: 1, name: -1, missing: -1}, "known and unknown")
        # those followed up and those not are those due, of the whole cohort
        for name in names:
            if name[0] == "level" and name[2] == "seen":
                _, outcome, _, time, term, level = name
                other = ("level", outcome, "not_seen", time, term, level)
                start = next((n for n in names if n[0] == "level" and n[1] == outcome and n[2] == ALL
                              and n[4:] == (term, level)), None)  # fmt: skip
                if start and other in self.known.place:
                    self.known.fact({start: 1, name: -1, other: -1}, 0, source="level of those due")
                    due, cohort = ("due", outcome, ALL, time), _name_cohort(outcome, ALL)
                    late = {cohort: 1, due: -1, start: -1, name: 1, other: 1}
                    self.known.fact(late, 0, source="level of those not due")

    def _follow_visits(self, names: list[tuple]) -> None:
        for kind, outcome, group, time in [name for name in names if name[0] in ("due", "scored", "gained")]:
            cohort = _name_cohort(outcome, group)
            number, began = (kind, outcome, group, time), ("scored", outcome, group, "baseline")
            if time == "baseline" and not outcome.endswith(ANY):
                self.known.equal({cohort: 1, number: -1}, "the start")
            else:
                self.known.fact({cohort: 1, number: -1}, 0, source="of the cohort")
            if kind == "due" and began in self.known.place:
                # due are those who began: who has no score of the measure at the start is not counted
                most = 0 if time == "baseline" else math.inf
                self.known.fact({began: 1, number: -1}, 0, most, "due of those who began")
            if kind == "gained":
                scored = {("scored", outcome, group, time): 1, ("gained", outcome, group, time): -1}
                self.known.fact(scored, 0, 0 if not outcome.endswith(ANY) else math.inf, "score at the start")
        for name in names:
            if name[0] == "met":
                place = name[1:]
                scored, cohort, due = ("scored", *place), _name_cohort(*place[:2]), ("due", *place)
                # seen before the time point has closed: not due yet, and in the means all the same
                self.known.fact({scored: 1, name: -1}, 0, source="met")
                self.known.fact({cohort: 1, due: -1, scored: -1, name: 1}, 0, source="met early")
        for name in names:
            if name[0] == "responding":
                _, outcome, group, time = name
                met, due = ("met", outcome, ALL, time), ("due", outcome, ALL, time)
                if group == "seen":
                    self.known.equal({met: 1, name: -1}, "respondents")
                else:
                    self.known.equal({due: 1, met: -1, name: -1}, "not respondents")
        for name in names:
            if name[0] in ("improved", "worse") and name[-1] == "seen":
                due = (*name[:-1], "due")
                if due in self.known.place:
                    outcome, group, time = name[1:4]
                    self.known.fact({name: 1, due: -1}, 0, source="improved and due")
                    met, scored = ("met", outcome, group, time), ("scored", outcome, group, time)
                    self.known.fact({scored: 1, met: -1, name: -1, due: 1}, 0, source="improved early")
            if name[0] == "improved":
                worse = ("worse", *name[1:])
                whole = ("answered", *name[1:5]) if name[-1] == "seen" else ("due", *name[1:4])
                if worse in self.known.place:
                    self.known.fact({whole: 1, name: -1, worse: -1}, 0, source="improved or worse")
        curves: dict[tuple, list[tuple]] = defaultdict(list)
        for name in names:
            if name[0] == "by":
                curves[name[1:4]].append(name)
        for points in curves.values():
            ordered = sorted(points, key=lambda point: point[4])
            for less, more in pairwise(ordered):
                self.known.fact({less: 1, more: -1}, 0, source="curve")

    def _follow_flow(self, names: list[tuple]) -> None:
        for outcome in dict.fromkeys(name[1] for name in names if name[0] in ("left", "gone")):
            steps = list(
                dict.fromkeys(
                    fact.term
                    for fact in self.facts
                    if fact.outcome == outcome
                    and fact.statistic in ("n_patients", "n_excluded_patients")
                    and fact.term
                )
            )
            for before, step in pairwise(steps):
                for left, gone in (("left", "gone"), ("episodes left", "episodes gone")):
                    self.known.equal(
                        {(left, outcome, before): 1, (gone, outcome, step): -1, (left, outcome, step): -1},
                        "flow",
                    )
                gone, touched = ("gone", outcome, step), ("touched", outcome, step)
                self.known.fact({touched: 1, gone: -1}, 0, source="touched")
                self.known.fact({("episodes gone", outcome, step): 1, touched: -1}, 0, source="touched")
            for step in steps:
                self.known.fact(
                    {("episodes left", outcome, step): 1, ("left", outcome, step): -1}, 0, source="episodes"
                )
            last = _name_cohort(outcome, ALL)
            if steps and last in self.known.place:
                self.known.equal({("left", outcome, steps[-1]): 1, last: -1}, "the flow ends in the cohort")

    def _bound_sums(self) -> None:
        for name in list(self.known.place):
            if str(name[0]).startswith("sum of") and name[1].removesuffix(ANY) in RANGES:
                low, high = RANGES[name[1].removesuffix(ANY)]
                if name[0] == "sum of improvement":
                    low, high = low - high, high - low
                counted = ("scored" if name[0] == "sum of score" else "gained", *name[1:])
                self.known.fact({name: 1, counted: -low}, 0, source="range")
                self.known.fact({name: 1, counted: -high}, high=0, source="range")


def _name_cohort(outcome: str, group: str) -> tuple:
    """Name the patients of a group; with any measure where no score at the start is needed."""
    return ("cohort", ANY if outcome.endswith(ANY) else outcome, group, "")


def _least(edges: tuple[int, ...], k: int) -> int:
    """Return the smallest group that these bands are for: each is k patients wide, and the lowest holds k."""
    narrowest = min(high - low for low, high in pairwise(edges))
    return max(math.ceil(100 * k / narrowest), 100 * k // edges[1] + 1)


def _is_absolute(fact: Fact) -> bool:
    """Whether a rule is defined for everyone with a score, as that of so many points is."""
    return "absolute" in fact.level
