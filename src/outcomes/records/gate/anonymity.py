"""How many patients share the same traits: the k report, counted over patients, never rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import Finding, PrivacyError
from outcomes.facts import Source, Text, Value, read_facts
from outcomes.records.findings import describe
from outcomes.records.gate.traits import Trait, coarsen, count_alike, list_traits, sort_outcomes


@dataclass(frozen=True)
class Anonymity:
    """How many patients share the traits by which they might be recognised."""

    #: The declared traits that are recorded.
    traits: tuple[str, ...]
    n_patients: int
    #: Size of a group below which patients are counted as in a small one.
    k_min: int
    #: Patients in the smallest group.
    smallest: int
    #: Size to the number of patients in groups smaller than that; below 2 they are alone.
    below: Mapping[int, int]
    #: Of being recognised by who knows all traits: one over the size of the group, proportions.
    average_risk: float
    largest_risk: float
    #: Patients in groups of two or more in which all with a known outcome share its category, so that the
    #: group tells it; None where the source has no primary outcome whose change can be sorted.
    n_alike_outcome: int | None
    #: The smallest number of outcome categories in a group of two or more (l-diversity).
    least_diversity: int | None
    #: ``what`` is done, and how many patients are then in groups below ``k_min`` (``left``); the best first.
    advice: tuple[Mapping[str, Any], ...] = ()

    @property
    def n_small(self) -> int:
        """Patients in groups below ``k_min``."""
        return self.below[self.k_min]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per figure: ``what`` and ``value``."""
        figures: dict[str, Any] = {"patients": self.n_patients, "smallest group": self.smallest}
        figures |= {f"patients in groups below {size}": number for size, number in self.below.items()}
        alone = self.below[2] / max(self.n_patients, 1)
        shares = {"share alone": alone, "average risk": self.average_risk, "largest risk": self.largest_risk}
        figures |= {f"{what}, %": round(100 * share, 1) for what, share in shares.items()}
        if self.least_diversity is not None:
            figures["fewest outcomes in a group"] = self.least_diversity
            figures["patients whose group tells the outcome"] = self.n_alike_outcome
        return pd.DataFrame(list(figures.items()), columns=["what", "value"])


def measure_anonymity(episodes: pd.DataFrame, assessments: pd.DataFrame, source: Source) -> Anonymity | None:
    """Count how many patients share their traits; None where no patient or no declared trait is recorded.

    A patient with several episodes counts with the most telling of them. A missing value is a value.
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
    single = [
        {"what": what, "left": _judge(changed, patient, k_min)[0]}
        for _, what, changed in _list_changes(traits, patient, k_min, leave_out=True)
    ]
    plans = [_change_step_by_step(list(traits), patient, k_min, leave_out) for leave_out in (False, True)]
    before = _judge(traits, patient, k_min)[0]
    found = {entry["what"]: entry for entry in [*single, *plans] if entry["left"] < before}
    return tuple(sorted(found.values(), key=lambda entry: (entry["left"], len(entry["what"]))))


def _judge(traits: Sequence[Trait], patient: np.ndarray, k_min: int) -> tuple[int, float]:
    """Return how many patients are in small groups, and the average risk."""
    alike = count_alike(traits, patient)[1]
    return int((alike < k_min).sum()), float((1 / alike).mean())


def _list_changes(
    traits: Sequence[Trait], patient: np.ndarray, k_min: int, *, leave_out: bool
) -> Iterator[tuple[str, str, list[Trait]]]:
    """Yield the name of a trait, what is done to it in words, and all traits after that."""
    for place, trait in enumerate(traits):
        before, after = traits[:place], traits[place + 1 :]
        merged = coarsen(trait, patient, k_min)
        if merged is not None:
            yield trait.name, str(merged[0]), [*before, merged[1], *after]
        if leave_out and len(traits) > 1:
            without = Text.of("findings_files.gate.coarser.without", trait=trait.name)
            yield trait.name, str(without), [*before, *after]


def _change_step_by_step(
    traits: list[Trait], patient: np.ndarray, k_min: int, leave_out: bool
) -> dict[str, Any]:
    """Change the trait that helps most, again and again: fewest in small groups, then least average risk."""
    limits = read_facts("gate")["traits"]
    done: dict[str, str] = {}
    counts: Counter[str] = Counter()
    best = _judge(traits, patient, k_min)
    for _ in range(limits["most_steps"]):
        changes = [
            (_judge(changed, patient, k_min), name, what, changed)
            for name, what, changed in _list_changes(traits, patient, k_min, leave_out=leave_out)
            if counts[name] < limits["most_merges"]
        ]
        step = min(changes, key=lambda change: change[0], default=None)
        if step is None or step[0] >= best or not best[0]:
            break
        best, name, what, traits = step
        done[name] = what
        counts[name] += 1
    together = Text.of("findings_files.gate.coarser.together", changes="\n".join(done.values()))
    return {"what": str(together), "left": best[0]}


def report_anonymity(found: Anonymity | None, source: Source, file: str | None) -> Finding | None:
    """Warn where patients share their traits with too few others, unless ``k_min`` is 0.

    A privacy profile of ``gate.toml`` may refuse that whatever ``k_min`` is.
    """
    if found is None:
        return None
    broken = _find_broken_limit(found, source)
    if broken is None and (source.k_min < 1 or found.smallest >= source.k_min):
        return None
    best = found.advice[0] if found.advice else {"what": None, "left": None}
    sizes: dict[str, Value] = {
        "small": found.n_small,
        "patients": found.n_patients,
        "smallest": found.smallest,
    }
    sizes |= {"others": found.k_min - 1, "left": best["left"]}
    traits = ", ".join(found.traits)
    worded = describe("gate.K_ANONYMITY", traits=traits, broken=broken, best=best["what"], **sizes)
    if broken is None:
        return Finding(outcome="accept_with_warning", file=file, **worded)
    profile = repr(source.privacy_profile)
    message = Text.of("findings_files.errors.few_alike", source=source.name, profile=profile)
    raise PrivacyError(message, [Finding(outcome="refuse_file", file=file, **worded)])


def _find_broken_limit(found: Anonymity, source: Source) -> Text | None:
    """Return which limit of the source's privacy profile is broken."""
    limits = read_facts("gate")["profiles"][source.privacy_profile]
    if found.smallest < limits.get("fewest", 0):
        return Text.of("findings_files.gate.profile.fewest", fewest=limits["fewest"])
    if "small" not in limits:
        return None
    small, most = limits["small"], limits["most_in_small"]
    if found.below[small] / found.n_patients <= most:
        return None
    return Text.of("findings_files.gate.profile.small", most=f"{most:.0%}", small=small)
