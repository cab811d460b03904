"""Reading instruments: those of the package, and those of the user's own project."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.instrument import (
    COMPARISONS,
    MATTERING,
    RULES,
    Instrument,
    Subscale,
    Threshold,
    narrow_scoring,
)
from outcomes.facts.schema import read_schema
from outcomes.facts.toml import (
    build_strictly,
    find_project,
    list_facts,
    read_facts,
    read_numbers,
    read_toml,
    refuse_questions,
)

_CHOICES = {
    "kind": ("MIC", "SCB", "MDC", "PASS"),
    "rule": RULES,
    "level": ("individual", "group", "between-group"),
    "comparison": COMPARISONS,
    "direction": ("higher_worse", "higher_better", "none"),
}
#: What the meaning of a single item's LOINC code says: an item is no score.
_ITEM = " item "
#: Instruments that a message suggests at most.
_SUGGESTED = 3


def read_instrument(name: str) -> Instrument:
    """Read an instrument by its id, one of the package or of the project's ``data/instruments/``.

    Parameters
    ----------
    name : str
        Such as ``"odi"``; see `list_instruments`. With a variant (``"koos:pain"``) the instrument as that
        variant sees it.

    Returns
    -------
    Instrument

    Raises
    ------
    FactsError
        When there is none of that name (the message suggests the nearest), or its file is wrong.

    Examples
    --------
    >>> read_instrument("odi").direction, read_instrument("koos:pain").scoring_rule.n_items
    ('higher_worse', 9)
    """
    id, _, variant = str(name).partition(":")
    own = _list_own().get(id)
    if own is not None:
        return _read_own(own, own.stat().st_mtime_ns, variant)
    if id not in _list_shipped():
        raise FactsError(f"There is no instrument {id!r}; {suggest_instrument(id)}")
    return _read_shipped(id, variant)


def match_instruments(name: str) -> list[str]:
    """Return ids of instruments that are meant by a name: the nearest id, else those whose name holds it.

    >>> match_instruments("odii"), match_instruments("Oswestri"), match_instruments("nothing such")
    (['odi'], ['odi'], [])
    """
    from difflib import get_close_matches

    known, asked = list_instruments(), name.casefold()
    if near := get_close_matches(asked, known, n=1):
        return near
    words = {id: f"{read_instrument(id).name} {read_instrument(id).short_name}".casefold() for id in known}
    held = [id for id, text in words.items() if len(asked) > 2 and asked in text]
    return held or [
        id for id, text in words.items() if get_close_matches(asked, text.split(), n=1, cutoff=0.8)
    ]


def suggest_instrument(name: str) -> str:
    """Return the end of a message about an unknown instrument: those it may mean, or where all are listed."""
    near = match_instruments(name)
    if near:
        return f"did you mean {' or '.join(map(repr, near[:_SUGGESTED]))}?"
    return "all that there are: outcomes instruments."


@cache
def _read_shipped(id: str, variant: str) -> Instrument:
    if variant:
        return _read_shipped(id, "").narrow(variant)
    return build_instrument(read_facts(f"instruments/{id}"), f"instruments/{id}.toml")


@cache
def _read_own(path: Path, changed_ns: int, variant: str) -> Instrument:
    if variant:
        return _read_own(path, changed_ns, "").narrow(variant)
    if path.stem in _list_shipped():
        raise FactsError(f"{path.name}: the package has an instrument {path.stem!r}; give yours another id.")
    content = read_toml(path)
    refuse_questions(content, path.name)
    content, scoring = read_numbers(content), content.get("scoring", {})
    if scoring.get("rule") == "single":  # the one answer has the range of the score
        ends = {f"item_{end}": content[end] for end in ("minimum", "maximum") if end in content}
        content["scoring"] = {**ends, "missing": "none_missing", **scoring}
    instrument = build_instrument(content, path.name)
    if instrument.id != path.stem:
        raise FactsError(f"{path.name}: id = {instrument.id!r} is not the name of the file.")
    return instrument


def build_instrument(content: Mapping[str, Any], where: str) -> Instrument:
    """Build an instrument from the content of its file, strictly."""
    content = dict(content)
    content["thresholds"] = _build_thresholds(content, where)
    content["subscales"] = {
        id: _build_subscale(entry, f"{where}, [subscales.{id}]")
        for id, entry in content.get("subscales", {}).items()
    }
    if content["subscales"]:
        content["variants"] = {"score": list(content["subscales"]), **content.get("variants", {})}
    instrument = build_strictly(Instrument, content, where)
    _check_choice("direction", instrument.direction, where)
    _check_levels("region", instrument.regions, where)
    _ = instrument.scoring_rule
    for subscale in instrument.subscales.values():
        _ = narrow_scoring(instrument.scoring_rule, subscale)
    return instrument


def _build_subscale(content: Mapping[str, Any], where: str) -> Subscale:
    subscale = build_strictly(Subscale, {**content, "thresholds": _build_thresholds(content, where)}, where)
    if subscale.direction is not None:
        _check_choice("direction", subscale.direction, where)
    return subscale


def _build_thresholds(content: Mapping[str, Any], where: str) -> list[Threshold]:
    return [
        _build_threshold(entry, f"{where}, [[thresholds]] {number}")
        for number, entry in enumerate(content.get("thresholds", ()), start=1)
    ]


def _build_threshold(content: Mapping[str, Any], where: str) -> Threshold:
    threshold = build_strictly(Threshold, content, where)
    for key in ("kind", "rule", "level", "comparison"):
        _check_choice(key, getattr(threshold, key), where)
    _check_levels("region", threshold.regions, where)
    _check_levels("cause", threshold.causes, where)
    _check_levels("duration", threshold.durations, where)
    if threshold.default and threshold.kind not in MATTERING:
        raise FactsError(f"{where}: kind = {threshold.kind!r} is error, not importance, so no default.")
    return threshold


def _check_levels(column: str, levels: tuple[str, ...], where: str) -> None:
    known = read_schema()["episodes"][column].allowed
    for level in levels:
        if level not in known:
            raise FactsError(f"{where}: {column}s: {level!r} is not one of {', '.join(map(repr, known))}")


def _check_choice(key: str, value: str, where: str) -> None:
    if value not in _CHOICES[key]:
        raise FactsError(f"{where}: {key} = {value!r} is not one of {', '.join(map(repr, _CHOICES[key]))}")


def list_instruments() -> tuple[str, ...]:
    """Return the ids of all instruments, sorted: the package's, and own ones whose file asks nothing."""
    own = {id for id, path in _list_own().items() if not _asks(path, path.stat().st_mtime_ns)}
    return tuple(sorted({*_list_shipped(), *own}))


@cache
def _asks(path: Path, changed_ns: int) -> bool:
    return '= "? ' in path.read_text(encoding="utf-8", errors="replace")


@cache
def _list_shipped() -> frozenset[str]:
    return frozenset(list_facts("instruments"))


def _list_own() -> dict[str, Path]:
    folder = find_project() / "data" / "instruments"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def list_loinc_codes() -> Mapping[str, str]:
    """Return the LOINC codes of all instruments and what each stands for, ``id`` or ``id:variant``.

    Codes of single items are left out.

    >>> list_loinc_codes()["97909-6"], list_loinc_codes()["76700-4"]
    ('odi', 'promis_pf_4a:v1_0')
    """
    codes: dict[str, str] = {}
    for id in list_instruments():
        instrument = read_instrument(id)
        codes |= {code: id for code, meaning in instrument.loinc.items() if _ITEM not in meaning}
        for variant, subscale in instrument.subscales.items():
            codes |= dict.fromkeys(subscale.loinc, f"{id}:{variant}")
    return codes
