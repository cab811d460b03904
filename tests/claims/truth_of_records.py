"""What the records of a clinic say, worked out with pandas alone: who a page is about, and their scores."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from clinics import DAYS, EXTRACTED, SCALES
from scipy import stats

ALL = "all"
FACTS = resources.files("outcomes.facts")


def read_toml(name: str) -> dict[str, Any]:
    """Read a file of the facts."""
    return tomllib.loads(FACTS.joinpath(f"{name}.toml").read_text(encoding="utf-8"))


KNOWN = read_toml("therapies")
TIMES = {entry["label"]: id for id, entry in read_toml("timepoints").items()}


class Records:
    """The patients of a page and what is recorded of them."""

    def __init__(self, page: Any, outcome: str | None = None, needs_baseline: bool | None = None) -> None:
        self.page, self.clinic, names = page, page.clinic, page.names
        #: Those that were accepted: a row without a therapy is refused, unless the source excludes it.
        episodes = page.clinic.episodes
        declined = episodes["declined"] == "yes" if "declined" in episodes else False
        self.accepted = episodes[episodes["therapy"].notna() | declined]
        self.outcome = outcome or self._find_outcome()
        self.low, self.high, _, self.sign = SCALES[self.outcome]
        self.cohort = names.get("cohort")
        self.primary = self.cohort.primary if self.cohort is not None else self.clinic.primary
        followed = [*self.cohort.timepoints] if self.cohort is not None else [*DAYS]
        self.times = ["baseline", *(time for time in followed if time != "baseline")]
        self.needs_baseline = page.notebook != "therapy_profile" if needs_baseline is None else needs_baseline
        self.asked = names.get("therapies") or ([names["therapy"]] if names.get("therapy") else [])
        self.k = names["page"].k or read_toml("disclosure")["profiles"][self.clinic.profile]["k"]
        self.team = page.audience == "team"

    def _find_outcome(self) -> str:
        asked = self.page.names.get("instrument") or ""
        return next((name for name in self.clinic.outcomes if asked and name.startswith(asked)), None) or (
            self.clinic.outcome
        )

    def scores(self, outcome: str) -> pd.DataFrame:
        """Return the scores of an outcome: one row an episode, one column a time point."""
        held = self.clinic.scores[self.clinic.scores["outcome"] == outcome]
        wide = held.pivot(index="episode_id", columns="time", values="score")
        return wide.reindex(index=self.clinic.episodes["episode_id"], columns=self.times)

    @cached_property
    def observed(self) -> pd.Series:
        """Days over which each episode could be observed."""
        episodes = self.clinic.episodes.set_index("episode_id")
        return (EXTRACTED - pd.to_datetime(episodes["start_date"])).dt.days

    @cached_property
    def steps(self) -> list[tuple[str, list[str]]]:
        """The steps of the selection, each with the episodes that it excludes."""
        episodes = self.accepted.set_index("episode_id")
        wide = self.scores(self.clinic_outcome)
        steps, left = [], set(episodes.index)

        def exclude(name: str, which: pd.Series) -> None:
            gone = [id for id in episodes.index[which.reindex(episodes.index).to_numpy(bool)] if id in left]
            left.difference_update(gone)
            steps.append((name, gone))

        if "declined" in episodes:
            exclude("declined", episodes["declined"] == "yes")
        exclude("no_therapy", episodes["therapy"].isna())
        ordered = episodes.loc[[id for id in episodes.index if id in left]]
        ordered = ordered.sort_values("start_date", kind="stable")
        later = ordered["patient"].duplicated()
        exclude("later_episode", later.reindex(episodes.index, fill_value=False))
        if "sex=female" in self.page.names.get("only", ()):
            exclude("outside_filter", episodes["sex"] != "female")
        if self.asked:
            exclude("other_therapy", ~episodes["therapy"].isin(self.asked))
        closes = pd.Series({time: DAYS[time][1] for time in self.times[1:]})
        waiting = pd.DataFrame(
            {time: (closes[time] > self.observed) & wide[time].isna() for time in self.times[1:]}
        )
        exclude("no_visit_due", waiting.all(axis=1))
        regions = read_toml(f"instruments/{self.clinic_outcome.split(':')[0]}").get("regions", [])
        if (
            self.needs_baseline
            and regions
            and "region" in episodes
            and "other_regions" not in self.clinic.more
        ):
            other = episodes["region"].notna() & ~episodes["region"].isin([*regions, "other"])
            exclude("not_asked", other & wide.isna().all(axis=1).reindex(episodes.index))
        if self.needs_baseline and self.clinic_outcome != "pgic7":
            exclude("no_baseline", wide["baseline"].isna())
        return steps

    @property
    def clinic_outcome(self) -> str:
        """The outcome by which patients are chosen."""
        return self._find_outcome()

    @cached_property
    def kept(self) -> pd.DataFrame:
        """The episodes that a page is about."""
        gone = {id for _, ids in self.steps for id in ids}
        episodes = self.accepted.set_index("episode_id")
        return episodes[~episodes.index.isin(gone)]

    @cached_property
    def wide(self) -> pd.DataFrame:
        """Scores of the kept episodes."""
        return self.scores(self.outcome).loc[self.kept.index]

    def list_therapies(self, group: str) -> list[str]:
        """Return the therapies that a group stands for."""
        present = list(self.kept["therapy"].unique())
        if group in (ALL, "all_together"):
            return present
        if group.endswith("_together"):
            kind = group.removesuffix("_together")
            return [id for id in present if KNOWN[id]["group"] == kind]
        return [group] if group in present else []

    @property
    def groups(self) -> list[str]:
        """The groups of a page: its therapies, merged where it merges them."""
        return list(self.cohort.therapies)

    def of(self, group: str) -> pd.Index:
        """Return the episodes of a group."""
        return self.kept.index[self.kept["therapy"].isin(self.list_therapies(group))]

    def began(self, group: str) -> pd.Index:
        """Return the episodes of a group with a score at the start; all of a measure that has none there."""
        start = self.wide.loc[self.of(group), "baseline"]
        return start.index[start.notna() | self.wide["baseline"].isna().all()]

    def score(self, group: str, time: str) -> pd.Series:
        """Return the scores of those of a group who were seen at a time."""
        return self.wide.loc[self.of(group), time].dropna()

    def gain(self, group: str, time: str) -> pd.Series:
        """Return the improvement of those of a group who have both scores; positive is better."""
        both = self.wide.loc[self.of(group), ["baseline", time]].dropna()
        if time == "baseline":
            return pd.Series(dtype=float)
        return self.sign * (both[time] - both["baseline"])

    def expect(self, members: pd.Index, time: str) -> dict[str, float]:
        """Return what those of some episodes who began had at the start, and are expected to have later.

        The later mean lies on the line through those seen, at the mean start of all.
        """
        both = self.wide.loc[members, list(dict.fromkeys(["baseline", time]))]
        start, seen = both["baseline"].dropna(), both.dropna()
        found = {"start": start.mean(), "n": len(seen), "later": np.nan, "gain": np.nan}
        if len(seen) == len(start) and len(seen) > 1:
            found["later"] = seen[time].mean()
        elif len(seen) >= 5 and np.ptp(seen["baseline"]) > 0:
            slope, level = np.polyfit(seen["baseline"], seen[time], 1)
            found["later"] = level + slope * found["start"]
        if not self.low <= found["later"] <= self.high:
            found["later"] = np.nan
        found["gain"] = self.sign * (found["later"] - found["start"])
        if np.isnan(found["gain"]):
            return found | {"low": np.nan, "high": np.nan}
        half = _measure_margin(start.to_numpy(), seen["baseline"].to_numpy(), seen[time].to_numpy())
        return found | {"low": found["gain"] - half, "high": found["gain"] + half}

    def is_due(self, group: str, time: str) -> pd.Series:
        """Return who of a group was due at a time: its window has closed."""
        members = self.began(group)
        if time == "baseline":
            return pd.Series(True, index=members)
        closed = DAYS[time][1] <= self.observed.loc[members]
        return closed

    def is_seen(self, group: str, time: str) -> pd.Series:
        """Return who of a group has a score at a time."""
        return self.wide.loc[self.began(group), time].notna()

    def is_improved(self, group: str, level: str, worse: bool = False) -> pd.Series:
        """Return who of those with both scores improved, or got worse, by a rule; NaN where not defined."""
        time = self.primary
        both = self.wide.loc[self.of(group), ["baseline", time]].dropna()
        rule = self.read_rule(level)
        gain = self.sign * (both[time] - both["baseline"]) * (-1 if worse else 1)
        if rule["rule"] == "absolute":
            return (gain >= rule["value"] - 1e-9).astype(float)
        if rule["rule"] == "state":
            op = {"<=": np.less_equal, ">=": np.greater_equal}[rule["comparison"]]
            return pd.Series(op(both[time], rule["value"]), index=both.index).astype(float)
        base = both["baseline"]
        room = base if rule["rule"] == "percent" else (self.high - base if self.sign > 0 else base - self.low)
        reached = gain >= rule["value"] / 100 * room - 1e-9
        return reached.astype(float).where(room > 0)

    def read_rule(self, level: str) -> dict[str, Any]:
        """Return a threshold of the measure by its id."""
        id = self.outcome.split(":")[0]
        for entry in read_toml(f"instruments/{id}")["thresholds"]:
            if entry["id"] == level:
                return entry
        raise KeyError(level)

    # --- differences at the start --------------------------------------------------------------------

    def find_smd(self, first: str, second: str, column: str) -> float:
        """Return the standardised difference of two groups at the start, among those recorded."""
        return measure_smd([self._take(group, column) for group in (first, second)])

    def share_as_far_apart(self, column: str) -> float:
        """Return which share of random allotments has as large a largest difference as was found."""
        held = [self._take(group, column) for group in self.groups]
        pooled, ends = pd.concat(held).to_numpy(), np.cumsum([len(values) for values in held])[:-1]
        random, found = np.random.default_rng(1), find_largest_smd(held)
        drawn = [
            find_largest_smd([pd.Series(part) for part in np.split(random.permutation(pooled), ends)])
            for _ in range(400)
        ]
        return float(np.mean(np.array(drawn) >= found - 1e-9))

    def _take(self, group: str, column: str) -> pd.Series:
        members = self.of(group)
        values = self.wide["baseline"] if column == "score" else self.kept[column]
        return values.loc[members].dropna()

    @cached_property
    def failed(self) -> dict[tuple[str, str], float]:
        """What was found by each check that fails: seen, share of those due, difference at the start."""
        limits = read_toml("comparability")
        time, groups, failed = self.primary, self.groups, {}
        for group in groups:
            due = self.is_due(group, time)
            seen = self.is_seen(group, time)
            # of the others of a time point that has not closed it is not known yet who will be seen
            if seen.sum() < limits["n_seen"]["at_least"]:
                failed["n_seen", group] = float(seen.sum())
            share = (seen & due).sum() / max(due.sum(), 1)
            if share < limits["share_seen"]["at_least"]:
                failed["share_seen", group] = share
        for column in ("score", *self.clinic.covariates):
            worst = max(
                (abs(self.find_smd(a, b, column)) for i, a in enumerate(groups) for b in groups[i + 1 :]),
                default=0.0,
            )
            if worst > limits["smd"]["at_most"]:
                failed["smd", column] = worst
        return failed


def measure_smd(held: list[pd.Series]) -> float:
    """Return the standardised difference of two groups of values, a category by its shares."""
    if held[0].dtype == object or held[0].dtype.kind not in "fi":
        shares = [values.value_counts(normalize=True) for values in held]
        levels = sorted(set(shares[0].index) | set(shares[1].index))
        one, two = (share.reindex(levels, fill_value=0.0).to_numpy()[1:] for share in shares)
        if not len(one):
            return 0.0
        spread = [np.diag(p) - np.outer(p, p) for p in (one, two)]
        pooled = (spread[0] + spread[1]) / 2
        return float(np.sqrt((one - two) @ np.linalg.pinv(pooled) @ (one - two)))
    spread = (held[0].var(ddof=1) + held[1].var(ddof=1)) / 2
    return float((held[0].mean() - held[1].mean()) / np.sqrt(spread))


def find_largest_smd(held: list[pd.Series]) -> float:
    return max(abs(measure_smd([a, b])) for i, a in enumerate(held) for b in held[i + 1 :])


# --- numbers as they are written -----------------------------------------------------------------


def _measure_margin(start: np.ndarray, first: np.ndarray, later: np.ndarray) -> float:
    """Return half the width of the 95 % interval of an improvement: each patient's pull on it, squared."""
    if len(first) == len(start):
        gain = later - first
        return stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
    design = np.column_stack([np.ones(len(first)), first])
    inverse = np.linalg.inv(design.T @ design)
    slope, level = np.polyfit(first, later, 1)
    leverage = ((design @ inverse) * design).sum(axis=1)
    pull = (design @ inverse @ [1, start.mean()]) * (later - level - slope * first) / np.sqrt(1 - leverage)
    own = (1 - slope) * (start - start.mean()) / len(start)
    place = {value: [*np.flatnonzero(start == value)] for value in np.unique(start)}
    for value, one in zip(first, pull, strict=True):
        own[place[value].pop()] -= one
    n = len(start)
    return stats.t.ppf(0.975, len(first) - 2) * np.sqrt(n / (n - 1) * (own**2).sum())


def read_number(text: str) -> float | None:
    """Return a number as it is written, a percentage as a share; None where it is none."""
    text = text.replace("**", "").replace("−", "-").strip().rstrip("†").strip()
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)( %)?", text)
    if not match:
        return None
    return float(match[1]) / (100 if match[2] else 1)


def agrees(text: str, value: float, team: bool, n: float = np.inf, counted: bool = False) -> bool:
    """Return whether a number as it is written can be the rounded true one, of `n` patients.

    `counted` says that a percentage is made of counts that were rounded to fives before.
    """
    told = read_number(text)
    if told is None:
        return True  # withheld, or a bound, which is judged as such
    if pd.isna(value):
        return False
    if text.replace("**", "").rstrip("†").endswith("%"):
        step = 0.001 if team else (0.1 if n < 50 else 0.05 if n < 100 else 0.01)
        step += 10 / n if counted and not team else 0
    else:
        decimals = len(text.replace("**", "").rstrip("†").partition(".")[2])
        step = 10.0**-decimals
    return abs(told - value) <= step / 2 + 1e-6


def counts(text: str, value: float, team: bool) -> bool:
    """Return whether a count as it is written can be the true one: exact for the team, else to fives."""
    told = read_number(str(text))
    return told is None or abs(told - value) <= (0 if team else 2.5)
