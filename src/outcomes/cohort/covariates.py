"""Covariates and filters: only what was known at time zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import AnalysisError
from outcomes.facts import Column, list_instruments, read_facts, read_schema, read_words
from outcomes.records.tables import Records


def settle_covariates(records: Records, asked: Sequence[str] | None) -> Iterator[str]:
    """Yield the covariates asked for, or those that the source declares and somebody recorded.

    A covariate is a column of the episodes that is known at time zero, or the baseline score of another
    instrument, written ``instrument@baseline`` or ``instrument:variant@baseline``.

    Raises
    ------
    AnalysisError
        For a covariate measured after time zero, an unknown one, or one that was asked for and nobody
        recorded.
    """
    declared = records.source.primary.get("covariates", ()) if asked is None else ()
    chosen = declared if asked is None else asked
    for name in [chosen] if isinstance(chosen, str) else chosen:
        if declared and _is_blank(records, name):
            continue
        if "@" in name:
            _check_score(records, name)
        else:
            _check_column(records, name)
        yield name


def _is_blank(records: Records, name: str) -> bool:
    """Return whether a covariate is one that might have been recorded, and nobody did."""
    if "@" in name:
        instrument, _, timepoint = split_score(name)
        scored = records.assessments.loc[records.assessments["score"].notna(), "instrument"]
        return timepoint == "baseline" and instrument in list_instruments() and instrument not in set(scored)
    column = read_schema()["episodes"].get(name)
    return column is not None and column.covariate and bool(records.episodes[name].isna().all())


def split_score(name: str) -> tuple[str, str | None, str]:
    """Split ``nprs:average@baseline`` into instrument, variant and time point."""
    outcome, _, timepoint = name.partition("@")
    instrument, _, variant = outcome.partition(":")
    return instrument, variant or None, timepoint


def _check_score(records: Records, name: str) -> None:
    instrument, variant, timepoint = split_score(name)
    if timepoint != "baseline":
        raise AnalysisError(read_words().say("cohort.errors.covariate_later", name=name))
    recorded = records.assessments[["instrument", "variant"]].drop_duplicates()
    own = recorded.loc[recorded["instrument"] == instrument, "variant"]
    if not (own.isna() if variant is None else own == variant).any():
        known = sorted(
            f"{row.instrument}:{row.variant}" if isinstance(row.variant, str) else str(row.instrument)
            for row in recorded.itertuples()
        )
        raise AnalysisError(
            read_words().say("cohort.errors.covariate_score", name=name, known=", ".join(known))
        )


def _check_column(records: Records, name: str) -> None:
    columns = read_schema()["episodes"]
    words = read_words()
    known = [id for id, column in columns.items() if column.covariate and records.episodes[id].notna().any()]
    if name in known:
        return
    instruments = records.assessments["instrument"].dropna().unique()
    if name in columns and columns[name].covariate:
        raise AnalysisError(words.say("cohort.errors.covariate_empty", name=name, known=", ".join(known)))
    if name.partition(":")[0] in instruments:
        raise AnalysisError(words.say("cohort.errors.covariate_when", name=name))
    if name in columns or name in read_schema()["assessments"] or name in read_schema()["sessions"]:
        raise AnalysisError(
            words.say("cohort.errors.covariate_not_at_start", name=name, known=", ".join(known))
        )
    raise AnalysisError(words.say("cohort.errors.covariate_unknown", name=name, known=", ".join(known)))


def apply_filters(
    episodes: pd.DataFrame, where: Mapping[str, Any] | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield for each filter a reason in words and which episodes it excludes.

    Parameters
    ----------
    episodes : pandas.DataFrame
        One row per episode.
    where : mapping
        Column to a value, a list of values, or for numbers and dates ``(from, to)``, both included, None or
        empty text for an open end. None, empty text and a range open at both ends filter nothing.

    Raises
    ------
    AnalysisError
        For a column that is not known at time zero, or values that it cannot have.
    """
    columns = read_schema()["episodes"]
    allowed = [name for name, column in columns.items() if column.covariate] + read_facts("cohort")["filters"]
    for name, wanted in (where or {}).items():
        if name not in allowed:
            key = "filter_not_at_start" if name in columns else "filter_unknown"
            raise AnalysisError(read_words().say(f"cohort.errors.{key}", name=name, known=", ".join(allowed)))
        if _asks_nothing(wanted):
            continue
        column, values = columns[name], episodes[name]
        ranged = column.type in ("number", "integer", "date")
        inside, said = (_compare_range if ranged else _compare_values)(column, values, wanted)
        label = column.label or name.replace("_", " ")
        yield read_words().say("cohort.flow.outside_filter", label=label, wanted=said), ~inside


def _asks_nothing(wanted: Any) -> bool:
    ends = wanted if isinstance(wanted, tuple | list) else (wanted,)
    return all(end is None or (isinstance(end, str) and not end) for end in ends)


def _compare_range(column: Column, values: pd.Series, wanted: Any) -> tuple[np.ndarray, str]:
    if not isinstance(wanted, tuple | list) or len(wanted) != 2:
        raise AnalysisError(read_words().say("cohort.errors.filter_range", name=column.name))
    try:
        low, high = (_read_end(column, end) for end in wanted)
    except (TypeError, ValueError):
        raise AnalysisError(read_words().say("cohort.errors.filter_range", name=column.name)) from None
    inside = values.notna()
    if low is not None:
        inside = inside & (values >= low)
    if high is not None:
        inside = inside & (values <= high)
    kind = "both" if low is not None and high is not None else "from" if low is not None else "to"
    if column.type == "date" and kind != "both":
        kind = f"date_{kind}"
    said = read_words().say(f"cohort.ranges.{kind}", low=wanted[0], high=wanted[1], unit=column.unit)
    return inside.fillna(False).to_numpy(dtype=bool), said.strip()


def _read_end(column: Column, end: Any) -> Any:
    if end is None or (isinstance(end, str) and not end):
        return None
    return pd.Timestamp(end) if column.type == "date" else float(end)


def _compare_values(column: Column, values: pd.Series, wanted: Any) -> tuple[np.ndarray, str]:
    several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if column.type == "flag":
        if not all(isinstance(value, bool | np.bool_) for value in several):
            raise AnalysisError(read_words().say("cohort.errors.filter_flag", name=column.name))
    else:
        known = list(column.allowed) or sorted(str(value) for value in values.dropna().unique())
        for value in several:
            if value not in known:
                raise AnalysisError(
                    read_words().say("cohort.errors.filter_value", name=column.name, known=", ".join(known))
                )
    inside = values.isin(several).to_numpy(dtype=bool)
    labels = column.labels or {}
    return inside, " / ".join(labels.get(str(value), str(value)) for value in several)
