"""Who is likely to resemble whom: clusters for the standard errors of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.analyses._declaration import say
from outcomes.analyses._grid import Grid
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts

_CHOICES = ("auto", "therapist", "site", "patient", "none")


@dataclass(frozen=True)
class Clustering:
    """How a comparison allows for patients who resemble each other.

    Parameters
    ----------
    unit : str
        ``therapist``, ``site``, ``patient`` or ``none``.
    codes : array of int, shape (E,), or None
        Cluster of each episode of the grid.
    site_effect : bool
        Whether sites, too few to be clusters, enter as a fixed effect.
    warnings : tuple of str
    """

    unit: str
    codes: np.ndarray | None
    site_effect: bool
    warnings: tuple[str, ...]


def choose_clusters(grid: Grid, fitted: np.ndarray, cluster: str, by: str) -> Clustering:
    """Choose the clusters of a comparison.

    ``auto`` takes therapists where enough are recorded among the fitted episodes, else sites, else patients
    with several episodes, else none; enough is a fact (``facts/comparability.toml``). Two or more sites that
    are too few enter as a fixed effect: with few sites this is what removes differences between them without
    asking for a variance that cannot be estimated. Therapists that are too few are named in a warning, not
    in the model, since they would often be the same thing as a therapy.

    Parameters
    ----------
    grid : Grid
    fitted : array of int
        Positions of the episodes of the comparison.
    cluster : str
        ``auto``, or the unit to use whatever its number.
    by : str
        Column whose values are the groups; it is never a cluster.

    Raises
    ------
    AnalysisError
        When ``cluster`` is none of the choices, or is not recorded.
    """
    if cluster not in _CHOICES:
        raise AnalysisError(f"There is no cluster {cluster!r}; choose one of: {', '.join(_CHOICES)}.")
    needed = read_facts("comparability")["clusters"]["at_least"]
    held = {unit: _code_units(grid, unit) for unit in ("therapist", "site")}
    if cluster in held and (held[cluster] < 0).all():
        raise AnalysisError(f"No {cluster} is recorded, so patients cannot be clustered by it.")
    numbers = {unit: 0 if unit == by else count_clusters(codes[fitted]) for unit, codes in held.items()}
    unit = cluster if cluster != "auto" else _choose_unit(numbers, needed, grid.one_each)
    few = [
        say(f"clusters.few_{name}", found=number, needed=needed)
        for name, number in numbers.items()
        if name != unit and 1 < number < needed and cluster == "auto" and unit not in ("therapist", "site")
    ]
    nested = _describe_nesting(grid, held["therapist"], fitted) if numbers["therapist"] > 1 else []
    codes = {**held, "patient": grid.patient}.get(unit)
    return Clustering(
        unit,
        None if codes is None else _separate_unrecorded(codes),
        "site" not in (unit, by) and 1 < numbers["site"] < needed,
        (*few, *nested),
    )


def count_clusters(codes: np.ndarray) -> int:
    """Return how many distinct recorded clusters there are."""
    return len(np.unique(codes[codes >= 0]))


def _code_units(grid: Grid, unit: str) -> np.ndarray:
    if unit not in grid.episodes:
        return np.full(len(grid.patient), -1)
    return pd.Categorical(grid.episodes[unit].astype("str")).codes.astype("int64")


def _choose_unit(numbers: dict[str, int], needed: int, one_each: bool) -> str:
    for unit, number in numbers.items():
        if number >= needed:
            return unit
    return "none" if one_each else "patient"


def _separate_unrecorded(codes: np.ndarray) -> np.ndarray:
    """Give every episode without a recorded cluster one of its own."""
    own = codes.max(initial=0) + 1 + np.arange(len(codes))
    return np.where(codes < 0, own, codes)


def _describe_nesting(grid: Grid, therapists: np.ndarray, fitted: np.ndarray) -> list[str]:
    recorded = fitted[therapists[fitted] >= 0]
    pairs = np.unique(np.column_stack([therapists[recorded], grid.group[recorded]]), axis=0)
    _, groups_each = np.unique(pairs[:, 0], return_counts=True)
    n_nested = int((groups_each == 1).sum())
    if not n_nested or len(grid.groups) < 2:
        return []
    return [say("clusters.nested", nested=n_nested, found=len(groups_each))]
