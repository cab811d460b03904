"""What is typed on the command line, as the values that functions take."""

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

from outcomes.errors import AnalysisError, FactsError

#: Arguments of `select_cohort` that a user may give with ``-p``; the others have options of their own.
_TUPLES = {"timepoints", "therapies", "covariates"}


def split_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Split ``key=value`` texts.

    >>> split_pairs(["k=8", "where=site == 'A'"])
    {'k': '8', 'where': "site == 'A'"}
    """
    pairs: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise FactsError(f"-p takes key=value, such as -p k=8; it was given {text!r}.")
        if key.strip() in pairs:
            raise FactsError(f"-p {key.strip()} was given twice.")
        pairs[key.strip()] = value.strip()
    return pairs


def split_instrument(text: str | None) -> dict[str, str]:
    """Split ``nprs:average`` into instrument and variant.

    >>> split_instrument("nprs:average"), split_instrument("odi"), split_instrument(None)
    ({'instrument': 'nprs', 'variant': 'average'}, {'instrument': 'odi'}, {})
    """
    if not text:
        return {}
    id, _, variant = text.partition(":")
    return {"instrument": id, "variant": variant} if variant else {"instrument": id}


def read_value(text: str) -> Any:
    """Read a text as true or false, a number, none, or text.

    >>> read_value("true"), read_value("0.9"), read_value("3"), read_value("odi"), read_value("none")
    (True, 0.9, 3, 'odi', None)
    """
    words = {"true": True, "false": False, "none": None}
    if text.casefold() in words:
        return words[text.casefold()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def share_options(name: str, pairs: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Share out options between the choice of the cohort and the analysis."""
    from outcomes.analyses import read_analysis
    from outcomes.cohort import select_cohort

    of_cohort = dict(list(signature(select_cohort).parameters.items())[1:])
    of_analysis = dict(list(signature(read_analysis(name)).parameters.items())[1:])
    of_cohort.pop("where")  # has an option of its own
    allowed = {**of_cohort, **of_analysis}
    unknown = [key for key in pairs if key not in allowed]
    if unknown:
        raise AnalysisError(f"{name} takes no option {unknown[0]!r}; it takes: {', '.join(allowed)}.")
    chosen = {key: _read(key, text, allowed[key].default) for key, text in pairs.items()}
    return (
        {key: value for key, value in chosen.items() if key in of_cohort},
        {key: value for key, value in chosen.items() if key not in of_cohort},
    )


def _read(key: str, text: str, default: object) -> Any:
    """Read an option as the kind of value that its default is."""
    if key in _TUPLES:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    value = read_value(text)
    kinds = {bool: bool, int: int, float: int | float, str: str}
    kind = kinds.get(type(default), object)
    if isinstance(default, str):
        return text
    if value is not None and (not isinstance(value, kind) or (kind is not bool and value is True)):
        raise AnalysisError(f"-p {key} takes a value such as {default!r}.")
    return value
