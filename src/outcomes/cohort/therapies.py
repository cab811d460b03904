"""The therapies of a source: the known ones, its own, and those that count as one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from outcomes.cohort.refusals import refuse
from outcomes.errors import FactsError
from outcomes.facts import Listing, Source, Text, Therapy, read_facts, read_therapies
from outcomes.result import ALL

#: Keys of a source's therapy that say when it is known, not what it is.
_OF_THE_SOURCE = ("known_at_start",)
#: Stands for all therapies together where the names of groups are asked for.
EVERY = ALL


def build_therapies(source: Source) -> Mapping[str, Therapy]:
    """Return the known therapies and the source's own by id, in order.

    A therapy of the source's own that says neither colour nor marker takes the next pair of the palette that
    no other therapy of the source has. One with a known id changes only what it says.
    """
    therapies = dict(read_therapies())
    for id, content in source.therapies.items():
        known = therapies.get(id)
        base = vars(known) if known else _draft_therapy(id, content, len(therapies), source)
        own = {key: value for key, value in content.items() if key not in _OF_THE_SOURCE}
        unknown = set(own) - set(base)
        if unknown:
            allowed = ", ".join([*base, *_OF_THE_SOURCE])
            raise FactsError(
                f"{source.name}, [therapies.{id}]: unknown key {sorted(unknown)[0]!r}; allowed are {allowed}"
            )
        therapies[id] = Therapy(**{**base, **own, "aliases": tuple(own.get("aliases", base["aliases"]))})
    return therapies


def _draft_therapy(id: str, content: Mapping[str, object], order: int, source: Source) -> dict[str, object]:
    """Return what a therapy is when its source says no more than its id and a label."""
    label = str(content.get("label", id.replace("_", " ")))
    own = [name for name in source.therapies if name not in read_therapies()]
    palette = [(entry.colour, entry.marker) for entry in read_therapies().values()]
    colour, marker = palette[own.index(id) % len(palette)]
    group = read_facts("cohort")["undeclared_group"]
    shown = {"colour": colour, "marker": marker, "order": order, "aliases": (), "labels": None}
    return {"id": id, "label": label, "short_label": label, "group": group, **shown}


def list_late_labels(source: Source) -> tuple[str, ...]:
    """Return the source's therapies whose label is only known after later sessions."""
    return tuple(id for id, content in source.therapies.items() if not content.get("known_at_start", True))


def check_therapy_rule(source: Source) -> None:
    """Refuse a rule for therapies that needs what happened after time zero."""
    allowed = read_facts("cohort")["therapy_rules"]
    rule = source.primary.get("therapy_rule", allowed[0])
    if rule not in allowed:
        raise refuse("therapy_rule", rule=repr(rule), allowed=", ".join(allowed))


def list_groups(therapies: Mapping[str, Therapy]) -> dict[str, tuple[str, ...]]:
    """Return the declared groups that hold several of some therapies, each with their ids.

    Therapies of the group that a source's own ones get by default have nothing in common but that nobody
    said what they are, so that it is none.

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
    """Merge the therapies of some groups, or of ``all``, into one each; return them, and old id to new.

    A group with fewer than two of the therapies changes nothing. A merged therapy stands where its first one
    stood, with that one's colour and marker, and its label names all of them.
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
    name = str(Text.of("cohort.merged.every")) if group == EVERY else group.replace("_", " ")
    names = Listing(tuple(one.short_label for one in therapies), "comma")
    label = str(Text.of("cohort.merged.label", name=name, therapies=names))
    first, palette = therapies[0], read_facts("appearance")["palette"]
    if group == EVERY:
        first = replace(first, colour=palette["whole_colour"], marker=palette["whole_marker"])
    # No therapy has such an id, so that nobody takes the group for one of its therapies.
    return replace(first, id=f"{group}_together", label=label, short_label=name, aliases=(), labels=None)
