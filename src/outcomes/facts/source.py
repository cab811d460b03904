"""`Source`: how one clinic's or study's files are to be read, from a source TOML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.errors import FactsError, Finding
from outcomes.facts.project import find_project
from outcomes.facts.toml import build_strictly, list_facts, read_facts, read_toml


@dataclass(frozen=True)
class ScoreSpec:
    """Where one score of a file stands.

    Parameters
    ----------
    instrument : str
        Id of the instrument.
    column : str
        Header of the column that holds the score, or, with ``items``, of a published total to check.
    items : tuple of str
        Headers of the item columns, in the instrument's order; the score is then computed.
    variant : str
        Variant of the instrument.
    timepoint : str
        In files with one row per episode: which time point these columns are.
    date_column : str
        In such files: header of the date of this assessment, where recorded.
    day_column : str
        The same as a day after time zero.
    scale : str
        How the clinic records it, one of the instrument's ``scales``.
    missing : tuple of str
        Codes that mean missing in these columns.
    item_policy : str
        Name of the missing-item policy; the instrument's default where absent.
    item_codes : mapping
        Code in the file to item value, where they differ.
    """

    instrument: str
    column: str | None = None
    items: tuple[str, ...] = ()
    variant: str | None = None
    timepoint: str | None = None
    date_column: str | None = None
    day_column: str | None = None
    scale: str | None = None
    missing: tuple[str, ...] = ()
    item_policy: str | None = None
    item_codes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ExcludeSpec:
    """Which records a source excludes, and why: those whose ``column`` holds one of ``values``.

    Excluded records are accepted, then counted in the flow.

    Parameters
    ----------
    column : str
        Header of the column that says so.
    values : tuple of str
        Codes in it.
    reason : str
        In words, as the flow prints it.
    """

    column: str
    values: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class FileSpec:
    """How one file, or several of one form, is to be read.

    Parameters
    ----------
    path : str
        File name or pattern (``*.csv``), relative to the folder that is being read.
    rows : str
        What one row is: ``episode`` (with scores of several time points beside each other),
        ``assessment``, ``session`` or ``event``.
    columns : mapping
        Column of the schema to header in the file. ``instrument``, ``variant`` and ``score`` may be
        mapped in a long file; ``date`` is the date of the row (assessment, session or event).
    codes : mapping of mappings
        For a column of the schema (or ``instrument``): code in the file to value of the schema.
    missing : tuple of str
        Codes that mean missing in every mapped column, beside the usual spellings.
    missing_codes : mapping
        The same for one column of the schema.
    scores : tuple of ScoreSpec
        ``[[file.scores]]``
    exclude : tuple of ExcludeSpec
        ``[[file.exclude]]``
    scales : mapping
        In a long file: instrument (with its variant where it has one) to how the clinic records it, one of
        the instrument's ``scales``.
    patient : str
        ``"by id"``, or ``"one per row"`` where a file has no patient column.
    header_row : int or tuple of int
        Line of the header, counted from 1; several lines of a merged header are joined by a space, a
        blank upper cell taking the one to its left.
    fill_down : tuple of str
        Headers whose blank cells repeat the cell above (merged cells).
    sheet : str
        Name of the sheet of an Excel file; the only visible one where absent.
    encoding : str
        Of a text file; UTF-8 where absent, unless the file begins with a mark that says otherwise.
    delimiter : str
        Of a text file; found from the header where absent.
    decimal : str
        ``.`` or ``,``.
    date_order : str
        ``year-first``, ``day-first`` or ``month-first``.
    date_calendar : str
        ``gregorian``, ``roc``, ``excel1900`` or ``excel1904``.
    therapy_separator : str
        What joins several therapies in one cell; such an episode is ``combined_pt`` only where
        ``codes.therapy`` says so for the joined text, otherwise it is refused.
    key_normalise : tuple of str
        ``strip``, ``casefold``: what may be done to ids so that spellings agree.
    constants : mapping
        Column of the schema to the one value that all rows of the file have (``region = "neck"``).
    top_code : mapping
        Column of the schema to the largest number that is kept; larger ones become it
        (``age_years = 89``).
    """

    path: str
    rows: str
    columns: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    missing_codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scores: tuple[ScoreSpec, ...] = ()
    exclude: tuple[ExcludeSpec, ...] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    patient: str = "by id"
    header_row: int | tuple[int, ...] = 1
    fill_down: tuple[str, ...] = ()
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    date_order: str = "year-first"
    date_calendar: str = "gregorian"
    therapy_separator: str | None = None
    key_normalise: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    top_code: Mapping[str, float] = field(default_factory=dict)

    @property
    def mapped(self) -> tuple[str, ...]:
        """Headers that are read; no other column is ever loaded."""
        headers = list(self.columns.values())
        for score in self.scores:
            headers += [name for name in (score.column, score.date_column, score.day_column) if name]
            headers += score.items
        headers += [entry.column for entry in self.exclude]
        return tuple(dict.fromkeys(headers))


@dataclass(frozen=True)
class Source:
    """A source of treatment records: its files, its own names, and what it says of itself.

    Parameters
    ----------
    name : str
        Short name without blanks, such as ``verwoerd-2024``.
    label : str
        Such as "Verwoerd 2024, neck pain in Dutch physiotherapy practices".
    files : tuple of FileSpec
        ``[[file]]``
    design : str
        ``routine`` or ``randomised``; wording follows.
    made_up : bool
        Whether the records are invented, which every page then says.
    rekey : bool
        Whether patient ids are record numbers, replaced at the door by a keyed hash.
    privacy_profile : str
        What may be read: ``local`` (dates may be read, never leave), ``strict`` (the same, and refused where
        too few patients share their traits) or ``safe_harbor`` (only days and years).
    disclosure_profile : str
        What may leave: ``standard``, ``nhs``, ``opensafely`` or ``safe_harbor``, the rules by which pages
        for stakeholders are made; see ``facts/disclosure.toml``.
    max_refused_share : float
        Proportion of refused records above which nothing is made.
    extracted_on : str
        Date (ISO) the records were taken; where absent, the newest date in them.
    time_zone : str
        Name of the clinic's zone, for timestamps.
    primary : mapping
        ``instrument, variant, timepoint, reference, covariates, threshold, thresholds``: what reports ask
        by default; ``threshold`` and ``thresholds`` are used beside the instrument's own default.
    timepoints : mapping
        Time points of its own, ``[timepoints.ID]``.
    therapies : mapping
        Therapies of its own, ``[therapies.ID]``.
    reference_scores : tuple of mappings
        ``{instrument, mean, sd, retest_correlation, citation}``: needed to bound regression to the mean.
    caveats : tuple of str
        Sentences for a page's "What this cannot show".
    citation : str
        How to cite the records.
    licence : str
        Under which terms they may be used.
    period : str
        Words for page headers, such as "2018/19".
    clinic : str
        An alias of the clinic for page headers.
    privacy_exceptions : str
        File of reviewed exceptions beside the source TOML.
    quasi_identifiers : tuple of str
        Columns of the episodes by which the k report counts who is alike; ``start_year`` is the year of
        ``start_date``.
    k_min : int
        Number of patients below which the k report warns; 0 asks for no warning.
    folder : Path or None
        Where its files lie unless the caller says otherwise.
    """

    name: str
    label: str
    files: tuple[FileSpec, ...]
    design: str = "routine"
    made_up: bool = False
    rekey: bool = False
    privacy_profile: str = "local"
    disclosure_profile: str = "standard"
    max_refused_share: float = 0.05
    extracted_on: str | None = None
    time_zone: str | None = None
    primary: Mapping[str, Any] = field(default_factory=dict)
    timepoints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    therapies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference_scores: tuple[Mapping[str, Any], ...] = ()
    caveats: tuple[str, ...] = ()
    citation: str = ""
    licence: str = ""
    period: str = ""
    clinic: str = ""
    privacy_exceptions: str | None = None
    quasi_identifiers: tuple[str, ...] = ("age_band", "sex", "site", "therapy", "start_year")
    k_min: int = 11
    folder: Path | None = None


_CHOICES = {
    "design": ("routine", "randomised"),
    "privacy_profile": ("local", "strict", "safe_harbor"),
    "rows": ("episode", "assessment", "session", "event"),
    "patient": ("by id", "one per row"),
    "date_order": ("year-first", "day-first", "month-first"),
    "date_calendar": ("gregorian", "roc", "excel1900", "excel1904"),
    "decimal": (".", ","),
}


def build_source(content: Mapping[str, Any], where: str, folder: Path | None = None) -> Source:
    """Build a `Source` from the content of a source TOML, refusing unknown keys and values.

    Parameters
    ----------
    content : mapping
        As read from TOML; ``[[file]]`` blocks under the key ``file``.
    where : str
        File name for messages.
    folder : Path, optional
        Where the source's files lie by default.

    Raises
    ------
    FactsError
        Naming the block, the key and what is allowed; for a draft, all its open questions.
    """
    _refuse_questions(content, where)
    content = dict(content)
    files = []
    for number, block in enumerate(content.pop("file", ()), start=1):
        place = f"{where}, [[file]] {number}"
        block = dict(block)
        for key, kind in (("scores", ScoreSpec), ("exclude", ExcludeSpec)):
            block[key] = tuple(
                build_strictly(kind, entry, f"{place}, [[file.{key}]] {i}")
                for i, entry in enumerate(block.get(key, ()), start=1)
            )
        spec = build_strictly(FileSpec, block, place)
        _check_choices(spec, place)
        files.append(spec)
    if not files:
        raise FactsError(f"{where}: add at least one [[file]] block with path = ... and rows = ...")
    source = build_strictly(Source, {**content, "files": tuple(files), "folder": folder}, where)
    _check_choices(source, where)
    _check_profile(source, where)
    return source


def _refuse_questions(content: Mapping[str, Any], where: str) -> None:
    """Refuse a draft in which a value still begins with "?", with every question that it asks."""
    findings = [
        Finding("QUESTION_OPEN", "refuse_file", f"{place} = {question}", where)
        for place, question in _find_questions(content, "")
    ]
    if findings:
        raise FactsError(
            f"{where} still asks {len(findings)} questions; "
            "replace each text that begins with a question mark by its answer.",
            findings,
        )


def _find_questions(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _find_questions(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _find_questions(inner, place)
    elif isinstance(value, str) and (value.startswith("? ") or (value == "?" and "missing" not in place)):
        yield place, value.removeprefix("? ")


def _check_choices(spec: FileSpec | Source, where: str) -> None:
    for key, allowed in _CHOICES.items():
        value = getattr(spec, key, allowed[0])
        if value not in allowed:
            raise FactsError(f"{where}: {key} = {value!r} is not one of {', '.join(map(repr, allowed))}")


def _check_profile(source: Source, where: str) -> None:
    known = read_facts("disclosure")["profiles"]
    if source.disclosure_profile not in known:
        raise FactsError(
            f"{where}: disclosure_profile = {source.disclosure_profile!r} is not one of "
            f"{', '.join(map(repr, known))}"
        )


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
