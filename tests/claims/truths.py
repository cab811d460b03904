"""What makes each sentence true, worked out from the records; a key without an entry has no truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pages import Page, Said
from truth_of_records import ALL, KNOWN, TIMES, Records, agrees, counts, read_number, read_toml

Truth = Callable[["Place"], bool]
TRUTHS: dict[str, Truth] = {}
#: Behind a number of an earlier edition.
MARK = "†"
#: Units of counts, which may be zero.
#: Statistics without a number of patients' own: findings, and how many sites there are.
FINDINGS = ("n_sites", "verdict", "position", "signal")
COUNTED = ("patients", "episodes", "records", "assessments")
LIMITS, MONITORING = read_toml("comparability"), read_toml("monitoring")


def truth(*keys: str) -> Callable[[Truth], Truth]:
    """Register what makes a text of these keys true; ``*`` at the end stands for any rest."""

    def register(function: Truth) -> Truth:
        TRUTHS.update(dict.fromkeys(keys, function))
        return function

    return register


def find_truth(key: str) -> Truth | None:
    """Return the truth of a key: its own, else that of the longest beginning."""
    if key in TRUTHS:
        return TRUTHS[key]
    fitting = [name for name in TRUTHS if name.endswith("*") and key.startswith(name[:-1])]
    return TRUTHS[max(fitting, key=len)] if fitting else None


class Place:
    """A text that was said, the page on which it stands, and what the records say."""

    def __init__(self, page: Page, said: Said, records: Records, dated: bool = False) -> None:
        #: `dated` says that numbers with the mark of an earlier edition are those of this page.
        self.page, self.said, self.records, self.dated = page, said, records, dated

    def __getattr__(self, name: str) -> Any:
        """Return what filled a place of the text."""
        if name in self.said.values:
            return self.said.values[name]
        raise AttributeError(name)

    @property
    def team(self) -> bool:
        return self.page.audience == "team"

    @property
    def own(self) -> str:
        """Last part of the key."""
        return self.said.key.rpartition(".")[2]

    @cached_property
    def therapies(self) -> dict[str, str]:
        """Names of the groups of the page to their ids."""
        named = {}
        for id, entry in self.records.cohort.therapies.items():
            for label in (entry.label, entry.short_label, entry.label.split(" (")[0].split(",")[0]):
                named[label.lower()] = id
        return {**named, "all therapies together": ALL, "any therapy": ALL}

    def group(self, text: str) -> str:
        return self.therapies[text.replace("**", "").lower()]

    def time(self, text: object) -> str:
        return TIMES[str(text).lower()]

    def listed_therapies(self, text: str) -> list[str]:
        """Return the names in bold."""
        return re.findall(r"\*\*(.+?)\*\*", text)

    def listed(self, text: str) -> list[str]:
        """Return the parts of "a, b and c"."""
        return re.split(r", | and | or ", text)

    def result(self, analysis: str) -> pd.DataFrame:
        """Return the rows of an analysis before it was released, the numbers of models among them."""
        return self.page.results[analysis].table

    def number(self, analysis: str, **equals: object) -> pd.Series:
        table = self.result(analysis)
        for column, value in equals.items():
            table = table[table[column] == value]
        assert len(table) == 1, (analysis, equals, len(table))
        return table.iloc[0]

    def agrees(self, text: object, value: float, n: float = np.inf) -> bool:
        if MARK in str(text) and not self.dated:
            return True  # of an earlier edition, by whose records it is judged
        counted = self.records.clinic.profile != "standard"
        return agrees(str(text), value, self.team, n, counted)

    def counts(self, text: object, value: float) -> bool:
        return counts(str(text), value, self.team)

    def ran(self, analysis: str) -> bool:
        return analysis in self.page.results

    def released(self, analysis: str) -> pd.DataFrame:
        return self.page.release_of(analysis).table


def is_fixed(place: Place) -> bool:
    """A word or a frame: it says nothing by itself."""
    return bool(place.said.text.strip()) and not re.search(r"\d", place.said.text)


# --- what the records hold, and who is part of a page ---------------------------------------------


@truth("cohort.flow.*")
def step(place: Place) -> bool:
    """A step is named that the selection has."""
    names = {name for name, _ in place.records.steps} | {"read"}
    return place.own in names


@truth("views.flow_both", "views.flow_patients", "views.flow_episodes")
def counted(place: Place) -> bool:
    """Some step removed, or left, that many."""
    episodes = place.records.accepted.set_index("episode_id")["patient"]
    left = set(episodes.index)
    found = [(len(left), episodes.nunique())]
    for _, gone in place.records.steps:
        before = episodes.loc[list(left)].nunique()
        left -= set(gone)
        found += [(len(gone), before - episodes.loc[list(left)].nunique())]
        found += [(len(left), episodes.loc[list(left)].nunique())]
    told = place.said.values
    return any(
        place.counts(told.get("episodes", "x"), n) and place.counts(told.get("patients", "x"), patients)
        for n, patients in found
    )


@truth("views.flow_first", "views.flow_last")
def ends_of_flow(place: Place) -> bool:
    held = place.records.accepted if place.own == "flow_first" else place.records.kept
    patients = re.search(r"(\d+) patients?", place.said.text)
    return patients is None or place.counts(patients[1], held["patient"].nunique())


@truth("views.flow_withheld")
def flow_withheld(place: Place) -> bool:
    held = place.released("flow")
    return not place.team and int(held["shown"].sum()) < len(place.result("flow"))


@truth("views.flow_alt", "views.flow_caption", "sentences.excluded")
def flow_whole(place: Place) -> bool:
    """Each exclusion stands in it: that is to say, as many steps as the selection has."""
    return place.ran("flow") and len(place.records.steps) + 1 == len(
        place.result("flow")["term"].dropna().unique()
    )


@truth("cohort.rules.baseline_no_sessions")
def baseline_window(place: Place) -> bool:
    entry = read_toml("timepoints")["baseline"]
    return (place.first, place.last) == (entry["first_day"], entry["last_day"])


@truth("cohort.rules.window")
def window(place: Place) -> bool:
    entry = read_toml("timepoints")[place.time(place.said.text.split(",")[0])]
    return (place.first, place.last) == (entry["first_day"], entry["last_day"])


@truth("cohort.rules.windows")
def windows(place: Place) -> bool:
    told = re.findall(r"(?:; |: )([^,;:]+), days", place.said.text)
    return [place.time(label) for label in told] == place.records.times[1:]


@truth("cohort.rules.episodes_first")
def once(place: Place) -> bool:
    return bool(place.records.kept["patient"].is_unique)


@truth("cohort.rules.therapy", "cohort.rules.time_zero", "cohort.rules.treatment_policy", "cohort.events.*")
def planned(place: Place) -> bool:
    """No event sets a score aside, and the only therapy that is recorded is the planned one."""
    held = place.page.names["records"]
    return len(held.events) == 0 and len(held.sessions) == 0


@truth("cohort.rules.baseline_not_needed")
def without_baseline(place: Place) -> bool:
    return not place.records.needs_baseline


@truth("cohort.rules.covariates_complete", "cohort.rules.covariates_missing", "cohort.rules.no_covariates")
def recorded(place: Place) -> bool:
    declared = list(place.records.clinic.covariates)
    lacking = [name for name in declared if place.records.accepted[name].isna().any()]
    if place.own == "covariates_missing":
        return lacking == place.listed(str(place.names).replace("age", "age_years"))
    return not lacking and bool(declared) == (place.own == "covariates_complete")


@truth("cohort.merged.*", "cohort.rules.merged", "detail.nothing_compared")
def merged(place: Place) -> bool:
    return any(id not in KNOWN for id in place.records.groups)


def count_at(place: Place, therapies: list[str], time: str) -> int:
    """Count the patients of some therapies with a score at a time, and one at the start."""
    held = place.records.kept["therapy"].isin(therapies)
    scores = place.records.scores(place.records.outcome).loc[held[held].index]
    seen = scores[["baseline", time]].notna().all(axis=1)
    return int(seen.sum())


@truth("detail.together")
def together(place: Place) -> bool:
    """Fewer than two of the kinds that were tried had k patients at both times."""
    present = [*place.records.kept["therapy"].unique()]
    time = place.records.page.names["timepoint"] or place.records.clinic.primary
    kinds = {KNOWN[id]["group"] for id in present}
    alone = [
        kind
        for kind in kinds
        if min(
            count_at(place, [id for id in present if KNOWN[id]["group"] == kind], t)
            for t in ("baseline", time)
        ) >= place.k
    ]  # fmt: skip
    return len(alone) < 2 and place.k == place.records.k


@truth("detail.merged")
def merged_kind(place: Place) -> bool:
    kind = next(id for id in place.records.groups if id not in KNOWN).removesuffix("_together")
    parts = [id for id in place.records.kept["therapy"].unique() if KNOWN[id]["group"] == kind]
    time = place.time(place.said.values["time"])
    return min(count_at(place, [id], t) for id in parts for t in ("baseline", time)) < place.k


@truth("detail.times", "detail.times_one", "detail.primary")
def fewer_times(place: Place) -> bool:
    named = re.match(r"(?:Left out: |It tells of .* in place of )(.*?), when", place.said.text)[1]
    present = list(place.records.kept["therapy"].unique())
    whole = Records(place.page)
    whole.times = ["baseline", *(time for time in TIMES.values() if time not in ("baseline",))]
    lacking = []
    for time in (place.time(label) for label in named.split(", ")):
        held = whole.scores(whole.outcome).reindex(place.records.kept.index)
        seen = held[["baseline", time]].notna().all(axis=1)
        sizes = seen.groupby(place.records.kept["therapy"]).sum()
        if place.own == "times":
            lacking.append((sizes < place.k).sum() > len(sizes) / 2)
        else:
            lacking.append(seen.sum() < place.k)
    return all(lacking) and bool(present)


# --- disclosure -----------------------------------------------------------------------------------


def list_released(page: Page) -> list[Any]:
    from outcomes.disclosure import Release

    return [held for held in page.names.values() if isinstance(held, Release)]


@truth("release.rounded")
def rounded(place: Place) -> bool:
    rows = [
        row
        for held in list_released(place.page)
        for row in held.table.itertuples(index=False)
        if row.shown and row.unit in ("patients", "episodes") and row.statistic != "n_sites"
    ]
    return place.multiple == 5 and all(read_number(row.display.split(" ")[0]) % 5 == 0 for row in rows)


@truth("release.profile", "release.profile_alone")
def profile(place: Place) -> bool:
    """At least k patients stand behind every mean and share that is shown."""
    sizes = []
    for held in list_released(place.page):
        for row, sets in zip(held.table.itertuples(index=False), held.backing.support, strict=True):
            if row.shown and row.unit not in COUNTED and row.statistic not in FINDINGS:
                sizes += [len(np.unique(codes)) for name, codes in sets.items()
                          if name in ("all", "group", "versus")]  # fmt: skip
    own = read_toml("disclosure")["profiles"][place.records.clinic.profile]
    asked = place.own == "profile_alone" or (place.source == own["source"] and place.k >= own["k"])
    return asked and place.k == place.records.k and min(sizes, default=place.k) >= place.k


@truth("release.k_lower", "release.k_higher")
def other_k(place: Place) -> bool:
    usual = read_toml("disclosure")["profiles"][place.records.clinic.profile]["k"]
    asked = place.page.names["k"]
    return (place.k, place.usual) == (asked, usual) and (asked < usual) == (place.own == "k_lower")


@truth("release.league_note")
def league(place: Place) -> bool:
    """Not every site can be shown, by the declared numbers."""
    rules = read_toml("disclosure")["league"]
    right = (int(place.sites), int(place.n)) == (
        rules["sites_at_least"],
        max(rules["n_at_least"], place.records.k),
    )
    return right and not place.team


@truth("release.withheld_note", "release.withheld", "release.reason.*")
def something_withheld(place: Place) -> bool:
    return not place.team


@truth("release.bands_note", "release.band", "release.band_lowest", "release.band_highest")
def bands(place: Place) -> bool:
    """Every completeness that is shown is a band, and the true share lies in it."""
    for held in list_released(place.page):
        true = place.page.results[held.name].table
        for row in held.table.itertuples(index=False):
            if row.statistic != "share_seen" or not row.shown or row.term in ("n_seen", "smd"):
                continue
            same = true[(true["statistic"] == row.statistic) & (true["group"] == row.group)]
            same = same[(same["timepoint"] == row.timepoint) | same["timepoint"].isna()]
            low, high = read_band(row.display)
            if not ((same["estimate"] >= low - 1e-9) & (same["estimate"] <= high + 1e-9)).any():
                return False
    return not place.team


def read_band(text: str) -> tuple[float, float]:
    """Return the ends of "60 to 79 %", "under 60 %" or "80 % or more"."""
    numbers = [float(part) / 100 for part in re.findall(r"\d+", text)]
    if text.startswith("under"):
        return 0.0, numbers[0]
    return (numbers[0], 1.0) if "more" in text else (numbers[0], numbers[1] + 0.01)


@truth("release.spread_note")
def no_spread(place: Place) -> bool:
    rows = pd.concat([held.table for held in list_released(place.page)])
    return not rows["statistic"].isin(["sd_score", "sd_score_seen", "sd_improvement"]).any()


@truth("release.dropped_note", "views.cumulative_stops")
def steps_hold(place: Place) -> bool:
    """At least k lie beyond the last step shown, and between two of them."""
    held = place.released("cumulative")
    for group, rows in held[held["shown"]].groupby("group"):
        gain = place.records.gain(group, place.records.primary).to_numpy()
        edges = np.sort(rows["x"].to_numpy(float))
        reached = np.array([(gain >= x - 1e-9).sum() for x in edges])
        if len(reached) and (reached.min() < place.k or (len(gain) - reached[0]) < place.k):
            return False
        if (np.diff(reached) > -place.k).any():
            return False
    return True


@truth("release.few", "release.few_share", "release.most", "release.most_share")
def few(place: Place) -> bool:
    """Every bound in words holds: fewer than k on that side, and the percentage too."""
    for held in list_released(place.page):
        for row, sets in zip(held.table.itertuples(index=False), held.backing.support, strict=True):
            if row.fate != "few":
                continue
            counted = len(sets.get("with", sets.get("all", ())))
            whole = len(sets.get("all", ()))
            if row.display.startswith("all but"):
                counted = whole - counted
            if row.statistic == "check":
                counted = min(counted, whole)
                found = place.result(held.name)
                same = found[(found["statistic"] == "check") & (found["term"] == row.term)]
                counted = int(same["estimate"].min())
            bound = re.search(r"(under|over) (\d+) %", row.display)
            if counted >= held.k:
                return False
            if bound and counted / whole >= (
                float(bound[2]) / 100 if bound[1] == "under" else 1 - float(bound[2]) / 100
            ):
                return False
    return not place.team


@truth("release.not_compared", "release.verdict.not_comparable", "sentences.comparable_no")
def not_comparable(place: Place) -> bool:
    return place.records.clinic.design != "randomised" and bool(place.records.failed)


@truth("release.verdict.comparable", "sentences.comparable_comparable")
def comparable(place: Place) -> bool:
    return len(place.records.groups) > 1 and not place.records.failed


@truth("release.verdict.randomised", "sentences.comparable_randomised", "methods.comparability.randomised",
       "views.caption.comparability_randomised", "sentences.limit_choice_randomised",
       "sentences.comparable_randomised_unequal", "methods.comparability.randomised_unequal")  # fmt: skip
def randomised(place: Place) -> bool:
    return place.records.clinic.design == "randomised"


@truth("sentences.caution_routine", "sentences.limit_choice_routine", "views.description_only")
def routine(place: Place) -> bool:
    return place.records.clinic.design == "routine"


@truth(
    "release.verdict.one_therapy", "methods.comparability.one_therapy*", "sentences.comparable_one_therapy"
)
def one_therapy(place: Place) -> bool:
    """One therapy is left: of one that was recorded, or of several of which one was chosen."""
    held = place.records.clinic.episodes["therapy"].dropna().nunique()
    right = {
        "one_therapy_not_recorded": held == 1,
        "one_therapy_not_chosen": held > 1 and place.records.asked,
    }
    return len(place.records.groups) == 1 and bool(right.get(place.own, True))


@truth("release.state.*", "sentences.not_estimated.*", "views.empty_state")
def state(place: Place) -> bool:
    """Some row of the page has that state."""
    states = {name for result in place.page.results.values() for name in result.table["state"].dropna()}
    wanted = place.own if place.own != "empty_state" else None
    return wanted in states or wanted is None or not place.team


@truth("release.state.too_few")
def too_few(place: Place) -> bool:
    """A row that says so rests on fewer patients than comparisons need, or estimates nothing of anybody."""
    return any((result.table["state"] == "too_few").any() for result in place.page.results.values())


@truth("release.not_compared_here")
def not_compared_here(place: Place) -> bool:
    return not place.released("over_time")["versus"].notna().any()


@truth("methods.comparability.not_comparable")
def reasons(place: Place) -> bool:
    return not_comparable(place)


@truth("methods.comparability.fails_n_seen", "methods.comparability.fails_share_seen")
def fails(place: Place) -> bool:
    failed = place.records.failed
    name = place.own.removeprefix("fails_")
    needed = LIMITS[name]["at_least"]
    wanted = str(place.needed) in (f"{needed:g}", f"{100 * needed:g} %")
    return wanted and (name, place.group(place.said.values["group"])) in failed


@truth("methods.comparability.fails_smd")
def fails_smd(place: Place) -> bool:
    failed = {column for name, column in place.records.failed if name == "smd"}
    named = {"age": "age_years", "sex": "sex"}.get(place.said.text.split(" in ")[1].split(" by ")[0], "score")
    return named in failed and float(place.needed) == LIMITS["smd"]["at_most"]
