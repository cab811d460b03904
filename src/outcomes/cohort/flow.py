"""Which episodes of the records are no part of a cohort, and why: every exclusion is counted once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from outcomes.cohort.grid import ScoreGrid
from outcomes.cohort.question import Question
from outcomes.cohort.refusals import refuse
from outcomes.cohort.remembering import remember
from outcomes.cohort.therapies import list_late_labels
from outcomes.cohort.types import STATUSES
from outcomes.facts import Column, Text, read_facts, read_schema
from outcomes.records.absence import name_regions
from outcomes.records.tables import Absence, Records


def read_filters(texts: Iterable[object]) -> dict[str, Any]:
    """Read filters written as text into what `select_cohort` takes as ``where``.

    Parameters
    ----------
    texts : iterable of str
        ``column=value``, ``column=one|other`` for either of several values, ``column=18..65`` for a range
        with both ends included, ``column=..30`` for one without a lower end.

    Returns
    -------
    dict
        Column to a value, a list of values, or ``(from, to)``.

    Raises
    ------
    AnalysisError
        When a text is not of that form. Whether column and values exist, `select_cohort` says.

    Examples
    --------
    >>> read_filters(["region=low_back|neck", "age_years=18..65", "previous_episodes=true"])
    {'region': ['low_back', 'neck'], 'age_years': ('18', '65'), 'previous_episodes': True}
    """
    filters: dict[str, Any] = {}
    for text in map(str, texts):
        name, sign, wanted = text.partition("=")
        name, wanted = name.strip(), wanted.strip()
        if not sign or not name or not wanted:
            raise refuse("filter_text", text=repr(text))
        filters[name] = _read_wanted(name, wanted)
    return filters


def write_filters(filters: Mapping[str, Iterable[str]]) -> list[str]:
    """Write chosen values of columns as `read_filters` reads them.

    >>> write_filters({"region": ("low_back", "neck"), "sex": ("female",)})
    ['region=low_back|neck', 'sex=female']
    """
    return [f"{column}={'|'.join(values)}" for column, values in filters.items()]


def _read_wanted(name: str, wanted: str) -> Any:
    column = read_schema()["episodes"].get(name)
    kind = column.type if column else "category"
    if kind in ("number", "integer", "date"):
        low, dots, high = wanted.partition("..")
        return (low or None, high or None) if dots else wanted
    values: list[Any] = [part.strip() for part in wanted.split("|")]
    if kind == "flag":
        values = [{"true": True, "false": False}.get(value.casefold(), value) for value in values]
    return values if len(values) > 1 else values[0]


def apply_filters(
    episodes: pd.DataFrame, where: Mapping[str, Any] | None
) -> Iterator[tuple[Text, np.ndarray]]:
    """Yield for each filter the reason in a sentence and which episodes it excludes.

    ``where`` maps a column to a value, a list of values, or for numbers and dates ``(from, to)``, both
    included, None or empty text for an open end. None, empty text and a range open at both ends filter
    nothing.
    """
    columns = read_schema()["episodes"]
    allowed = [name for name, column in columns.items() if column.covariate] + read_facts("cohort")["filters"]
    for name, wanted in (where or {}).items():
        if name not in allowed:
            key = "filter_not_at_start" if name in columns else "filter_unknown"
            raise refuse(key, name=name, known=", ".join(allowed))
        ends = wanted if isinstance(wanted, tuple | list) else (wanted,)
        if all(end is None or (isinstance(end, str) and not end) for end in ends):
            continue
        column, values = columns[name], episodes[name]
        ranged = column.type in ("number", "integer", "date")
        inside, said = (_compare_range if ranged else _compare_values)(column, values, wanted)
        label = column.label or name.replace("_", " ")
        yield Text.of("cohort.flow.outside_filter", label=label, wanted=said), ~inside


def _compare_range(column: Column, values: pd.Series, wanted: Any) -> tuple[np.ndarray, Text]:
    if not isinstance(wanted, tuple | list) or len(wanted) != 2:
        raise refuse("filter_range", name=column.name)
    try:
        low, high = (_read_end(column, end) for end in wanted)
    except (TypeError, ValueError):
        raise refuse("filter_range", name=column.name) from None
    inside = values.notna()
    if low is not None:
        inside = inside & (values >= low)
    if high is not None:
        inside = inside & (values <= high)
    kind = "both" if low is not None and high is not None else "from" if low is not None else "to"
    if column.type == "date" and kind != "both":
        kind = f"date_{kind}"
    said = Text.of(f"cohort.ranges.{kind}", low=wanted[0], high=wanted[1], unit=column.unit)
    return inside.fillna(False).to_numpy(dtype=bool), said


def _read_end(column: Column, end: Any) -> Any:
    if end is None or (isinstance(end, str) and not end):
        return None
    return pd.Timestamp(end) if column.type == "date" else float(end)


def _compare_values(column: Column, values: pd.Series, wanted: Any) -> tuple[np.ndarray, str]:
    several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if column.type == "flag":
        if not all(isinstance(value, bool | np.bool_) for value in several):
            raise refuse("filter_flag", name=column.name)
    else:
        known = list(column.allowed) or sorted(str(value) for value in values.dropna().unique())
        if any(value not in known for value in several):
            raise refuse("filter_value", name=column.name, known=", ".join(known))
    inside = values.isin(several).to_numpy(dtype=bool)
    labels = column.labels or {}
    return inside, " / ".join(labels.get(str(value), str(value)) for value in several)


class Flow:
    """Episodes that are left, and the steps that excluded the others.

    `patient` is the code of the patient of each episode of the records, from 0 without gaps.
    """

    def __init__(self, patient: np.ndarray, therapy: pd.Series) -> None:
        self._patient = patient
        self._therapy = pd.factorize(therapy)[0]
        #: Step at which one therapy was left of several; empty where none was.
        self.narrowed_by = ""
        self.kept = np.ones(len(patient), dtype=bool)
        self._steps: list[dict[str, object]] = []
        self._times: dict[str, int] = {}
        self.exclude("read", Text("cohort.flow.read"), np.zeros(len(patient), dtype=bool))

    def exclude(self, step: str, reason: Text | str, which: np.ndarray) -> None:
        """Exclude episodes that are still in; a step that excludes none is written down as well.

        Several steps of one name, such as two filters, are told apart by a number.
        """
        out, before = which & self.kept, self._count_therapies()
        self.kept = self.kept & ~out
        if before > 1 and self._count_therapies() == 1:
            self.narrowed_by = step
        left, behind = self._find_patients(self.kept), self._find_patients(out)
        gone = np.setdiff1d(behind, left, assume_unique=True)
        self._times[step] = self._times.get(step, 0) + 1
        times = self._times[step]
        sizes = {"n_episodes": int(self.kept.sum()), "n_patients": len(left)}
        sizes |= {"n_excluded_episodes": int(out.sum()), "n_excluded_patients": len(gone)}
        whose = {"patients": behind, "patients_gone": gone}
        name = step if times == 1 else f"{step}_{times}"
        self._steps.append({"step": name, "reason": reason, **sizes, **whose})

    def _count_therapies(self) -> int:
        codes = self._therapy[self.kept]
        return len(np.unique(codes[codes >= 0]))

    def _find_patients(self, which: np.ndarray) -> np.ndarray:
        """Return the distinct patients of some episodes, sorted."""
        return np.flatnonzero(np.bincount(self._patient[which]))

    def tabulate(self) -> pd.DataFrame:
        """Return one row per step in order."""
        return pd.DataFrame(self._steps)


@remember
def code_patients(records: Records) -> np.ndarray:
    """Return the patient of each episode of the records as a code, from 0 without gaps."""
    return pd.factorize(records.episodes["patient_id"])[0]


def exclude_episodes(
    records: Records, question: Question, grid: ScoreGrid, where: Mapping[str, Any] | None
) -> Flow:
    """Exclude episodes step by step, each step written down; refuse where none is left."""
    episodes, patient = records.episodes, code_patients(records)
    flow = Flow(patient, episodes["therapy"])
    for reason in sorted(str(name) for name in episodes["excluded"].dropna().unique()):
        flow.exclude("excluded_by_source", reason, (episodes["excluded"] == reason).to_numpy(dtype=bool))
    therapy = episodes["therapy"]
    flow.exclude("no_therapy", Text("cohort.flow.no_therapy"), therapy.isna().to_numpy())
    late = list_late_labels(records.source)
    if late:
        flow.exclude("late_label", Text("cohort.flow.late_label"), therapy.isin(late).to_numpy())
    # Before any filter of a page, so that all pages count the same episode of a patient.
    if question.episodes == "first":
        later = _find_later(_order_episodes(records), patient, flow.kept)
        flow.exclude("later_episode", Text("cohort.flow.later_episode"), later)
    for wanted, outside in apply_filters(episodes, where):
        flow.exclude("outside_filter", wanted, outside)
    others = ~therapy.isin(list(question.therapies)).to_numpy()
    if (others & flow.kept).any():
        flow.exclude("other_therapy", Text("cohort.flow.other_therapy"), others)
    waiting = (grid.status[:, 1:] == STATUSES.index("not_yet_due")).all(axis=1)
    flow.exclude("no_visit_due", Text("cohort.flow.no_visit_due"), waiting)
    if question.has_baseline and question.needs_baseline:
        _exclude_not_asked(flow, records, question, grid)
        named = Text.of("cohort.flow.no_baseline", instrument=question.instrument.called)
        flow.exclude("no_baseline", named, np.isnan(grid.score[:, 0]))
    if not flow.kept.any():
        steps = flow.tabulate()
        worst = int(steps["n_excluded_episodes"].to_numpy().argmax())
        raise refuse("empty", n=len(flow.kept), reason=steps["reason"].iloc[worst])
    return flow


def _exclude_not_asked(flow: Flow, records: Records, question: Question, grid: ScoreGrid) -> None:
    """Exclude patients of complaints that the measure is not for; no step where it is for all."""
    instrument, known = question.instrument, records.episodes["region"].notna().any()
    if known and instrument.regions and records.source.other_regions.get(instrument.id) != "keep":
        regions = name_regions(instrument.regions)
        named = Text.of("cohort.flow.not_asked", instrument=instrument.called, regions=regions)
        flow.exclude("not_asked", named, grid.status[:, 0] == STATUSES.index("not_asked"))


def explain_one_therapy(records: Records, flow: Flow) -> Absence | None:
    """Return why only one therapy is left; None where the others lack something else that is needed."""
    if not flow.narrowed_by:
        files = records.source.files
        is_read = any("therapy" in spec.columns for spec in files)
        is_declared = any("therapy" in spec.constants for spec in files)
        return Absence.NOT_READ if is_declared and not is_read else Absence.NOT_RECORDED
    by_choice = {"outside_filter": Absence.NOT_CHOSEN, "other_therapy": Absence.NOT_CHOSEN}
    return {**by_choice, "not_asked": Absence.NOT_ASKED}.get(flow.narrowed_by)


@remember
def _order_episodes(records: Records) -> np.ndarray:
    """Return the positions of the episodes by their number, else by their start, else as they stand."""
    episodes = records.episodes
    numbered = "episode_number" in episodes and episodes["episode_number"].notna().all()
    order = episodes["episode_number" if numbered else "start_date"].reset_index(drop=True)
    return order.sort_values(kind="stable").index.to_numpy()


def _find_later(order: np.ndarray, patient: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return which episodes come after the first one of their patient that may count at all."""
    ranked = order[kept[order]]
    later = np.zeros(len(order), dtype=bool)
    later[ranked] = pd.Series(patient[ranked]).duplicated().to_numpy()
    return later
