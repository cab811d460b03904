"""What an outsider may know of a patient: traits as codes, who shares them, coarser ones, what they tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.facts import Source, Text, read_facts, read_instrument, read_timepoints

_BAND = re.compile(r"^\D?(\d{1,4})(?: ?(?:-|–|to) ?\d{1,3}|\+)?$")
#: The year of the start, which stands for the date.
_START_YEAR = "start_year"


@dataclass(frozen=True)
class Trait:
    """One trait of every episode."""

    name: str
    #: One per episode; a missing value has a code of its own.
    codes: np.ndarray
    #: One per code; None for the missing value.
    labels: tuple[str | None, ...]


def list_traits(episodes: pd.DataFrame, names: Sequence[str]) -> list[Trait]:
    """Return the declared traits that have any value: ages and other numbers by ten, dates by year.

    ``names`` are columns of the episodes, or ``start_year``; where a source has ages and no bands,
    ``age_band`` is made from them.
    """
    traits = []
    for name in dict.fromkeys(names):
        values = _find_values(episodes, name)
        if values is not None and values.notna().any():
            traits.append(Trait(name, *_encode(values.astype("object"))))
    return traits


def _encode(values: pd.Series | np.ndarray) -> tuple[np.ndarray, tuple[str | None, ...]]:
    """Return values as codes and their texts, the missing value as None."""
    codes, labels = pd.factorize(values, use_na_sentinel=False)
    return codes.astype(np.int64), tuple(None if pd.isna(label) else str(label) for label in labels)


def _find_values(episodes: pd.DataFrame, name: str) -> pd.Series | None:
    if name in (_START_YEAR, "start_date"):
        dates = pd.to_datetime(episodes["start_date"]) if "start_date" in episodes else None
        return None if dates is None else dates.dt.year.astype("Int64").astype("str")
    if name == "age_band" and not ("age_band" in episodes and episodes["age_band"].notna().any()):
        name = "age_years"
    if name not in episodes:
        return None
    values: pd.Series = episodes[name]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        width = read_facts("gate")["traits"]["width"]
        low = (values // width * width).astype("Int64")
        bands: pd.Series = low.astype("str") + "-" + (low + width - 1).astype("str")
        return bands.where(values.notna())
    texts: pd.Series = values.astype("str")
    return texts


def count_alike(traits: Sequence[Trait], patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of each episode, and how many patients are in that of each patient.

    Episodes with the same traits are one group; ``patient`` is the patient of each, numbered from 0 on. A
    patient counts herself; where she is in several groups, the smallest one counts.
    """
    group = np.zeros(len(patient), dtype=np.int64)
    for trait in traits:
        _, group = np.unique(group * len(trait.labels) + trait.codes, return_inverse=True)
    n_patients = int(patient.max(initial=-1)) + 1
    pairs = np.unique(group * n_patients + patient)
    size = np.bincount(pairs // n_patients)
    alike = np.full(n_patients, len(patient), dtype=np.int64)
    np.minimum.at(alike, pairs % n_patients, size[pairs // n_patients])
    return group, alike


def coarsen(trait: Trait, patient: np.ndarray, fewest: int) -> tuple[Text, Trait] | None:
    """Return a trait with values merged, and how in words; None where it cannot be merged further.

    Bands of ages, numbers and years become twice as wide; of other traits the values of fewer than ``fewest``
    patients become one, with the missing value as a value like others.
    """
    lows = [_BAND.match(label) for label in trait.labels if label is not None]
    if lows and all(lows) and len(lows) > 1:
        return _widen(trait)
    n_patients = int(patient.max(initial=-1)) + 1
    pairs = np.unique(trait.codes * n_patients + patient)
    size = np.bincount(pairs // n_patients, minlength=len(trait.labels))
    rare = (size < fewest) & (size > 0)
    if rare.sum() < 2:
        return None
    place = np.where(rare, len(trait.labels), np.arange(len(trait.labels)))
    what = Text.of("findings_files.gate.coarser.rare", number=int(rare.sum()), trait=trait.name)
    return what, Trait(trait.name, place[trait.codes], (*trait.labels, "other"))


def _widen(trait: Trait) -> tuple[Text, Trait] | None:
    """Return bands twice as wide; None where all would be in one."""
    matches = [None if label is None else _BAND.match(label) for label in trait.labels]
    lows = [-1 if match is None else int(match[1]) for match in matches]
    steps = np.diff(sorted({low for low in lows if low >= 0}))
    width = 2 * int(steps.min())
    wide = [
        f"{low // width * width}-{low // width * width + width - 1}" if low >= 0 else None for low in lows
    ]
    if len({band for band in wide if band is not None}) < 2:
        return None
    codes, labels = _encode(np.array(wide, dtype=object))
    what = Text.of("findings_files.gate.coarser.steps", trait=trait.name, width=width)
    return what, Trait(trait.name, codes[trait.codes], labels)


def sort_outcomes(episodes: pd.DataFrame, assessments: pd.DataFrame, source: Source) -> np.ndarray | None:
    """Return the category of each episode's last change of the primary outcome, -1 without two scores.

    Better (2), much the same (1) and worse (0) are by the instrument's default threshold where that is an
    amount of points, otherwise by any change; None where the source names no primary outcome, or one without
    direction.
    """
    name = source.primary.get("instrument")
    if name is None:
        return None
    instrument = read_instrument(name)
    if instrument.direction == "none":
        return None
    mine = (assessments["instrument"].astype("str") == name) & assessments["score"].notna()
    if source.primary.get("variant"):
        mine &= (assessments["variant"].astype("str") == source.primary["variant"]).fillna(False)
    rows = assessments.loc[mine, ["episode_id", "timepoint", "day", "score"]]
    days = {id: entry.day for id, entry in read_timepoints().items()}
    days |= {id: entry["day"] for id, entry in source.timepoints.items()}
    labelled = rows["timepoint"].astype("object").map(days).astype("float64")
    order = rows["day"].astype("Float64").fillna(labelled.astype("Float64")).astype("float64")
    rows = rows.assign(order=order).dropna(subset=["order"]).sort_values("order", kind="stable")
    ends = rows.groupby("episode_id", observed=True)["score"].agg(["first", "last", "size"])
    ends = ends.loc[ends["size"] > 1]
    better = instrument.sign * (ends["last"] - ends["first"])
    threshold = instrument.default_threshold
    amount = threshold.value if threshold is not None and threshold.rule == "absolute" else np.nextafter(0, 1)
    category = 1 + (better >= amount).astype(int) - (better <= -amount).astype(int)
    return episodes["episode_id"].astype("object").map(category.to_dict()).fillna(-1).to_numpy(np.int64)
