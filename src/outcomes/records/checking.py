"""From parts to tables: link, time, score and check them, in an order that tells all problems at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from outcomes.facts import Source, read_schema, read_timepoints
from outcomes.records.assembly import (
    build_assessments,
    build_episodes,
    build_rows,
    find_last_day,
    frame_episodes,
    map_rows,
    refuse_unplaced,
)
from outcomes.records.checks import (
    check_scores,
    note_falling_sessions,
    note_missing_baselines,
    note_reversed_sites,
    read_sessions_to_date,
    refuse_conflicting_scores,
    refuse_double_baselines,
    refuse_duplicate_rows,
    refuse_mismatched_instruments,
    refuse_repeated_episodes,
)
from outcomes.records.columns import NO_DATE, Coded, Part
from outcomes.records.episodes import (
    BASELINE,
    Links,
    RowTimes,
    collect_attributes,
    count_days,
    count_sessions,
    find_excluded,
    find_planned_therapy,
    find_time_zero,
    keep_episodes,
    list_timepoints,
    read_row_times,
    refuse_conflicts,
    refuse_disorder,
    take_first,
)
from outcomes.records.problems import Problems
from outcomes.records.scores import gather_assessments


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
        self.n_episodes = len(self.links.episodes)
        self.times = [read_row_times(part, run_day) for part in parts]
        self.attributes, blanks = collect_attributes(parts, self.links)
        self.scores = gather_assessments(parts, self.links, self.times, source, run_day)
        self.sessions = [read_sessions_to_date(part) for part in parts]
        self.rows = {
            i: map_rows(part) for i, part in enumerate(parts) if part.spec.rows in ("session", "event")
        }
        self._refuse_blank_therapies(blanks)
        self.contradictory: list[np.ndarray] = []

    def build_tables(self) -> dict[str, pd.DataFrame]:
        """Check the records against each other and return the four tables."""
        self._check_keys()
        self._find_days()
        self._check_times()
        self._check_scores()
        switches = self._settle_therapy()
        return self._assemble(switches)

    def _refuse_blank_therapies(self, blanks: Sequence[np.ndarray]) -> None:
        """Refuse rows without a therapy unless another row of their episode names it."""
        if "therapy" not in self.attributes:
            return
        named = np.zeros(self.n_episodes + 1, dtype=bool)
        named[self.attributes["therapy"].episode] = True
        named[-1] = False
        for part, episode, blank in zip(self.parts, self.links.rows, blanks, strict=True):
            if blank.any():
                self.problems.refuse(
                    part.records(blank & ~named[episode] & part.accepted()),
                    "THERAPY_MISSING",
                    "no therapy in the record",
                    column=part.spec.columns["therapy"],
                    remedy="name the therapy, or exclude such rows with [[file.exclude]]",
                )

    def _check_keys(self) -> None:
        for part, episode in zip(self.parts, self.links.rows, strict=True):
            refuse_duplicate_rows(part)
            refuse_repeated_episodes(part, episode)
        for name, attribute in self.attributes.items():
            if name != "therapy":
                refuse_conflicts(attribute, self.n_episodes, self.problems)
        self.attributes = {
            name: attribute.keep(~self.problems.is_refused(attribute.records))
            for name, attribute in self.attributes.items()
        }

    def _drop_refused(self) -> None:
        self.scores = self.scores.keep(
            ~self.problems.is_refused(self.scores.record) & (self.scores.episode >= 0)
        )

    def _find_days(self) -> None:
        """Find each episode's time zero, and the day of every assessment."""
        self._drop_refused()
        scores = self.scores
        labelled = bool((scores.timepoint >= 0).any())
        start = None
        if "start_date" in self.attributes:
            attribute = self.attributes["start_date"]
            codes = take_first(attribute, self.n_episodes)
            start = Coded(codes, attribute.values.astype(np.int32)).spread(NO_DATE)
        at_start = scores.timepoint == list_timepoints(self.source).index(BASELINE)
        self.zero = find_time_zero(self.n_episodes, start, scores.episode, scores.date, at_start, labelled)
        self._set_days()

    def _set_days(self) -> None:
        day = count_days(self.scores.date, self.zero[self.scores.episode], self.scores.day)
        self.scores = replace(self.scores, day=day)

    def _stages(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which assessments are baselines and which follow-ups, by label, else by day."""
        labels, window = list_timepoints(self.source), read_timepoints()[BASELINE]
        scores = self.scores
        by_label = scores.timepoint >= 0
        known = ~by_label & (scores.day != NO_DATE)
        is_baseline = np.where(
            by_label,
            scores.timepoint == labels.index(BASELINE),
            known & (scores.day >= (window.first_day or 0)) & (scores.day <= (window.last_day or 0)),
        )
        is_follow_up = np.where(by_label, ~is_baseline, known & (scores.day > (window.last_day or 0)))
        return is_baseline, is_follow_up

    def _check_times(self) -> None:
        scores = self.scores
        labelled = scores.timepoint >= 0
        is_baseline, is_follow_up = self._stages()
        header = next((part.spec.columns["date"] for part in self.parts if "date" in part.spec.columns), None)
        refuse_disorder(
            scores.record,
            scores.episode,
            scores.date,
            is_baseline & labelled,
            is_follow_up & labelled,
            self.n_episodes,
            header,
            self.problems,
        )
        ends = [point.last_day for point in read_timepoints().values() if point.last_day is not None]
        ends += [content["last_day"] for content in self.source.timepoints.values() if "last_day" in content]
        limits = read_schema()["assessments"]["day"]
        known = scores.day != NO_DATE
        outside = known & ((scores.day < limits.minimum) | (scores.day > limits.maximum))
        self.problems.refuse(
            scores.record[outside],
            "DAY_RANGE",
            "so far from time zero that one of the two dates is wrong",
            column=header,
        )
        self.problems.note(
            "FOLLOWUP_WINDOW",
            "accept_with_warning",
            f"later than the last time point (day {max(ends)}); kept, used by no time point",
            scores.record[known & ~outside & (scores.day > max(ends))],
            column=header,
        )

    def _check_scores(self) -> None:
        """Check scores against instruments, sites and each other, dropping what is refused in between."""
        self._drop_refused()
        site, n_sites = self._find_sites()
        self.scores = self.scores.keep(check_scores(self.scores, site, n_sites, self.problems))
        self._drop_refused()
        labelled = self.scores.timepoint >= 0
        is_baseline, _ = self._stages()
        self.contradictory.append(refuse_conflicting_scores(self.scores, is_baseline, self.problems))
        self.contradictory.append(refuse_double_baselines(self.scores, is_baseline & labelled, self.problems))
        self._drop_refused()
        refuse_mismatched_instruments(self.scores, *self._stages(), self.n_episodes, self.problems)
        self._drop_refused()
        note_missing_baselines(self.scores, *self._stages(), self.problems)
        site, n_sites = self._find_sites()
        note_reversed_sites(self.scores, *self._stages(), site, n_sites, self.problems)
        for part, episode, when, sessions in zip(
            self.parts, self.links.rows, self.times, self.sessions, strict=True
        ):
            note_falling_sessions(part, episode, _order_rows(when), sessions, self.problems)

    def _find_sites(self) -> tuple[np.ndarray, int]:
        """Return the site of each assessment (0 for none) and how many there are."""
        if "site" not in self.attributes:
            return np.zeros(len(self.scores), dtype=np.int64), 1
        site = self.attributes["site"]
        return take_first(site, self.n_episodes)[self.scores.episode].astype(np.int64) + 1, len(
            site.values
        ) + 1

    def _settle_therapy(self) -> pd.DataFrame | None:
        """Keep the therapy planned at time zero, and return the switches as events."""
        therapy = self.attributes.get("therapy")
        if therapy is None or all(part.spec.rows != "assessment" for part in self.parts):
            return None
        therapy = therapy.keep(~self.problems.is_refused(therapy.records))
        moment = np.concatenate([_order_rows(when) for when in self._times_by_record()])[therapy.records]
        dates = np.concatenate([when.date for when in self._times_by_record()])[therapy.records]
        days = np.concatenate([when.day for when in self._times_by_record()])[therapy.records]
        day = count_days(dates, self.zero[therapy.episode], days)
        self.attributes["therapy"], switches = find_planned_therapy(
            therapy, moment, day, self.problems, self.n_episodes
        )
        return switches

    def _times_by_record(self) -> list[RowTimes]:
        """Return the times of all records of the ledger, those refused by shape without any."""
        padded = []
        for part, when in zip(self.parts, self.times, strict=True):
            extra = len(part.place.lines) - part.n_rows
            blank = np.full(extra, NO_DATE, dtype=np.int32)
            padded.append(
                RowTimes(
                    np.append(when.timepoint, np.full(extra, -1, dtype=np.int16)),
                    np.append(when.date, blank),
                    np.append(when.day, blank),
                )
            )
        return padded

    def _assemble(self, switches: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
        days = {
            i: refuse_unplaced(self.parts[i], self.links.rows[i], self.times[i], self.zero) for i in self.rows
        }
        kept = keep_episodes(self.parts, self.links, self.problems)
        self._drop_refused()
        frame = frame_episodes(self.links, kept, self.zero)
        sessions = np.concatenate(
            [
                np.append(counts, np.full(len(part.place.lines) - part.n_rows, np.nan))
                for part, counts in zip(self.parts, self.sessions, strict=True)
            ]
        )[self.scores.record]
        excluded, reasons = find_excluded(self.parts, self.links, np.concatenate(self.contradictory))
        last_day = find_last_day(self.source, [when.date for when in self.times] + [self.scores.date])
        rows = {
            kind: [
                (self.parts[i], typed, self.links.rows[i], days[i])
                for i, typed in self.rows.items()
                if self.parts[i].spec.rows == kind
            ]
            for kind in ("session", "event")
        }
        attributes = {
            name: attribute.keep(~self.problems.is_refused(attribute.records))
            for name, attribute in self.attributes.items()
        }
        return {
            "episodes": build_episodes(
                frame, attributes, excluded, reasons, count_sessions(self.parts, self.links), last_day
            ),
            "assessments": build_assessments(frame, self.scores, sessions, self.source),
            "sessions": build_rows("session", frame, rows["session"]),
            "events": build_rows("event", frame, rows["event"], switches),
        }


def _order_rows(when: RowTimes) -> np.ndarray:
    """Return what orders the rows of an episode: their date, else their day, else their time point."""
    return np.where(when.date != NO_DATE, when.date, np.where(when.day != NO_DATE, when.day, when.timepoint))
