"""`Source`: how one clinic's or study's files are to be read, from a source TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.file_spec import AbsenceSpec, ExcludeSpec, FileSpec, RowsSpec, ScoreSpec
from outcomes.facts.toml import (
    build_strictly,
    find_project,
    list_facts,
    read_facts,
    read_numbers,
    read_toml,
    refuse_questions,
)


@dataclass(frozen=True)
class Source:
    """A source of treatment records: its files, its own names, and what it says of itself."""

    #: Short name without blanks, such as ``verwoerd-2024``.
    name: str
    #: Such as "Verwoerd 2024, neck pain in Dutch physiotherapy practices".
    label: str
    #: ``[[file]]``
    files: tuple[FileSpec, ...]
    #: ``routine`` or ``randomised``; wording follows.
    design: str = "routine"
    #: Whether the records are invented, which every page then says.
    made_up: bool = False
    #: Whether patient ids are record numbers, replaced at the door by a keyed hash.
    rekey: bool = False
    #: What may be read: ``local`` (dates may be read, never leave), ``strict`` (the same, and refused where
    #: too few patients share their traits) or ``safe_harbor`` (only days and years).
    privacy_profile: str = "local"
    #: What may leave: ``standard``, ``nhs``, ``opensafely`` or ``safe_harbor``, the rules by which pages for
    #: stakeholders are made; see ``facts/disclosure.toml``.
    disclosure_profile: str = "standard"
    #: Proportion of refused records, and of refused scores, above which nothing is made.
    max_refused_share: float = 0.05
    #: Date (ISO) the records were taken; where absent, the newest date in them.
    extracted_on: str | None = None
    #: Name of the clinic's zone, for timestamps.
    time_zone: str | None = None
    #: ``instrument, variant, timepoint, reference, covariates, threshold, thresholds``: what reports ask by
    #: default; ``threshold`` and ``thresholds`` are used beside the instrument's own default.
    primary: Mapping[str, Any] = field(default_factory=dict)
    #: Time points of its own, ``[timepoints.ID]``.
    timepoints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Therapies of its own, ``[therapies.ID]``.
    therapies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: ``{instrument, mean, sd, retest_correlation, citation}``: needed to bound regression to the mean.
    reference_scores: tuple[Mapping[str, Any], ...] = ()
    #: Id of an instrument to what becomes of its scores of patients whose region it is not made for: ``keep``
    #: or ``leave_out``.
    other_regions: Mapping[str, str] = field(default_factory=dict)
    #: Sentences for a page's "What this cannot show"; in the TOML one may be ``{says, affects}``.
    caveats: tuple[str, ...] = ()
    #: What each caveat is about, ``start`` or ``follow_up``: it is then printed with those numbers too.
    caveats_about: Mapping[str, str] = field(default_factory=dict)
    #: How to cite the records.
    citation: str = ""
    #: Under which terms they may be used.
    licence: str = ""
    #: Words for page headers, such as "2018/19".
    period: str = ""
    #: An alias of the clinic for page headers.
    clinic: str = ""
    #: File of reviewed exceptions beside the source TOML.
    privacy_exceptions: str | None = None
    #: Columns of the episodes by which the k report counts who is alike; ``start_year`` is the year of
    #: ``start_date``.
    quasi_identifiers: tuple[str, ...] = ("age_band", "sex", "site", "therapy", "start_year")
    #: Number of patients below which the k report warns; 0 asks for no warning.
    k_min: int = 11
    #: Where its files lie unless the caller says otherwise.
    folder: Path | None = None


_BY_VALUE: dict[str, type[AbsenceSpec] | type[RowsSpec]] = {
    "answered": AbsenceSpec,
    "missing_where": AbsenceSpec,
    "only": RowsSpec,
    "without": RowsSpec,
}
_CHOICES = {
    "design": ("routine", "randomised"),
    "privacy_profile": ("local", "strict", "safe_harbor"),
    "rows": ("episode", "assessment", "session", "event"),
    "patient": ("by id", "one per row"),
    "date_order": ("year-first", "day-first", "month-first"),
    "date_calendar": ("gregorian", "roc", "excel1900", "excel1904"),
    "decimal": (".", ","),
    "within": (None, "site"),
}


def _take_caveat(entry: Mapping[str, Any], where: str) -> Any:
    is_known = entry.get("affects", "start") in ("start", "follow_up")
    if "says" not in entry or entry.keys() - {"says", "affects"} or not is_known:
        raise FactsError(f"{where}: a caveat is a sentence, or {{says, affects}}: start or follow_up.")
    return entry["says"]


def _tidy_answers(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return content as it is kept: days as numbers, a variant by itself, caveats as texts."""
    tidy = dict(content)
    if "timepoints" in tidy:
        keys = ("day", "first_day", "last_day")
        tidy["timepoints"] = {id: read_numbers(entry, keys) for id, entry in tidy["timepoints"].items()}
    caveats = [one if isinstance(one, Mapping) else {"says": one} for one in tidy.get("caveats", ())]
    tidy["caveats"] = [_take_caveat(entry, where) for entry in caveats]
    tidy["caveats_about"] = {entry["says"]: entry["affects"] for entry in caveats if "affects" in entry}
    primary = dict(tidy.get("primary", {}))
    id, colon, variant = str(primary.get("instrument", "")).partition(":")
    if colon:
        tidy["primary"] = {**primary, "instrument": id, "variant": variant}
    return tidy


def build_source(content: Mapping[str, Any], where: str, folder: Path | None = None) -> Source:
    """Build a `Source` from the content of a source TOML, whose name is ``where`` in messages."""
    refuse_questions(content, where)
    content = _tidy_answers(content, where)
    files = []
    for number, block in enumerate(content.pop("file", ()), start=1):
        place = f"{where}, [[file]] {number}"
        block = _take_lines(block, place)
        for key, kind in (("scores", ScoreSpec), ("exclude", ExcludeSpec)):
            block[key] = tuple(
                build_strictly(kind, _take_lines(entry, place), f"{place}, [[file.{key}]] {i}")
                for i, entry in enumerate(block.get(key, ()), start=1)
            )
        for key, by_value in _BY_VALUE.items():
            block[key] = _build_by_value(by_value, block.get(key, ()), f"{place}, {key}")
        block["columns"], block["joined"] = _split_joined(block, place)
        spec = build_strictly(FileSpec, block, place)
        _check_choices(spec, place)
        files.append(spec)
    if not files:
        raise FactsError(f"{where}: add at least one [[file]] block with path = ... and rows = ...")
    source = build_strictly(Source, {**content, "files": tuple(files), "folder": folder}, where)
    _check_choices(source, where)
    profile, known = source.disclosure_profile, read_facts("disclosure")["profiles"]
    if profile not in known:
        told = ", ".join(map(repr, known))
        raise FactsError(f"{where}: disclosure_profile = {profile!r} is not one of {told}")
    return source


def _take_lines(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a block in which answers that are lines, ``confirmed = ["within = 'site'"]``, are its keys."""
    answers = block.get("confirmed", ())
    lines = [answer for answer in answers if isinstance(answer, str) and "=" in answer]
    if not lines or isinstance(answers, str):
        return dict(block)
    found = {**block, "confirmed": [answer for answer in answers if answer not in lines]}
    try:
        taken = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise FactsError(f"{where}, confirmed: a line in it is no TOML: {error}") from error
    for key, value in taken.items():
        found[key] = {**found.get(key, {}), **value} if key == "columns" else value
    return found


def _build_by_value(
    kind: type[AbsenceSpec] | type[RowsSpec], content: Any, where: str
) -> tuple[AbsenceSpec | RowsSpec, ...]:
    """Build what goes by the values of a column, from one table or a list of them; values become text."""
    tables = (content,) if isinstance(content, Mapping) else tuple(content)
    found = []
    for table in tables:
        spec = build_strictly(kind, table, where)
        scores = spec.scores if isinstance(spec, AbsenceSpec) else ()
        if isinstance(spec.values, str | int | float) or not spec.values or isinstance(scores, str):
            raise FactsError(f'{where}: write lists, such as values = ["2"] (and scores = ["ODI"])')
        found.append(replace(spec, values=tuple(map(str, spec.values))))
    return tuple(found)


def _split_joined(block: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Return one header per column, and the ids that several headers make together."""
    columns, joined = dict(block.get("columns", {})), dict(block.get("joined", {}))
    for name, header in columns.items():
        if not isinstance(header, list | tuple):
            continue
        if name not in ("patient_id", "episode_id") or not header:
            raise FactsError(f"{where}, columns: {name} is one header; only ids are made of several")
        columns[name], joined[name] = header[0], tuple(header)
    return columns, joined


def _check_choices(spec: FileSpec | Source, where: str) -> None:
    for key, allowed in _CHOICES.items():
        value = getattr(spec, key, allowed[0])
        if value not in allowed:
            raise FactsError(f"{where}: {key} = {value!r} is not one of {', '.join(map(repr, allowed))}")


def read_source(name: str | Path) -> Source:
    """Read a source by the name of a shipped one, of one in ``data/sources/``, or by the path of its TOML.

    Parameters
    ----------
    name : str or Path

    Returns
    -------
    Source

    Raises
    ------
    FactsError
        When there is none of that name, or the TOML is wrong.

    Examples
    --------
    >>> read_source("ashar-2022").design
    'randomised'
    """
    path = Path(name)
    if path.suffix != ".toml":
        own = find_project() / "data" / "sources" / f"{name}.toml"
        if own.is_file():
            path = own
        elif str(name) in list_facts("sources"):
            return build_source(read_facts(f"sources/{name}"), f"{name}.toml")
        else:
            raise FactsError(f"There is no source {str(name)!r}; known are {', '.join(list_sources())}.")
    return build_source(read_toml(path), path.name, path.parent)


def list_sources() -> tuple[str, ...]:
    """Return the names of the shipped sources and of those in ``data/sources/``, sorted."""
    own = (path.stem for path in (find_project() / "data" / "sources").glob("*.toml"))
    return tuple(sorted({*list_facts("sources"), *own}))
