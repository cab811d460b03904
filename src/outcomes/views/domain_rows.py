"""What a release of all domains holds: its measures in order, its groups, and the domains without numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from outcomes.disclosure import Release
from outcomes.facts import read_facts, read_instrument, read_words
from outcomes.views.labels import WHOLE, Labels
from outcomes.views.released_rows import list_rows

BASELINE = "baseline"


@dataclass(frozen=True)
class Measure:
    """One outcome measure of a release.

    Parameters
    ----------
    domain, outcome : str
    labels : Labels
        Those of the release, with this measure's instrument.
    cells : mapping
        Group, statistic and time point to the row.
    """

    domain: str
    outcome: str
    labels: Labels
    cells: dict[tuple[str, str, str], Any]

    @property
    def improves(self) -> bool:
        """Whether improvement is defined for it: it has a direction and a score at the start."""
        return any(statistic == "mean_improvement" for _, statistic, _ in self.cells)

    @property
    def name(self) -> str:
        """The measure with its range, or with its unit; one without improvement says which end is better."""
        if not self.improves:
            return read_words().say("views.domains.rating", measure=self.labels.axis)
        if self.labels.instrument.unit == "points":
            return self.labels.scale
        return f"{self.labels.measure}, {self.labels.instrument.unit}"


def list_measures(release: Release, labels: Labels) -> list[Measure]:
    """Return the measures of a release in the order of its rows."""
    held = release.where(statistic=["mean_score", "mean_improvement"]).table
    measures = []
    for outcome, rows in held.groupby("outcome", sort=False):
        own = replace(
            labels,
            instrument=read_instrument(str(outcome)),
            variant=str(outcome).partition(":")[2] or None,
        )
        cells = {(row.group, row.statistic, row.timepoint): row for row in list_rows(rows)}
        measures.append(Measure(str(rows["level"].iloc[0]), str(outcome), own, cells))
    return measures


def pick_groups(release: Release, labels: Labels) -> list[str]:
    """Return the therapies; everybody instead where none of them is shown."""
    held = release.where(statistic=["mean_score", "mean_improvement"]).table
    own = labels.order(group for group in held["group"] if group != WHOLE)
    shown = set(held.loc[held["shown"], "group"])
    return own if not own or shown & set(own) or WHOLE not in shown else [WHOLE]


def pick_later(release: Release) -> str:
    """Return the follow-up that the release is about."""
    times = release.table["timepoint"].dropna()
    later = [str(time) for time in times if time != BASELINE]
    return later[0] if later else BASELINE


def say_domain(domain: str) -> str:
    """Return how a domain is called."""
    return read_words().say(f"views.domain.{domain}")


def list_unmeasured(release: Release, groups: list[str]) -> Iterator[str]:
    """Yield a sentence for each reason why domains have no numbers: not recorded, or not yet analysed."""
    words = read_words()
    group = groups[0] if len(groups) == 1 else WHOLE
    held = {row.term: row for row in list_rows(release.where(statistic="n_recorded", group=group).table)}
    named: dict[str, list[str]] = {"not_recorded": [], "not_analysed": [], "not_analysed_few": []}
    for entry in read_facts("domains")["domain"]:
        row = held.get(entry["id"])
        if row is not None:
            key = "not_analysed" if row.shown else "not_analysed_few"
            named["not_recorded" if row.shown and row.estimate == 0 else key].append(say_domain(entry["id"]))
    for key, domains in named.items():
        if domains:
            yield words.say(f"views.domains.{key}", domains="; ".join(domains))
