"""A part of the table as one row per patient, and how a long part becomes one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from outcomes.analyses.mmrm.layout import Layout, encode_levels, evaluate_factor
from outcomes.errors import AnalysisError


@dataclass(frozen=True)
class Wide:
    """Some patients, n of them, over T visits.

    Parameters
    ----------
    subjects : array, shape (n,)
        Their labels.
    score : array, shape (n, T)
        Centred and scaled as the layout says; missing where there is no complete row.
    factors : mapping of str to array
        Shape (n,), or (n, T) for one that varies within patients: codes of levels, or numbers centred and
        scaled.
    group, cluster : array of int, shape (n,), or None
    weights : array, shape (n,) or (n, T), or None
    n_dropped : int
        Rows left out because a score, a factor or a weight is missing.
    n_empty : int
        Patients of whom no row is left.
    differing : frozenset of str
        Factors that were found to differ within a patient although the layout holds them constant.
    """

    subjects: np.ndarray
    score: np.ndarray
    factors: dict[str, np.ndarray]
    group: np.ndarray | None = None
    cluster: np.ndarray | None = None
    weights: np.ndarray | None = None
    n_dropped: int = 0
    n_empty: int = 0
    differing: frozenset[str] = frozenset()

    def take(self, rows: slice | np.ndarray) -> Wide:
        """Return some of the patients."""
        return replace(
            self,
            subjects=self.subjects[rows],
            score=self.score[rows],
            factors={name: values[rows] for name, values in self.factors.items()},
            group=None if self.group is None else self.group[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            weights=None if self.weights is None else self.weights[rows],
        )


def widen(frame: pd.DataFrame, layout: Layout) -> Wide:
    """Lay out a part of a long table that holds its patients whole.

    Nothing is sorted: each row is put in its place, so that the order of rows does not matter.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per patient and visit. Rows that lack the score, a factor or a weight are left out (complete
        rows, as in R); patients of whom none is left are counted.
    layout : Layout

    Returns
    -------
    Wide

    Raises
    ------
    AnalysisError
        When a patient has two rows for a visit, or a group or cluster changes within a patient.
    """
    codes, subjects = pd.factorize(frame[layout.subject], use_na_sentinel=True)
    visit = encode_levels(frame[layout.visit], layout.visits)
    found = _read_values(frame, layout)
    used = (visit >= 0) & (codes >= 0)
    for name, values in found.items():
        if name not in ("group", "cluster"):
            used &= values >= 0 if values.dtype.kind == "i" else np.isfinite(values)
    n_seen = len(subjects)
    n_dropped = int((~used).sum())
    if n_dropped:
        codes, visit = codes[used], visit[used]
        found = {name: values[used] for name, values in found.items()}
    # Renumber the patients that still have a row.
    held = np.zeros(n_seen, dtype=bool)
    held[codes] = True
    if not held.all():
        number = np.cumsum(held) - 1
        codes, subjects = number[codes], subjects[held]
    return _place(layout, codes, visit, np.asarray(subjects), found, n_dropped, n_seen - len(subjects))


def _read_values(frame: pd.DataFrame, layout: Layout) -> dict[str, np.ndarray]:
    """Return the score (key ``score``), factors, weights and codes of every row."""
    found = {"score": _standardise(evaluate_factor(layout.terms.score, frame), layout, "")}
    for factor in layout.factors:
        if factor.name in layout.levels:
            values = encode_levels(frame[factor.variables[0]], layout.levels[factor.name])
        else:
            values = _standardise(evaluate_factor(factor, frame), layout, factor.name)
        found[f"factor {factor.name}"] = values
    if layout.weights:
        weights = frame[layout.weights].to_numpy("float64", na_value=np.nan)
        found["weights"] = np.where(weights > 0, weights, np.nan)
    for name, column in (("group", layout.group), ("cluster", layout.cluster)):
        if column:
            found[name] = encode_levels(frame[column], layout.held[column])
    return found


def _standardise(values: np.ndarray, layout: Layout, name: str) -> np.ndarray:
    return (values - layout.centre.get(name, 0.0)) / layout.spread.get(name, 1.0)


def _place(
    layout: Layout, codes: np.ndarray, visit: np.ndarray, subjects: np.ndarray, found: dict[str, np.ndarray],
    n_dropped: int, n_empty: int,
) -> Wide:  # fmt: skip
    n, n_visits = len(subjects), len(layout.visits)
    place = codes * n_visits + visit
    _refuse_duplicates(place, n * n_visits, layout)
    placed: dict[str, np.ndarray] = {}
    differing: set[str] = set()
    for name, values in found.items():
        plain = name.removeprefix("factor ")
        if name == "score" or plain in layout.varying or (name == "weights" and "weights" in layout.varying):
            empty = np.nan if name == "score" else 0
            wide = np.full(n * n_visits, empty, dtype=values.dtype)
            wide[place] = values
            placed[name] = wide.reshape(n, n_visits)
            continue
        wide = np.zeros(n, dtype=values.dtype)
        wide[codes] = values
        placed[name] = wide
        if not np.array_equal(wide[codes], values):
            differing.add(plain)
    for name in ("group", "cluster"):
        if name in differing:
            raise AnalysisError(
                f"The column {getattr(layout, name)!r} that {name} names changes within a patient; "
                "give each patient one value."
            )
    return Wide(
        subjects, placed["score"],
        {factor.name: placed[f"factor {factor.name}"] for factor in layout.factors},
        placed.get("group"), placed.get("cluster"), placed.get("weights"),
        n_dropped, n_empty, frozenset(differing),
    )  # fmt: skip


def _refuse_duplicates(place: np.ndarray, size: int, layout: Layout) -> None:
    taken = np.zeros(size, dtype=bool)
    taken[place] = True
    n_twice = len(place) - int(taken.sum())
    if n_twice:
        raise AnalysisError(
            f"{n_twice} rows repeat a visit that their patient already has; keep one row per "
            f"{layout.subject} and "
            f"{layout.visit} (for a patient with several episodes, let {layout.subject} name the episode)."
        )
