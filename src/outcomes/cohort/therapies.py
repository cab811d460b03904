"""The therapies of a source: those that everybody knows and those that it names itself."""

from __future__ import annotations

from collections.abc import Mapping

from outcomes.errors import AnalysisError, FactsError
from outcomes.facts import Source, Therapy, read_facts, read_therapies, read_words

#: Keys of a source's therapy that say when it is known, not what it is.
_OF_THE_SOURCE = ("known_at_start",)


def build_therapies(source: Source) -> Mapping[str, Therapy]:
    """Return the known therapies and the source's own by id, in order.

    A therapy of the source's own that says neither colour nor marker takes the next pair of the palette that
    no other therapy of the source has. One with a known id changes only what it says.

    Parameters
    ----------
    source : Source

    Returns
    -------
    mapping of Therapy

    Raises
    ------
    FactsError
        When a therapy of the source has an unknown key.
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
    return {
        "id": id,
        "label": label,
        "short_label": label,
        "group": read_facts("cohort")["undeclared_group"],
        "colour": colour,
        "marker": marker,
        "order": order,
        "aliases": (),
        "labels": None,
    }


def list_late_labels(source: Source) -> tuple[str, ...]:
    """Return the source's therapies whose label is only known after later sessions."""
    return tuple(id for id, content in source.therapies.items() if not content.get("known_at_start", True))


def check_therapy_rule(source: Source) -> None:
    """Refuse a rule for therapies that needs what happened after time zero.

    Raises
    ------
    AnalysisError
        When the source's ``primary`` declares another rule than the plan at time zero.
    """
    allowed = read_facts("cohort")["therapy_rules"]
    rule = source.primary.get("therapy_rule", allowed[0])
    if rule not in allowed:
        raise AnalysisError(
            read_words().say("cohort.errors.therapy_rule", rule=repr(rule), allowed=", ".join(allowed))
        )
