"""Therapies that count as one: those of a declared group, or all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from outcomes.facts import Therapy, read_facts, read_words

#: Stands for all therapies together where the names of groups are asked for.
EVERY = "all"


def list_groups(therapies: Mapping[str, Therapy]) -> dict[str, tuple[str, ...]]:
    """Return the declared groups that hold several of some therapies, each with their ids.

    Therapies of the group that a source's own ones get by default have nothing in common but that nobody
    said what they are, so that it is none.

    Examples
    --------
    >>> from outcomes.facts import read_therapies
    >>> known = read_therapies()
    >>> list_groups({id: known[id] for id in ("strengthening", "stretching", "manual_therapy", "other")})
    {'exercise': ('strengthening', 'stretching')}
    """
    undeclared = read_facts("cohort")["undeclared_group"]
    groups: dict[str, tuple[str, ...]] = {}
    for id, therapy in therapies.items():
        groups[therapy.group] = (*groups.get(therapy.group, ()), id)
    return {name: ids for name, ids in groups.items() if name != undeclared and len(ids) > 1}


def merge_therapies(
    therapies: Mapping[str, Therapy], merge: Sequence[str]
) -> tuple[dict[str, Therapy], dict[str, str]]:
    """Merge the therapies of some groups into one each.

    Parameters
    ----------
    therapies : mapping of Therapy
    merge : sequence of str
        Names of groups, or ``all``; those that hold fewer than two of the therapies change nothing.

    Returns
    -------
    dict of Therapy
        What remains, in order; a merged one stands where its first therapy stood, with that one's colour and
        marker, and its label names all of them.
    dict of str
        The id under which each of the therapies now counts.
    """
    groups = list_groups(therapies)
    if EVERY in merge and len(therapies) > 1:
        groups[EVERY] = tuple(therapies)
    counted = {id: id for id in therapies}
    made: dict[str, Therapy] = {}
    for name in (EVERY,) if EVERY in merge else merge:
        for id in groups.get(name, ()):
            merged = _build_merged(name, [therapies[one] for one in groups[name]])
            counted[id], made[merged.id] = merged.id, merged
    remaining = {counted[id]: made.get(counted[id], therapy) for id, therapy in therapies.items()}
    return remaining, counted


def _build_merged(group: str, therapies: Sequence[Therapy]) -> Therapy:
    say = read_words().say
    name = say("cohort.merged.every") if group == EVERY else group.replace("_", " ")
    label = say("cohort.merged.label", name=name, therapies=", ".join(one.short_label for one in therapies))
    first, palette = therapies[0], read_facts("appearance")["palette"]
    if group == EVERY:
        first = replace(first, colour=palette["whole_colour"], marker=palette["whole_marker"])
    # No therapy has such an id, so that nobody takes the group for one of its therapies.
    return replace(first, id=f"{group}_together", label=label, short_label=name, aliases=(), labels=None)
