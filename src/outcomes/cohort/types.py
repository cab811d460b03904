"""`Cohort`: the episodes that a question is about, on a completed grid of time points."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from outcomes.facts import Instrument, Source, Therapy, Timepoint
from outcomes.records.tables import Absence, Records
from outcomes.result import Said

#: What a row of the grid can be.
STATUSES = ("seen", "missing", "lost", "not_yet_due", "after_event", "not_asked")


def locate_episodes(ids: pd.Series, episodes: pd.Series) -> np.ndarray:
    """Return the position among ``episodes`` of each id, -1 where it is not among them."""
    own, held = ids.astype("category").cat, episodes.astype("category").cat
    places = np.full(len(held.categories) + 1, -1)
    places[held.codes.to_numpy()] = np.arange(len(episodes))
    places[-1] = -1
    codes = own.codes.to_numpy()
    if not own.categories.equals(held.categories):  # ids of one reading share their categories
        known = held.categories.astype("str").get_indexer(own.categories.astype("str"))
        codes = np.append(known, -1)[codes]
    return places[codes]


@dataclass(frozen=True, eq=False)
class Cohort:
    """One row per episode x time point of one instrument, missing visits included.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per episode x time point, baseline included, in the order of episodes and time points:
        ``episode_id, patient`` (integer code of the patient), ``therapy, site, therapist, timepoint``
        (ordered categorical of ids), ``day`` (actual), ``score, baseline`` (the baseline score),
        ``change`` (score - baseline), ``improvement`` (change signed so that positive is better) and
        ``status``: ``seen``; ``missing`` (due, not assessed, but assessed later or still in care);
        ``lost`` (due, and nothing was assessed from then on); ``not_yet_due``; ``after_event`` (not
        used by the declared strategy for an intercurrent event); ``not_asked`` (the instrument is for
        complaints of another part of the body). A score recorded before its window has
        closed is seen.
    episodes : pandas.DataFrame
        One row per episode of the cohort, with ``patient`` (code) in place of ``patient_id`` and all other
        columns of the records; a covariate that is the baseline score of another instrument is a column more.
    flow : pandas.DataFrame
        One row per step in order: ``step, reason`` (a Text, or the source's own words), ``n_episodes,
        n_patients, n_excluded_episodes, n_excluded_patients`` (patients of whom no episode is left, so that
        both kinds of counts sum). Two private columns hold patients' codes: ``patients`` all those behind the
        excluded episodes, ``patients_gone`` those of whom no episode is left.
    instrument : Instrument
    variant : str or None
    timepoints : mapping of Timepoint
        Those of the grid by id, baseline first: all at which the instrument was recorded, shown or not.
    therapies : mapping of Therapy
        Those present, by id, in order.
    reference : str or None
        Therapy against which others are compared.
    primary : str
        Id of the primary time point.
    covariates : tuple of str
        Declared baseline covariates (columns of ``episodes``) for adjustment and balance.
    rules : mapping of Text, or of tuples of Text
        The rules that decided: ``time_zero, baseline, windows, therapy, episodes, intercurrent_events,
        missing``; ``reading`` where something must be said of how the records were read.
    clustered_by : str or None
        ``patient`` where patients have several episodes, else None.
    records : Records
        From which it was selected.
    strategies : mapping
        Intercurrent event to its strategy.
    asked : mapping
        The arguments of `select_cohort`, by name.
    one_therapy : Absence or None
        Why only one therapy is left, where one is; None where the others lack what the question needs.
    detail : tuple of Text
        What was made coarser for an audience, and why; see
        `outcomes.disclosure.choose_detail`.
    hidden : tuple of str
        Ids of the time points that results have no rows for; every analysis uses them all the same.
    """

    table: pd.DataFrame = field(repr=False)
    episodes: pd.DataFrame = field(repr=False)
    flow: pd.DataFrame = field(repr=False)
    instrument: Instrument
    variant: str | None
    timepoints: Mapping[str, Timepoint]
    therapies: Mapping[str, Therapy]
    reference: str | None
    primary: str
    covariates: tuple[str, ...]
    rules: Mapping[str, Said]
    clustered_by: str | None
    records: Records = field(repr=False)
    strategies: Mapping[str, str] = field(default_factory=dict, repr=False)
    asked: Mapping[str, Any] = field(default_factory=dict, repr=False)
    one_therapy: Absence | None = None
    detail: tuple[Said, ...] = ()
    hidden: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the time points that results have rows for, baseline first."""
        return tuple(id for id in self.timepoints if id not in self.hidden)

    @property
    def source(self) -> Source:
        """Where the records come from."""
        return self.records.source

    @property
    def fingerprint(self) -> str:
        """Of the records."""
        return self.records.fingerprint

    @cached_property
    def sessions(self) -> pd.DataFrame:
        """Sessions of the cohort's episodes."""
        return self._keep_rows(self.records.sessions)

    @cached_property
    def events(self) -> pd.DataFrame:
        """Events of the cohort's episodes."""
        return self._keep_rows(self.records.events)

    @cached_property
    def assessments(self) -> pd.DataFrame:
        """Assessments of the cohort's episodes, of all instruments."""
        return self._keep_rows(self.records.assessments)

    def _keep_rows(self, table: pd.DataFrame) -> pd.DataFrame:
        place = locate_episodes(table["episode_id"], self.episodes["episode_id"])
        return table.loc[place >= 0].reset_index(drop=True)

    @property
    def outcome(self) -> str:
        """Id of the instrument with its variant, as in the ``outcome`` column of results."""
        return f"{self.instrument.id}:{self.variant}" if self.variant else self.instrument.id

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the grid, one row per episode x time point."""
        return self.table.copy()

    def __repr__(self) -> str:
        """Return counts and rules, never rows."""
        return (
            f"Cohort({self.outcome!r}: {len(self.episodes)} episodes of "
            f"{self.episodes['patient'].nunique()} patients, {len(self.therapies)} therapies, "
            f"time points {', '.join(self.shown)})"
        )

    def _repr_html_(self) -> str:
        shown = self.flow.drop(columns=["patients", "patients_gone"], errors="ignore")
        head = f"<p>{len(self.episodes)} episodes, {len(self.therapies)} therapies</p>"
        return head + shown.to_html(index=False)
