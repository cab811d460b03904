"""Whether a threshold was estimated in patients like those of a cohort."""

from collections.abc import Iterator

import pandas as pd

from outcomes.cohort import Cohort
from outcomes.facts import Listing, Name, Text, Threshold, read_facts, read_schema
from outcomes.records.absence import OPEN_REGION

#: What a threshold says of its patients, and the column of the episodes that says it of ours.
_COLUMNS = {"regions": "region", "causes": "cause", "durations": "duration"}


def describe_others(cohort: Cohort, threshold: Threshold) -> Text | None:
    """Name the patients a threshold was estimated in, if those here differ; None where (nearly) all fit."""
    differ = tuple(_list_differences(cohort, threshold))
    if not differ:
        return None
    place = f"{cohort.instrument.id}:{threshold.id}"
    population = Name("populations", place, threshold.population)
    return Text.of("methods.thresholds.estimated_in", population=population, differ=Listing(differ))


def describe_all_others(cohort: Cohort) -> dict[str, Text]:
    """Return the texts of `describe_others` by id of the threshold, where there is one."""
    said = {entry.id: describe_others(cohort, entry) for entry in cohort.instrument.thresholds}
    return {id: text for id, text in said.items() if text is not None}


def _list_differences(cohort: Cohort, threshold: Threshold) -> Iterator[Text]:
    for field, column in _COLUMNS.items():
        own = getattr(threshold, field)
        if own and column in cohort.episodes:
            values = cohort.episodes[column].dropna().astype("str")
            others = values[~values.isin([*own, OPEN_REGION])]
            if _are_many(len(others), len(values)):
                yield _say_difference(column, others, len(values))
    if threshold.treatments:
        groups = cohort.episodes["therapy"].map({id: it.group for id, it in cohort.therapies.items()})
        if _are_many(int((~groups.isin(threshold.treatments)).sum()), len(groups)):
            yield Text("methods.thresholds.differ_treatment")


def _say_difference(column: str, others: pd.Series, n: int) -> Text:
    """Say how patients differ, and what they have where most of them have the same."""
    counts = others.value_counts()
    if counts.iloc[0] <= n / 2:
        return Text(f"methods.thresholds.differ_{column}")
    level, labels = str(counts.index[0]), read_schema()["episodes"][column].labels or {}
    return Text.of(
        f"methods.thresholds.differ_{column}_most", level=Name(f"levels.{column}", level, labels[level])
    )


def _are_many(n_others: int, n: int) -> bool:
    limits = read_facts("checks")["regions"]
    return n_others >= max(limits["fewest"], limits["share"] * n)
