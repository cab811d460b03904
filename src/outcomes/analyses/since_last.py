"""What changed since the last release: how much comes from definitions, new episodes and revised records."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._declaration import conclude, conclude_nothing, say, trace_origin
from outcomes.analyses._grid import Rows
from outcomes.analyses.headline import list_headline
from outcomes.cohort import Cohort, Snapshot, reselect_cohort
from outcomes.cohort.snapshot import (
    add_new_episodes,
    compare_episodes,
    describe_definitions,
    rebuild_records,
)
from outcomes.errors import AnalysisError
from outcomes.facts import Listing, Text, read_facts
from outcomes.records import Records
from outcomes.result import ALL, Result

__all__ = ["split_changes"]

#: What tells one headline number from the next, in every release.
KEYS = ("outcome", "statistic", "level", "group", "versus", "timepoint")
#: The parts of a difference, in the order in which what they stand for is applied.
PARTS = ("definitions", "new_episodes", "revised_records")


def split_changes(cohort: Cohort, *, by: str = "therapy", earlier: Snapshot | None = None) -> Result:
    """Split the difference of each headline number from the last release into what it comes from.

    The numbers are computed four times: as the last release had them; from its records with today's
    definitions and code; from these with the episodes that came since; and from today's records. Each part is
    the difference of two neighbours, so that the parts sum to the whole. Definitions come first because
    yesterday's code cannot be run today, whereas yesterday's records can be kept.

    Parameters
    ----------
    cohort : Cohort
        Of today.
    by : str
        Column whose values are the groups.
    earlier : Snapshot, optional
        What was kept of the last release; without it there is nothing to compare with.

    Returns
    -------
    Result
        For the team. ``n_episodes_changed`` with ``term`` ``new``, ``revised`` and ``gone``. Per headline
        number (``term`` its statistic): ``before``, ``definitions``, ``new_episodes``, ``revised_records``
        and ``after``, in its unit, rounded as they are shown, so that ``before`` plus the three parts is
        ``after``; ``x`` is the number of patients. A number that the last release did not have has ``after``
        alone. Where the files of records are the same, all of the difference is ``definitions``.

    Raises
    ------
    AnalysisError
        When there is no column ``by``.
    """
    if earlier is None:
        return conclude_nothing("since_last", cohort, say("since_last.none"))
    steps, warnings = _compute_steps(cohort, by, earlier)
    patients = np.unique(cohort.episodes["patient"].to_numpy("int64"))
    rows = Rows(timepoint=cohort.primary)
    _count_episodes(rows, cohort, earlier)
    for number in steps.to_dict("records"):
        _add_number(rows, {str(name): value for name, value in number.items()}, patients)
    label = earlier.label or say("since_last.last")
    method, origin = say("since_last.method", label=label), replace(trace_origin(cohort), earlier=label)
    return conclude("since_last", cohort, rows, method=method, warnings=warnings, origin=origin)


def _compute_steps(cohort: Cohort, by: str, earlier: Snapshot) -> tuple[pd.DataFrame, list[Text]]:
    """Return the headline numbers before, in between and after, one row per number; and what to know."""
    records, today = cohort.records, describe_definitions(cohort)
    changed = [name for name, value in today.items() if earlier.definitions.get(name) != value]
    same_files = bool(earlier.files) and dict(earlier.files) == dict(records.files)
    after = _list_numbers(cohort, by)
    if same_files:  # nothing came and nobody revised: whatever is read otherwise is read by other rules
        between = {"with_definitions": after, "with_new": after}
    else:
        between = {
            "with_definitions": _recompute(cohort, rebuild_records(earlier, records), by),
            "with_new": _recompute(cohort, add_new_episodes(earlier, records), by),
        }
    if _has_passing_ids(cohort):
        between["with_new"] = between["with_definitions"]
    names = Listing(tuple(say(f"since_last.definition.{name}") for name in changed))
    definitions = say("since_last.changed_definitions", names=names)
    warnings = [definitions if changed else say("since_last.same_definitions")]
    if not same_files and {"source", "code"} & set(changed):
        warnings.append(say("since_last.read_otherwise"))
    if _has_passing_ids(cohort):
        warnings.append(say("since_last.passing_ids"))
    return _line_up({"before": _keep_keys(earlier.headline), **between, "after": after}), warnings


def _recompute(cohort: Cohort, records: Records, by: str) -> pd.DataFrame:
    """Return the headline numbers of other records under today's question; none where it has no answer."""
    try:
        return _list_numbers(reselect_cohort(cohort, records), by)
    except AnalysisError:
        return pd.DataFrame(columns=[*KEYS, "unit", "estimate", "n"])


def _list_numbers(cohort: Cohort, by: str) -> pd.DataFrame:
    return _keep_keys(list_headline(cohort, by=by).table)


def _keep_keys(table: pd.DataFrame) -> pd.DataFrame:
    """Return what is compared of headline numbers; their keys as texts, empty where they do not apply."""
    keys = table[list(KEYS)].astype("object")
    return table.assign(**keys.where(keys.notna(), "").astype("str"))[[*KEYS, "unit", "estimate", "n"]]


def _has_passing_ids(cohort: Cohort) -> bool:
    """Return whether ids are made of line numbers, which another row before them changes."""
    return any(spec.patient == "one per row" for spec in cohort.source.files)


def _line_up(numbers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per headline number of today, with its value at each step, rounded as it is shown."""
    lined = numbers["after"][[*KEYS, "unit"]]
    for step, table in numbers.items():
        held = table[[*KEYS, "estimate", "n"]].rename(columns={"estimate": step, "n": f"n_{step}"})
        lined = lined.merge(held, on=list(KEYS), how="left", validate="one_to_one")
    decimals = read_facts("monitoring")["since_last"]["decimals"]
    for step in numbers:
        rounded = [
            _round(value, decimals.get(unit, decimals["other"]))
            for value, unit in zip(lined[step].astype("float64"), lined["unit"], strict=True)
        ]
        lined[step] = pd.Series(rounded, index=lined.index, dtype="object")
    return lined


def _round(value: float, decimals: int) -> Decimal | None:
    if np.isnan(value):
        return None
    return Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)


def _count_episodes(rows: Rows, cohort: Cohort, earlier: Snapshot) -> None:
    for term, ids in compare_episodes(earlier, cohort.records).items():
        place = {"statistic": "n_episodes_changed", "term": term, "group": ALL}
        rows.add_of(np.array([], dtype=int), **place, estimate=len(ids), unit="episodes")


def _add_number(rows: Rows, held: Mapping[str, Any], patients: np.ndarray) -> None:
    """Add the rows of one headline number."""
    place = {name: held[name] or None for name in ("outcome", "level", "group", "versus")}
    shared = {**place, "term": held["statistic"], "unit": held["unit"]}
    values = [held[step] for step in ("before", "with_definitions", "with_new", "after")]
    found: dict[str, Decimal | None] = {"before": values[0]}
    for name, first, second in zip(PARTS, values[:-1], values[1:], strict=True):
        found[name] = second - first if first is not None and second is not None else None
    found["after"] = values[-1]
    for statistic, value in found.items():
        if values[0] is not None or statistic == "after":
            known = {"estimate": float(value)} if value is not None else {"state": "too_few"}
            x = held.get(f"n_{statistic}", np.nan)
            rows.add_of(patients, statistic=statistic, x=x, **shared, **known)
