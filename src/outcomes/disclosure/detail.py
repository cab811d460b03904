"""How much detail a cohort bears, so that a page that leaves is not a field of "withheld"."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from outcomes.cohort import EVERY, Cohort, list_groups, select_cohort
from outcomes.disclosure.rules import check_audience, read_rules
from outcomes.facts import Listing, Name, Text, read_facts


def choose_detail(cohort: Cohort, audience: str = "stakeholder", *, k: int | None = None) -> Cohort:
    """Return the cohort in as much detail as its numbers of patients allow this audience to see.

    Tried in this order, each only where it is needed:

    1. Therapies of a declared group count as one, where fewer than k patients of one of them were seen at
       the start or at the primary time point.
    2. Where fewer than two therapies can then be shown, all of them are taken together.
    3. Where fewer than k patients of all were seen at the primary time point, the nearest earlier one at
       which there were enough takes its place; else the nearest later one.
    4. Time points at which fewer than half of the therapies can be shown are left out; the start and the
       primary one always stay.

    Parameters
    ----------
    cohort : Cohort
    audience : str
        For ``team`` nothing changes.
    k : int, optional
        As in `release`.

    Returns
    -------
    Cohort
        Of the same question, with `Cohort.detail` saying what was done and why; the given one where nothing
        was needed. What is done depends on numbers of distinct patients alone, never on their scores.

    Raises
    ------
    DisclosureError
        As `release`.

    Examples
    --------
    >>> from outcomes.synthetic import simulate_clinic
    >>> cohort = choose_detail(select_cohort(simulate_clinic(60, seed=1)))
    >>> list(cohort.therapies), len(cohort.detail)
    (['all_together'], 1)
    """
    check_audience(audience)
    if audience == "team":
        return cohort
    k = read_rules(k, cohort.source.disclosure_profile).k
    chosen, therapies = _merge_therapies(cohort, k)
    chosen, primary = _move_primary(chosen, k)
    chosen, times = _leave_out_times(chosen, k)
    said = (*therapies, *primary, *times)
    return replace(chosen, detail=said) if said else cohort


def _merge_therapies(cohort: Cohort, k: int) -> tuple[Cohort, list[Text]]:
    """Merge the groups of therapies of which one is too small; all therapies, where that is not enough."""
    groups = {
        name: ids for name, ids in list_groups(cohort.therapies).items() if set(ids) & _find_small(cohort, k)
    }
    merged = _ask_again(cohort, merge=list(groups)) if groups else cohort
    shown = _find_asked(merged, k) - _find_small(merged, k)
    fewest = read_facts("disclosure")["detail"]["therapies_at_least"]
    time = _name_time(cohort, cohort.primary)
    if len(_find_asked(cohort, k)) > 1 and len(shown) < fewest:
        names = Listing(_name_therapies(cohort, cohort.therapies), "comma")
        said = Text.of("detail.together", therapies=names, k=k, time=time)
        return _ask_again(cohort, merge=[EVERY]), [said]
    said_each = []
    for id, therapy in merged.therapies.items():
        if id not in cohort.therapies:
            group = Name("therapies", id, therapy.short_label)
            names = Listing(_name_therapies(cohort, groups[therapy.group]))
            said_each.append(Text.of("detail.merged", group=group, therapies=names, k=k, time=time))
    return merged, said_each


def _name_therapies(cohort: Cohort, ids: Iterable[str]) -> tuple[Name, ...]:
    return tuple(Name("therapies", id, cohort.therapies[id].short_label) for id in ids)


def _name_time(cohort: Cohort, id: str) -> Name:
    return Name("timepoints", id, cohort.timepoints[id].label)


def _find_asked(cohort: Cohort, k: int) -> set[str]:
    """Return the therapies but those whose patients, at least k, were not asked the measure at all."""
    whole = cohort.episodes.groupby("therapy", observed=True)["patient"].nunique()
    asked = cohort.table.loc[cohort.table["status"] != "not_asked", "therapy"].astype("str")
    return {id for id in cohort.therapies if whole.get(id, 0) < k or (asked == id).any()}


def _find_small(cohort: Cohort, k: int) -> set[str]:
    """Return the therapies of which fewer than k patients can be shown at the start or the primary time."""
    counts = _count_seen(cohort)
    has_start = _start(cohort) in _count_all(cohort)
    wanted = [_start(cohort), cohort.primary] if has_start else [cohort.primary]
    return {id for id in _find_asked(cohort, k) if min(counts.get((id, time), 0) for time in wanted) < k}


def _move_primary(cohort: Cohort, k: int) -> tuple[Cohort, list[Text]]:
    counts = _count_all(cohort)
    if len(cohort.therapies) > 1 or counts.get(cohort.primary, 0) >= k:
        return cohort, []
    order = [id for id in cohort.shown if id != _start(cohort) and cohort.timepoints[id].comparable]
    place = order.index(cohort.primary) if cohort.primary in order else len(order)
    nearest = [*reversed(order[:place]), *order[place + 1 :]]
    found = next((id for id in nearest if counts.get(id, 0) >= k), None)
    if found is None:
        return cohort, []
    names = {"time": _name_time(cohort, found), "asked": _name_time(cohort, cohort.primary)}
    said = Text.of("detail.primary", **names, k=k)
    return _ask_again(cohort, primary=found), [said]


def _leave_out_times(cohort: Cohort, k: int) -> tuple[Cohort, list[Text]]:
    counts = _count_seen(cohort)
    n_needed = read_facts("disclosure")["detail"]["share_of_therapies"] * len(cohort.therapies)
    empty = [
        time
        for time in cohort.shown
        if time not in (_start(cohort), cohort.primary)
        and sum(counts.get((id, time), 0) >= k for id in cohort.therapies) < n_needed
    ]
    # Where nothing can be shown at the primary time point either, there is nothing to make room for.
    if not empty or _count_all(cohort).get(cohort.primary, 0) < k:
        return cohort, []
    names = Listing(tuple(_name_time(cohort, time) for time in empty), "comma")
    key = "times" if len(cohort.therapies) > 1 else "times_one"
    said = Text.of(f"detail.{key}", times=names, k=k)
    kept = [time for time in cohort.shown if time not in empty]
    return _ask_again(cohort, timepoints=kept), [said]


def _ask_again(cohort: Cohort, **changed: Any) -> Cohort:
    return select_cohort(cohort.records, **{**cohort.asked, **changed})


def _start(cohort: Cohort) -> str:
    return next(iter(cohort.timepoints))


def _take_seen(cohort: Cohort) -> pd.DataFrame:
    """Return patient, therapy and time point of every score that a page would count."""
    table = cohort.table
    # A measure without a direction, or without a score at the start, has no improvement.
    value = table["improvement"] if table["improvement"].notna().any() else table["score"]
    has_value = value.notna()
    seen = table.loc[(table["status"] == "seen") & has_value, ["patient", "therapy", "timepoint"]]
    return seen.astype({"therapy": "str", "timepoint": "str"}).drop_duplicates()


def _count_seen(cohort: Cohort) -> Mapping[Hashable, int]:
    """Count the distinct patients of each therapy at each time point."""
    return _take_seen(cohort).groupby(["therapy", "timepoint"]).size().to_dict()


def _count_all(cohort: Cohort) -> Mapping[Hashable, int]:
    """Count the distinct patients of all therapies at each time point."""
    return _take_seen(cohort).groupby("timepoint")["patient"].nunique().to_dict()
