"""How many patients share the same traits: the k report, counted over patients, never rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import Finding, PrivacyError
from outcomes.facts import Source, read_facts
from outcomes.records.gate.outcome_categories import sort_outcomes
from outcomes.records.gate.traits import Trait, coarsen, count_alike, list_traits


@dataclass(frozen=True)
class Anonymity:
    """How many patients share the traits by which they might be recognised.

    Parameters
    ----------
    traits : tuple of str
        The declared traits that are recorded.
    n_patients : int
    k_min : int
        Size of a group below which patients are counted as in a small one.
    smallest : int
        Patients in the smallest group.
    below : mapping
        Size to the number of patients in groups smaller than that; below 2 they are alone.
    average_risk, largest_risk : float
        Of being recognised by who knows all traits: one over the size of the group, proportions.
    n_alike_outcome : int or None
        Patients in groups of two or more in which all with a known outcome share its category, so that the
        group tells it; None where the source has no primary outcome whose change can be sorted.
    least_diversity : int or None
        The smallest number of outcome categories in a group of two or more (l-diversity).
    advice : tuple of mappings
        ``what`` is done, and how many patients are then in groups below ``k_min`` (``left``); the best first.
    """

    traits: tuple[str, ...]
    n_patients: int
    k_min: int
    smallest: int
    below: Mapping[int, int]
    average_risk: float
    largest_risk: float
    n_alike_outcome: int | None
    least_diversity: int | None
    advice: tuple[Mapping[str, Any], ...] = ()

    @property
    def n_small(self) -> int:
        """Patients in groups below ``k_min``."""
        return self.below[self.k_min]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per figure: ``what`` and ``value``."""
        rows: list[tuple[str, Any]] = [("patients", self.n_patients), ("smallest group", self.smallest)]
        rows += [(f"patients in groups below {size}", number) for size, number in self.below.items()]
        rows += [
            ("share alone, %", round(100 * self.below[2] / max(self.n_patients, 1), 1)),
            ("average risk, %", round(100 * self.average_risk, 1)),
            ("largest risk, %", round(100 * self.largest_risk, 1)),
        ]
        if self.least_diversity is not None:
            rows.append(("fewest outcomes in a group", self.least_diversity))
            rows.append(("patients whose group tells the outcome", self.n_alike_outcome))
        return pd.DataFrame(rows, columns=["what", "value"])


def measure_anonymity(episodes: pd.DataFrame, assessments: pd.DataFrame, source: Source) -> Anonymity | None:
    """Count how many patients share their traits.

    A patient with several episodes counts with the most telling of them. A missing value is a value.

    Parameters
    ----------
    episodes, assessments : pandas.DataFrame
        As in `Records`.
    source : Source
        Its ``quasi_identifiers``, ``k_min`` and ``primary`` outcome.

    Returns
    -------
    Anonymity or None
        None where there is no patient or no declared trait is recorded.

    Notes
    -----
    k-anonymity: Sweeney 2002, doi:10.1142/S0218488502001648; l-diversity: Machanavajjhala 2007,
    doi:10.1145/1217299.1217302.
    """
    traits = list_traits(episodes, source.quasi_identifiers)
    if episodes.empty or not traits:
        return None
    patient = pd.factorize(episodes["patient_id"])[0].astype(np.int64)
    group, alike = count_alike(traits, patient)
    k_min = max(source.k_min, 2)
    sizes = sorted({*read_facts("gate")["traits"]["sizes"], k_min})
    told = sort_outcomes(episodes, assessments, source)
    return Anonymity(
        traits=tuple(trait.name for trait in traits),
        n_patients=len(alike),
        k_min=k_min,
        smallest=int(alike.min()),
        below={size: int((alike < size).sum()) for size in sizes},
        average_risk=float((1 / alike).mean()),
        largest_risk=float(1 / alike.min()),
        **_measure_diversity(group, patient, told),
        advice=_advise(traits, patient, k_min) if alike.min() < k_min else (),
    )


def _measure_diversity(
    group: np.ndarray, patient: np.ndarray, told: np.ndarray | None
) -> dict[str, int | None]:
    """Count the outcome categories of groups of two or more patients with a known outcome."""
    if told is None or not (told >= 0).any():
        return {"n_alike_outcome": None, "least_diversity": None}
    table = pd.DataFrame({"group": group, "patient": patient, "told": told})
    known = table.loc[table["told"] >= 0].groupby("group")["told"].nunique()
    size = table.groupby("group")["patient"].nunique()
    known = known.loc[size.loc[known.index] > 1]
    telling = known.index[known == 1]
    return {
        "n_alike_outcome": int(table.loc[table["group"].isin(telling), "patient"].nunique()),
        "least_diversity": int(known.min()) if len(known) else None,
    }


def _advise(traits: Sequence[Trait], patient: np.ndarray, k_min: int) -> tuple[dict[str, Any], ...]:
    """Return what traits merged or left out would do, one by one and together, measured."""
    before = _count_small(traits, patient, k_min)
    single = [
        {"what": what, "left": _count_small(changed, patient, k_min)}
        for _, what, changed in _list_changes(traits, patient, k_min, leave_out=True)
    ]
    plans = [_change_step_by_step(list(traits), patient, k_min, leave_out) for leave_out in (False, True)]
    found = {entry["what"]: entry for entry in [*single, *plans] if entry["left"] < before}
    return tuple(sorted(found.values(), key=lambda entry: (entry["left"], len(entry["what"]))))


def _count_small(traits: Sequence[Trait], patient: np.ndarray, k_min: int) -> int:
    return int((count_alike(traits, patient)[1] < k_min).sum())


def _list_changes(
    traits: Sequence[Trait], patient: np.ndarray, k_min: int, *, leave_out: bool
) -> Iterator[tuple[str, str, list[Trait]]]:
    """Yield the name of a trait, what is done to it in words, and all traits after that."""
    for place, trait in enumerate(traits):
        before, after = traits[:place], traits[place + 1 :]
        merged = coarsen(trait, patient, k_min)
        if merged is not None:
            yield trait.name, merged[0], [*before, merged[1], *after]
        if leave_out and len(traits) > 1:
            yield trait.name, f"without {trait.name}", [*before, *after]


def _change_step_by_step(
    traits: list[Trait], patient: np.ndarray, k_min: int, leave_out: bool
) -> dict[str, Any]:
    """Change the trait that helps most, again and again: fewest in small groups, then least average risk."""
    limits = read_facts("gate")["traits"]
    done: dict[str, str] = {}
    counts: Counter[str] = Counter()

    def judge(chosen: Sequence[Trait]) -> tuple[int, float]:
        alike = count_alike(chosen, patient)[1]
        return int((alike < k_min).sum()), float((1 / alike).mean())

    best = judge(traits)
    for _ in range(limits["most_steps"]):
        changes = [
            (judge(changed), name, what, changed)
            for name, what, changed in _list_changes(traits, patient, k_min, leave_out=leave_out)
            if counts[name] < limits["most_merges"]
        ]
        step = min(changes, key=lambda change: change[0], default=None)
        if step is None or step[0] >= best or not best[0]:
            break
        best, name, what, traits = step
        done[name] = what
        counts[name] += 1
    return {"what": " and ".join(done.values()), "left": best[0]}


def report_anonymity(found: Anonymity | None, source: Source, file: str | None) -> Finding | None:
    """Warn where patients share their traits with too few others; refuse that where the profile is strict.

    Parameters
    ----------
    found : Anonymity or None
    source : Source
        ``k_min`` of 0 asks for no warning; its privacy profile may refuse whatever ``k_min`` is.
    file : str or None
        What the finding names.

    Raises
    ------
    PrivacyError
        Under a profile that refuses (`gate.toml`), when the smallest group is too small or too many patients
        are in small ones.
    """
    if found is None:
        return None
    strict = _breaks_profile(found, source)
    if not strict and (source.k_min < 1 or found.smallest >= source.k_min):
        return None
    what = (
        f"{found.n_small} of {found.n_patients} patients have fewer than {found.k_min - 1} others who are "
        f"like them in {', '.join(found.traits)}; the smallest group has {found.smallest}{strict}"
    )
    best = f"{found.advice[0]['what']} would leave {found.advice[0]['left']}; " if found.advice else ""
    remedy = f"{best}the records stay personal data either way"
    outcome = "refuse_file" if strict else "accept_with_warning"
    finding = Finding("K_ANONYMITY", outcome, what, file, remedy=remedy)
    if strict:
        raise PrivacyError(
            f"{source.name} was not read: too few patients share their traits for the privacy profile "
            f"{source.privacy_profile!r}. Merge values by codes, or leave a column out.",
            [finding],
        )
    return finding


def _breaks_profile(found: Anonymity, source: Source) -> str:
    """Return which limit of the source's privacy profile is broken, in words; nothing where none is."""
    limits = read_facts("gate")["profiles"][source.privacy_profile]
    if found.smallest < limits.get("fewest", 0):
        return f"; this profile refuses groups below {limits['fewest']}"
    if "small" not in limits:
        return ""
    share = found.below[limits["small"]] / found.n_patients
    most = limits["most_in_small"]
    return (
        f"; this profile refuses more than {most:.0%} in groups below {limits['small']}"
        if share > most
        else ""
    )
