"""From parts to tables: link, time, score and check them, in an order that tells all problems at once."""

from collections.abc import Sequence
from dataclasses import replace

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
from outcomes.records.checks.absences import ask_absences
from outcomes.records.checks.days import check_days, note_falling_sessions, read_sessions_to_date
from outcomes.records.checks.keys import (
    keep_first_baselines,
    note_missing_baselines,
    refuse_double_baselines,
    refuse_mismatched_instruments,
    repeat_rows,
    settle_repeated_scores,
)
from outcomes.records.checks.ranges import check_scores, note_reversed_sites
from outcomes.records.checks.regions import settle_regions
from outcomes.records.checks.scales import ask_changes, ask_scales
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.part import Part
from outcomes.records.episodes.attributes import (
    Attribute,
    collect_attributes,
    refuse_blank_therapies,
    settle_changing,
    settle_constants,
    settle_therapy,
    take_first,
)
from outcomes.records.episodes.roster import (
    count_sessions,
    find_excluded,
    keep_episodes,
    map_rows,
    note_undated_courses,
    refuse_unplaced,
)
from outcomes.records.episodes.times import Links, count_days, find_moments, read_row_times
from outcomes.records.problems import Problems
from outcomes.records.scores.assessments import Assessments, find_starts, gather_assessments


class Checking:
    """The steps from parts to tables; each takes what the steps before it found."""

    def __init__(
        self, parts: Sequence[Part], links: Links, source: Source, problems: Problems, run_day: int
    ) -> None:
        self.parts, self.links, self.source, self.problems = parts, links, source, problems
        self.n_episodes = len(links.episodes)
        self.times = [read_row_times(part, run_day) for part in parts]
        self.attributes, blanks = collect_attributes(parts, links, run_day)
        self.scores = gather_assessments(parts, links, self.times, source, problems, run_day)
        self.sessions = [read_sessions_to_date(part) for part in parts]
        self.rows = {
            kind: {i: map_rows(part) for i, part in enumerate(parts) if part.spec.rows == kind}
            for kind in ("session", "event")
        }
        if "therapy" in self.attributes:
            refuse_blank_therapies(parts, links, self.attributes["therapy"], blanks, problems)

    def build_tables(self) -> dict[str, pd.DataFrame]:
        """Check the records against each other and return the four tables."""
        for typed in self.rows.values():
            files = [(self.parts[i], typed[i], self.links.rows[i], self.times[i]) for i in typed]
            repeat_rows(files, self.problems)
        settle_constants(self.attributes, self.parts, self.n_episodes, self.problems)
        self.attributes = self._list_accepted()
        self._check_days()
        self._drop_refused()
        ask_absences(self.scores)
        ask_changes(self.scores)
        self.scores = self.scores.keep(check_scores(self.scores, ask_scales(self.scores)))
        self._drop_refused()
        self.scores = self.scores.keep(settle_regions(self.scores, self.attributes.get("region")))
        self._check_conflicts()
        note_missing_baselines(self.scores)
        note_reversed_sites(self.scores)
        for part, episode, moment, sessions in zip(
            self.parts, self.links.rows, self.moments, self.sessions, strict=True
        ):
            note_falling_sessions(part, episode, moment[: part.n_rows], sessions)
        return self._assemble(self._settle_therapy())

    def _drop_refused(self) -> None:
        refused = self.problems.is_refused(self.scores.record)
        self.scores = self.scores.keep(~refused & (self.scores.episode >= 0))

    def _list_accepted(self) -> dict[str, Attribute]:
        return {
            name: found.keep(~self.problems.is_refused(found.records))
            for name, found in self.attributes.items()
        }

    def _check_days(self) -> None:
        """Find each episode's time zero and the day of every assessment, and check them."""
        self._drop_refused()
        self.scores = keep_first_baselines(self.scores)
        self.zero = find_starts(self.scores, self.attributes)
        zero = np.append(self.zero, NO_DATE)
        #: Per file, what orders the rows of an episode, one entry per record of the ledger.
        self.moments = [
            part.pad(find_moments(when, zero[episode], self.source), 0)
            for part, when, episode in zip(self.parts, self.times, self.links.rows, strict=True)
        ]
        self.attributes = settle_changing(
            self.attributes, self.parts, np.concatenate(self.moments), self.n_episodes, self.problems
        )
        self.scores = self._place(self.scores)
        header = next((part.spec.columns["date"] for part in self.parts if "date" in part.spec.columns), None)
        self.scores = self.scores.keep(check_days(self.scores, header))

    def _place(self, scores: Assessments) -> Assessments:
        """Return the scores with their days after time zero and their sites."""
        scores = replace(scores, day=count_days(scores.date, self.zero[scores.episode], scores.day))
        site = self.attributes.get("site")
        if site is None:
            return scores
        first = take_first(site, self.n_episodes)[scores.episode]
        return replace(scores, site=first.astype(np.int64) + 1, n_sites=len(site.values) + 1)

    def _check_conflicts(self) -> None:
        """Check scores against each other: one of an instrument at one time, one baseline, one instrument."""
        conflicting, kept = settle_repeated_scores(self.scores)
        self.scores = self.scores.keep(kept)
        self.contradictory = np.append(conflicting, refuse_double_baselines(self.scores))
        self._drop_refused()
        refuse_mismatched_instruments(self.scores)
        self._drop_refused()

    def _settle_therapy(self) -> pd.DataFrame | None:
        """Keep the therapy planned at time zero, and return the switches as events."""
        therapy = self.attributes.get("therapy")
        if therapy is None or all(part.spec.rows != "assessment" for part in self.parts):
            return None
        zero = np.append(self.zero, NO_DATE)
        placed = [
            part.pad((when.date == NO_DATE) | (zero[episode] != NO_DATE), False)
            for part, when, episode in zip(self.parts, self.times, self.links.rows, strict=True)
        ]
        self.attributes["therapy"], switches = settle_therapy(
            therapy.keep(~self.problems.is_refused(therapy.records)),
            np.concatenate(self.moments),
            np.concatenate(placed),
            self.problems,
            self.n_episodes,
        )
        return switches

    def _assemble(self, switches: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
        rows = {kind: self._list_rows(typed) for kind, typed in self.rows.items()}
        kept = keep_episodes(self.parts, self.links, self.problems)
        note_undated_courses(self.parts, self.links, kept, self.zero, self.problems)
        self._drop_refused()
        frame = frame_episodes(self.links, kept, self.zero)
        excluded, reasons = find_excluded(self.parts, self.links, self.contradictory)
        last_day = find_last_day(self.source, [when.date for when in self.times] + [self.scores.date])
        n_sessions = count_sessions(self.parts, self.links)
        padded = [part.pad(counts, np.nan) for part, counts in zip(self.parts, self.sessions, strict=True)]
        attended = np.concatenate(padded)[self.scores.record]
        return {
            "episodes": build_episodes(frame, self._list_accepted(), excluded, reasons, n_sessions, last_day),
            "assessments": build_assessments(frame, self.scores, attended, self.source),
            "sessions": build_rows("session", frame, rows["session"]),
            "events": build_rows("event", frame, rows["event"], switches),
        }

    def _list_rows(
        self, typed: dict[int, dict[str, Coded]]
    ) -> list[tuple[Part, dict[str, Coded], np.ndarray, np.ndarray]]:
        """Return files of sessions or of events, each with its columns, episodes and days."""
        parts, episodes, times = self.parts, self.links.rows, self.times
        return [
            (parts[i], typed[i], episodes[i], refuse_unplaced(parts[i], episodes[i], times[i], self.zero))
            for i in typed
        ]
