"""From parts to tables: link, time, score and check them, in an order that tells all problems at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Source
from outcomes.records.assembly import (
    build_assessments,
    build_episodes,
    build_rows,
    find_last_day,
    frame_episodes,
)
from outcomes.records.checks import (
    ask_absences,
    ask_changes,
    ask_scales,
    check_days,
    check_scores,
    keep_first_baselines,
    note_falling_sessions,
    note_missing_baselines,
    note_reversed_sites,
    read_sessions_to_date,
    refuse_double_baselines,
    refuse_mismatched_instruments,
    repeat_rows,
    settle_regions,
    settle_repeated_scores,
)
from outcomes.records.columns import NO_DATE, Coded, Part
from outcomes.records.episodes import (
    Attribute,
    Links,
    collect_attributes,
    count_sessions,
    find_excluded,
    find_moments,
    keep_episodes,
    map_rows,
    note_undated_courses,
    read_row_times,
    refuse_blank_therapies,
    refuse_unplaced,
    settle_changing,
    settle_constants,
    settle_therapy,
    take_first,
)
from outcomes.records.problems import Problems
from outcomes.records.scores import find_stages, find_starts, gather_assessments, set_days


class Checking:
    """The steps from parts to tables; each takes what the steps before it found.

    Parameters
    ----------
    parts : sequence of Part
        Files with their columns repaired.
    links : Links
        Which episode each of their rows belongs to.
    source : Source
    problems : Problems
        Receives what is refused, repaired and named.
    run_day : int
        Day number of this run; later dates are refused.
    """

    def __init__(
        self, parts: Sequence[Part], links: Links, source: Source, problems: Problems, run_day: int
    ) -> None:
        self.parts, self.links, self.source, self.problems = parts, links, source, problems
        self.n_episodes = len(links.episodes)
        self.times = [read_row_times(part, run_day) for part in parts]
        self.attributes, blanks = collect_attributes(parts, links, run_day)
        self.scores = gather_assessments(parts, links, self.times, source, run_day)
        self.sessions = [read_sessions_to_date(part) for part in parts]
        self.rows = {
            i: map_rows(part) for i, part in enumerate(parts) if part.spec.rows in ("session", "event")
        }
        if "therapy" in self.attributes:
            refuse_blank_therapies(parts, links, self.attributes["therapy"], blanks, problems)
        self.contradictory: list[np.ndarray] = []

    def build_tables(self) -> dict[str, pd.DataFrame]:
        """Check the records against each other and return the four tables."""
        self._check_keys()
        self._check_days()
        self._check_scores()
        self._check_baselines()
        switches = self._settle_therapy()
        return self._assemble(switches)

    def _keep_accepted(self, attribute: Attribute) -> Attribute:
        return attribute.keep(~self.problems.is_refused(attribute.records))

    def _drop_refused(self) -> None:
        refused = self.problems.is_refused(self.scores.record)
        self.scores = self.scores.keep(~refused & (self.scores.episode >= 0))

    def _stages(self) -> tuple[np.ndarray, np.ndarray]:
        return find_stages(self.scores, self.source)

    def _check_keys(self) -> None:
        for kind in ("session", "event"):
            chosen = [i for i in self.rows if self.parts[i].spec.rows == kind]
            files = [(self.parts[i], self.rows[i], self.links.rows[i], self.times[i]) for i in chosen]
            repeat_rows(files, self.problems)
        settle_constants(self.attributes, self.parts, self.n_episodes, self.problems)
        self.attributes = {name: self._keep_accepted(found) for name, found in self.attributes.items()}

    def _check_days(self) -> None:
        """Find each episode's time zero and the day of every assessment, and check them."""
        self._drop_refused()
        self.scores = keep_first_baselines(self.scores, self.problems)
        self.zero = find_starts(self.scores, self.attributes, self.n_episodes, self.source)
        self.moments = self._place_rows()
        self.attributes = settle_changing(
            self.attributes, self.parts, np.concatenate(self.moments), self.n_episodes, self.problems
        )
        self.scores = set_days(self.scores, self.zero)
        header = next((part.spec.columns["date"] for part in self.parts if "date" in part.spec.columns), None)
        kept = check_days(self.scores, self.source, self.n_episodes, header, self.problems)
        self.scores = self.scores.keep(kept)

    def _place_rows(self) -> list[np.ndarray]:
        """Return per file what orders the rows of an episode, one entry per record of the ledger."""
        zero = np.append(self.zero, NO_DATE)
        return [
            part.pad(find_moments(when, zero[episode], self.source), 0)
            for part, when, episode in zip(self.parts, self.times, self.links.rows, strict=True)
        ]

    def _check_scores(self) -> None:
        """Check scores against their instruments and each other, dropping what is refused in between."""
        self._drop_refused()
        ask_absences(self.scores, *self._stages(), self._find_sites()[0], self.problems)
        ask_changes(self.scores, *self._stages(), self.n_episodes, self.problems)
        asked = ask_scales(self.scores, *self._stages(), self._find_sites()[0], self.problems)
        self.scores = self.scores.keep(check_scores(self.scores, asked, *self._find_sites(), self.problems))
        self._drop_refused()
        region = self.attributes.get("region")
        stays = settle_regions(self.scores, region, self.n_episodes, self.source, self.problems)
        self.scores = self.scores.keep(stays)
        labelled = self.scores.timepoint >= 0
        is_baseline, _ = self._stages()
        contradictory, kept = settle_repeated_scores(self.scores, self.problems)
        self.scores = self.scores.keep(kept)
        labelled, is_baseline = labelled[kept], is_baseline[kept]
        self.contradictory.append(contradictory)
        self.contradictory.append(refuse_double_baselines(self.scores, is_baseline & labelled, self.problems))
        self._drop_refused()
        refuse_mismatched_instruments(self.scores, *self._stages(), self.n_episodes, self.problems)
        self._drop_refused()

    def _check_baselines(self) -> None:
        """Name what is odd from baseline to follow-up: no baseline, a site reversed, sessions that fall."""
        note_missing_baselines(self.scores, *self._stages(), self.problems)
        note_reversed_sites(self.scores, *self._stages(), *self._find_sites(), self.problems)
        for part, episode, moment, sessions in zip(
            self.parts, self.links.rows, self.moments, self.sessions, strict=True
        ):
            note_falling_sessions(part, episode, moment[: part.n_rows], sessions, self.problems)

    def _find_sites(self) -> tuple[np.ndarray, int]:
        """Return the site of each assessment (0 for none) and how many there are."""
        if "site" not in self.attributes:
            return np.zeros(len(self.scores), dtype=np.int64), 1
        site = self.attributes["site"]
        first = take_first(site, self.n_episodes)
        return first[self.scores.episode].astype(np.int64) + 1, len(site.values) + 1

    def _settle_therapy(self) -> pd.DataFrame | None:
        """Keep the therapy planned at time zero, and return the switches as events."""
        therapy = self.attributes.get("therapy")
        if therapy is None or all(part.spec.rows != "assessment" for part in self.parts):
            return None
        therapy = self._keep_accepted(therapy)
        zero = np.append(self.zero, NO_DATE)
        placed = [
            part.pad((when.date == NO_DATE) | (zero[episode] != NO_DATE), False)
            for part, when, episode in zip(self.parts, self.times, self.links.rows, strict=True)
        ]
        planned, switches = settle_therapy(
            therapy, np.concatenate(self.moments), np.concatenate(placed), self.problems, self.n_episodes
        )
        self.attributes["therapy"] = planned
        return switches

    def _assemble(self, switches: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
        days = {
            i: refuse_unplaced(self.parts[i], self.links.rows[i], self.times[i], self.zero) for i in self.rows
        }
        kept = keep_episodes(self.parts, self.links, self.problems)
        note_undated_courses(self.parts, self.links, kept, self.zero, self.problems)
        self._drop_refused()
        frame = frame_episodes(self.links, kept, self.zero)
        excluded, reasons = find_excluded(self.parts, self.links, np.concatenate(self.contradictory))
        last_day = find_last_day(self.source, [when.date for when in self.times] + [self.scores.date])
        attributes = {name: self._keep_accepted(found) for name, found in self.attributes.items()}
        n_sessions = count_sessions(self.parts, self.links)
        sessions, events = self._list_rows("session", days), self._list_rows("event", days)
        return {
            "episodes": build_episodes(frame, attributes, excluded, reasons, n_sessions, last_day),
            "assessments": build_assessments(frame, self.scores, self._find_sessions(), self.source),
            "sessions": build_rows("session", frame, sessions),
            "events": build_rows("event", frame, events, switches),
        }

    def _find_sessions(self) -> np.ndarray:
        """Return the sessions attended by each assessment, NaN where not recorded."""
        padded = [part.pad(counts, np.nan) for part, counts in zip(self.parts, self.sessions, strict=True)]
        return np.concatenate(padded)[self.scores.record]

    def _list_rows(
        self, kind: str, days: dict[int, np.ndarray]
    ) -> list[tuple[Part, dict[str, Coded], np.ndarray, np.ndarray]]:
        """Return the files of sessions or of events, each with its columns, episodes and days."""
        chosen = [i for i in self.rows if self.parts[i].spec.rows == kind]
        return [(self.parts[i], self.rows[i], self.links.rows[i], days[i]) for i in chosen]
