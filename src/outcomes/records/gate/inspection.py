"""The de-identification gate: mapped columns only, all their distinct values, refused unless harmless."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.errors import Finding
from outcomes.facts import FileSpec, Source, read_facts, read_schema
from outcomes.records.columns import (
    DateForm,
    limit_categories,
    list_instrument_spellings,
    list_spellings,
    list_therapy_spellings,
    list_timepoint_spellings,
    match_texts,
    parse_dates,
    parse_numbers,
)
from outcomes.records.files import TextTable, simplify_name
from outcomes.records.gate.column_names import match_header
from outcomes.records.gate.column_values import (
    ValueRule,
    find_person_names,
    has_title,
    is_han_name,
    search_values,
)
from outcomes.records.gate.identifiers import is_taiwan_number
from outcomes.records.gate.reviewed_exceptions import (
    ReviewedException,
    fingerprint_values,
    is_lifted,
    read_exceptions,
)

_SHOWN_LINES = 10
_NAMED_PEOPLE = frozenset({"patient_id", "episode_id", "therapist"})


@dataclass(frozen=True)
class GatedColumn:
    """A mapped column as the gate sees it.

    Parameters
    ----------
    header : str
    name : str
        Column of the schema it is mapped to; ``""`` for scores and what excludes records.
    kind : str
        ``id``, ``category``, ``number`` or ``date``.
    codes : numpy.ndarray
        One per row, -1 for a bad cell.
    texts : pyarrow.Array
        Distinct texts.
    lines : numpy.ndarray
        First physical line of each row.
    """

    header: str
    name: str
    kind: str
    codes: np.ndarray = field(repr=False)
    texts: pa.Array = field(repr=False)
    lines: np.ndarray = field(repr=False)

    def count(self, hits: np.ndarray) -> tuple[int, tuple[int, ...]]:
        """Return how many rows hold one of the marked texts, and the first lines of those."""
        rows = np.flatnonzero(np.append(hits, False)[self.codes])
        return len(rows), tuple(int(line) for line in self.lines[rows[:_SHOWN_LINES]])


def find_identifying(text: TextTable, spec: FileSpec, source: Source) -> list[Finding]:
    """Return what the gate finds in the mapped columns of a file.

    Parameters
    ----------
    text : TextTable
    spec : FileSpec
    source : Source
        Its privacy profile, whether it re-keys ids, and its reviewed exceptions.

    Returns
    -------
    list of Finding
        ``refuse_file`` refuses the source with exit code 4; messages hold counts and lines, no values.
    """
    exceptions = read_exceptions(source)
    today = dt.date.today()
    findings = []
    for column in _list_columns(text, spec):
        for rule in _judge_column(column, spec, source):
            findings.append(_report(column, rule, text.file, exceptions, today, source))
    return findings


def _report(
    column: GatedColumn,
    rule: ValueRule,
    file: str,
    exceptions: list[ReviewedException],
    today: dt.date,
    source: Source,
) -> Finding:
    count, lines = column.count(rule.hits)
    fingerprint = fingerprint_values(column.texts.to_pylist())
    lifted = is_lifted(exceptions, column.header, rule.rule, fingerprint, today)
    if lifted or not rule.certain:
        why = "accepted by a reviewed exception" if lifted else "no more than chance explains"
        return Finding(
            rule.rule, "accept_with_warning", f"{rule.what}; {why}", file, lines, column.header, max(count, 1)
        )
    named = source.privacy_exceptions or "privacy-exceptions.toml"
    remedy = (
        "map another column or none. If the values identify nobody, have a person review them and add to "
        f'{named} (privacy_exceptions = "{named}"): [[exception]] column = "{column.header}", '
        f'rule = "{rule.rule}", sha256 = "{fingerprint}", reason = "...", '
        'reviewer = "...", expires = "<a date within a year>"'
    )
    if rule.rule == "PHI_AGE_OVER_89":
        remedy = "map bands to age_band, or add to [[file]]: top_code = { age_years = 89 }"
    if rule.what.startswith("a record number"):
        remedy = "add to the source: rekey = true"
    return Finding(rule.rule, "refuse_file", rule.what, file, lines, column.header, max(count, 1), remedy)


def _list_columns(text: TextTable, spec: FileSpec) -> list[GatedColumn]:
    roles: dict[str, tuple[str, str]] = {}
    for entry in spec.exclude:
        roles[entry.column] = ("", "category")
    for score in spec.scores:
        roles |= {
            header: ("", "number") for header in (score.column, score.day_column, *score.items) if header
        }
        if score.date_column:
            roles[score.date_column] = ("", "date")
    roles |= {header: (name, _find_kind(name)) for name, header in spec.columns.items()}
    return [
        GatedColumn(header, name, kind, *text.split(header), text.lines)
        for header, (name, kind) in roles.items()
        if header in text.table.column_names
    ]


def _find_kind(name: str) -> str:
    if name == "date":
        return "date"
    for columns in read_schema().values():
        if name in columns:
            kind = columns[name].type
            return kind if kind in ("id", "date", "category") else "number"
    return "category"


def _judge_column(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    everything = np.ones(len(column.texts), dtype=bool)
    rules = []
    named = match_header(column.header)
    is_id = column.kind == "id"
    if named is not None and not (named.rekeyed and source.rekey and is_id):
        rules.append(
            ValueRule(
                named.rule,
                f"the header says {named.what}" if not named.rekeyed else f"{named.what}, by its header",
                everything,
                True,
            )
        )
    rules += search_values(
        column.texts,
        column.header,
        is_id=is_id,
        holds_dates=column.kind == "date",
        rekeyed=source.rekey and is_id,
    )
    if column.kind == "date" and source.privacy_profile == "safe_harbor":
        rules += _search_full_dates(column, spec)
    if column.name == "age_years" and "age_years" not in spec.top_code:
        rules += _search_old_ages(column, spec)
    if column.kind in ("category", "id"):
        rules += _judge_texts(column, spec, source)
    return rules


def _search_full_dates(column: GatedColumn, spec: FileSpec) -> list[ValueRule]:
    texts = np.array(column.texts.to_pylist(), dtype=object)
    present = np.array([bool(text.strip()) for text in texts], dtype=bool)
    days, rules = parse_dates(texts, present, DateForm(spec.date_order, spec.date_calendar))
    hits = (days > np.iinfo(np.int32).min) | np.logical_or.reduce(
        list(rules.values()) or [np.zeros(len(texts), bool)]
    )
    what = "full dates, which this privacy profile (safe_harbor) forbids; record days after time zero"
    return [ValueRule("PHI_FULL_DATE", what, hits, True)] if hits.any() else []


def _search_old_ages(column: GatedColumn, spec: FileSpec) -> list[ValueRule]:
    texts = np.array([text.strip() for text in column.texts.to_pylist()], dtype=object)
    missing = {*spec.missing, *spec.missing_codes.get("age_years", ())}
    present = np.array([bool(text) and text not in missing for text in texts], dtype=bool)
    ages, _ = parse_numbers(texts, present, spec.decimal)
    hits = ages > read_facts("gate")["oldest_age"]
    return [ValueRule("PHI_AGE_OVER_89", "exact ages over 89", hits, True)] if hits.any() else []


def _judge_texts(column: GatedColumn, spec: FileSpec, source: Source) -> list[ValueRule]:
    """Judge undeclared texts of a category or of ids: free text, names, too many of them."""
    open_ = ~match_texts(column.texts, r"^\s*$")
    known = _list_known(column.name, spec, source)
    if known:
        open_ &= np.array([simplify_name(text) not in known for text in column.texts.to_pylist()], dtype=bool)
    if not open_.any():
        return []
    strange = column.texts.filter(pa.array(open_))
    rules = _search_free_text(column, open_, strange)
    most = limit_categories(column.name)
    if column.kind == "category" and len(strange) > most:
        what = f"more than {most} different texts in a column of categories"
        rules.append(ValueRule("CATEGORY_CARDINALITY", what, open_, True))
    return rules + _search_names(column, open_, strange)


def _list_known(name: str, spec: FileSpec, source: Source) -> set[str]:
    known = {simplify_name(code) for code in spec.codes.get(name, {})}
    if name == "therapy":
        known |= set(list_therapy_spellings(source))
    elif name == "instrument":
        known |= set(list_instrument_spellings())
    elif name == "timepoint":
        known |= set(list_timepoint_spellings(source))
    for columns in read_schema().values():
        if name in columns:
            known |= set(list_spellings(columns[name]))
    return known


def _search_free_text(column: GatedColumn, open_: np.ndarray, strange: pa.Array) -> list[ValueRule]:
    limits = read_facts("gate")["free_text"]
    lengths = pc.utf8_length(strange).to_numpy(zero_copy_only=False)
    n_rows = int(np.append(open_, False)[column.codes].sum())
    share = len(strange) / max(n_rows, 1)
    long = lengths.mean() > limits["mean_characters"] and share > limits["distinct_share"]
    spoken = bool(match_texts(strange, r"\S\s\S").any())
    longest = lengths.max() > limits["most_characters"]
    if column.kind == "id":
        free = spoken and (long or longest)
    else:
        many = n_rows >= limits["fewest_records"] and share > limits["distinct_share"]
        free = longest or many or (long and spoken and len(strange) > 1)
    return [ValueRule("PHI_FREE_TEXT", "free text", open_, True)] if free else []


def _search_names(column: GatedColumn, open_: np.ndarray, strange: pa.Array) -> list[ValueRule]:
    """Search names among texts with a blank, a full stop or signs beyond ASCII; codes have none of them."""
    facts = read_facts("gate")["names"]
    hits = np.zeros(len(open_), dtype=bool)
    spoken = np.flatnonzero(match_texts(strange, r"[^\x21-\x2d\x2f-\x7e]"))
    texts = [text.strip() for text in strange.take(pa.array(spoken)).to_pylist()]
    places = np.flatnonzero(open_)[spoken]
    if column.name in _NAMED_PEOPLE and len(texts):
        looks = find_person_names(texts)
        if looks.sum() >= facts["fewest"] and looks.sum() >= facts["share"] * len(strange):
            hits[places[looks]] = True
    hits[places[[i for i, text in enumerate(texts) if has_title(text, facts["titles"])]]] = True
    return [ValueRule("PHI_NAME", "what look like persons' names", hits, True)] if hits.any() else []


def names_person(file_name: str) -> bool:
    """Return whether a file's name holds an identity number or a person's name.

    Examples
    --------
    >>> names_person("王小明.csv"), names_person("visits_2026.csv")
    (True, False)
    """
    stem = file_name.rsplit(".", 1)[0]
    pieces = [piece for piece in re.split(r"[\W_]+", stem) if piece]
    family_names = read_facts("gate")["names"]["family_names"]
    return any(
        (len(piece) >= 3 and is_han_name(piece, family_names))
        or (len(piece) == 10 and is_taiwan_number(piece))
        for piece in pieces
    )
