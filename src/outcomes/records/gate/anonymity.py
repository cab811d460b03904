"""How many patients share the same traits: the k report, counted over patients, never rows."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import Finding, PrivacyError
from outcomes.facts import Source, Text, Value, read_facts, read_instrument, read_timepoints
from outcomes.records.findings import describe

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
    starts = [None if low < 0 else low // width * width for low in lows]
    wide = [None if start is None else f"{start}-{start + width - 1}" for start in starts]
    if len({*wide} - {None}) < 2:
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
    if name is None or (instrument := read_instrument(name)).direction == "none":
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
