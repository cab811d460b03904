"""Refusals of what a question asks for: what is not known, and what is."""

from collections.abc import Iterable
from difflib import get_close_matches

from outcomes.errors import AnalysisError
from outcomes.facts import Text, Value
from outcomes.facts.instrument_file import match_instruments


def refuse(key: str, **values: Value) -> AnalysisError:
    """Return the error with a message of the catalogue's section ``cohort.errors``."""
    return AnalysisError(str(Text.of(f"cohort.errors.{key}", **values)))


def check_name(what: str, name: object, known: Iterable[object]) -> None:
    """Refuse a name that is not among those known; the message has the nearest, or all of them."""
    names = [str(entry) for entry in known]
    if name not in names:
        near = get_close_matches(str(name), names, n=1)
        if what == "instrument" and not near:
            near = [id for id in match_instruments(str(name)) if id in names]
        listed = ", ".join(names) or "-"
        if near:
            raise refuse("unknown_near", what=what, name=repr(name), near=repr(near[0]), known=listed)
        raise refuse("unknown", what=what, name=repr(name), known=listed)
