"""Tidying the cells of mapped columns: repairs that change no meaning are noted, the rest is a bad cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import FileSpec, read_facts, read_schema
from outcomes.records.files.encoding import find_mojibake
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.spelling import compose_text, narrow_text, simplify_name
from outcomes.records.files.text_table import Refusal

_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_DECIMAL_COMMA = r"^\s*[-+]?[0-9]+,[0-9]+\s*$"
_THOUSANDS_POINT = r"^\s*[-+]?[0-9]{1,3}(\.[0-9]{3})+\s*$"


@dataclass(frozen=True)
class RawColumns:
    """The mapped columns of a file before their cells are tidied.

    Parameters
    ----------
    columns : dict
        Mapped header to its cells as text, one per record; null where the cell is in ``bad_cells``.
    lines : numpy.ndarray
        int32, one per record.
    headers : tuple of str
        All headers, mapped ones as the source TOML spells them.
    refused, bad_cells : list of Refusal
        As in `TextTable`.
    typed : bool
        Whether the file held numbers as numbers, which were spelt with a decimal point.
    """

    columns: dict[str, pa.ChunkedArray]
    lines: np.ndarray
    headers: tuple[str, ...]
    refused: list[Refusal] = field(default_factory=list)
    bad_cells: list[Refusal] = field(default_factory=list)
    typed: bool = False


def list_numeric_headers(spec: FileSpec) -> set[str]:
    """Return the mapped headers whose cells are numbers."""
    schema = read_schema()
    numeric = {
        name
        for columns in schema.values()
        for name, column in columns.items()
        if column.type in ("number", "integer")
    }
    headers = {header for name, header in spec.columns.items() if name in numeric}
    for score in spec.scores:
        headers |= {name for name in (score.column, score.day_column, *score.items) if name}
    return headers


def tidy_columns(raw: RawColumns, spec: FileSpec, findings: FileFindings) -> tuple[pa.Table, list[Refusal]]:
    """Tidy the cells of every mapped column.

    Repaired and noted: spelling by composed characters (NFC), full-width and half-width forms, the minus
    sign, invisible characters, spaces other than the plain one, line breaks, blank cells of columns with
    ``fill_down``, decimal commas where declared. Cells with bidirectional or control characters are bad
    cells, and dates and times where numbers stand; text decoded with a wrong encoding refuses the file, and
    so does a column of numbers that holds dates.

    Returns
    -------
    table : pyarrow.Table
        Dictionary-encoded text, one chunk a column.
    bad_cells : list of Refusal
        Those given and those found, in the order of columns and lines.
    """
    numeric, missing = list_numeric_headers(spec), _list_missing_codes(spec)
    columns, bad = {}, list(raw.bad_cells)
    for header in list(raw.columns):
        cells = _Cells(header, raw.lines, findings, raw.columns.pop(header))
        cells.repair_text()
        if header in spec.fill_down:
            cells.fill_down()
        if header in numeric:
            cells.refuse_dates(missing)
            cells.repair_decimals(spec.decimal, raw.typed)
        columns[header] = cells.encode()
        bad += cells.bad
    return pa.table(columns), bad


class _Cells:
    """The cells of one column as codes of its distinct texts, repaired by these."""

    def __init__(
        self, header: str, lines: np.ndarray, findings: FileFindings, column: pa.ChunkedArray
    ) -> None:
        self.header, self.lines, self.findings = header, lines, findings
        self.bad: list[Refusal] = []
        encoded = column.dictionary_encode().combine_chunks()
        whole = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
        self.codes = pc.fill_null(whole.indices, -1).to_numpy(zero_copy_only=False)
        self.texts = whole.dictionary

    def encode(self) -> pa.DictionaryArray:
        """Return the column, equal texts merged into one."""
        merged = self.texts.dictionary_encode()
        if len(merged.dictionary) < len(self.texts):
            self.codes = np.append(merged.indices.to_numpy(), -1).astype(np.int32)[self.codes]
            self.texts = merged.dictionary
        if self.bad:  # what no record holds any more is not looked at by what follows
            used, codes = np.unique(self.codes[self.codes >= 0], return_inverse=True)
            self.codes[self.codes >= 0] = codes
            self.texts = self.texts.take(pa.array(used))
        mask = self.codes < 0
        indices = pa.array(self.codes, pa.int32(), mask=mask if mask.any() else None)
        return pa.DictionaryArray.from_arrays(indices, self.texts)

    def find_lines(self, places) -> np.ndarray:
        """Return the lines of the records that hold one of the distinct texts at these places."""
        return self.lines[np.isin(self.codes, places)]

    def repair_text(self) -> None:
        """Repair or refuse the texts that hold anything but printable ASCII."""
        odd = {place: self.texts[place].as_py() for place in _find_odd(self.texts)}
        if not odd:
            return
        self._check_decoding(odd)
        for pattern, rule, reason in _REFUSED:
            places = [place for place, text in odd.items() if pattern.search(text)]
            self._refuse(places, rule, reason)
            odd = {place: text for place, text in odd.items() if place not in places}
        for rule, what, repair in _REPAIRS:
            changed = {place: repair(text) for place, text in odd.items() if repair(text) != text}
            if changed:
                self.findings.repair(rule, what, lines=self.find_lines(list(changed)), column=self.header)
            odd |= changed
        self._replace(odd)

    def _check_decoding(self, odd: dict[int, str]) -> None:
        if find_mojibake("".join(odd.values())):
            self.findings.refuse(
                "ENC_MOJIBAKE",
                "the text was decoded with a wrong encoding, here or before it was saved",
                lines=self.find_lines(list(odd)),
                column=self.header,
                remedy="declare the encoding the file was saved with: encoding = ...",
            )

    def _refuse(self, places: list[int], rule: str, reason: str) -> None:
        if places:
            self.bad += [Refusal(int(line), self.header, rule, reason) for line in self.find_lines(places)]
            self.codes = np.where(np.isin(self.codes, places), np.int32(-1), self.codes)

    def _replace(self, changed: dict[int, str]) -> None:
        mask = np.zeros(len(self.texts), bool)
        mask[list(changed)] = True
        new = pa.array([changed[place] for place in sorted(changed)], self.texts.type)
        self.texts = pc.replace_with_mask(self.texts, pa.array(mask), new)

    def fill_down(self) -> None:
        """Let blank cells take the cell above."""
        empty = pc.index(self.texts, "").as_py()
        blank = self.codes == empty
        above = np.maximum.accumulate(np.where(blank, -1, np.arange(len(blank))))
        fillable = blank & (above >= 0)
        if fillable.any():
            self.codes = np.where(fillable, self.codes[above], self.codes)
            what = "blank cells took the value above them, as fill_down says"
            self.findings.repair("FILLED_DOWN", what, column=self.header, count=int(fillable.sum()))

    def refuse_dates(self, missing: set[str]) -> None:
        """Refuse the cells of which a spreadsheet made dates or times; a column of dates refuses the file."""
        limits = read_facts("limits")["score_dates"]
        places = [
            place
            for place in find_date_like(self.texts)
            if simplify_name(self.texts[place].as_py()) not in missing
        ]
        if not places:
            return
        lines = self.find_lines(places)
        blank = _match(self.texts, r"^\s*$")
        n_filled = int((self.codes >= 0).sum()) - len(self.find_lines(blank))
        if len(lines) >= limits["fewest"] and len(lines) > limits["share"] * n_filled:
            what = "most cells are dates or times, so this is no column of numbers"
            remedy = (
                "map the column that holds the scores; should a spreadsheet have made dates of them all, "
                "format the column as text and type them again"
            )
            self.findings.refuse_privately("SCORE_DATE", what, lines=lines, column=self.header, remedy=remedy)
        else:
            self._refuse(places, "SCORE_DATE", _SCORE_DATE_REASON)

    def repair_decimals(self, decimal: str, typed: bool) -> None:
        """Turn decimal commas into points where declared; where not, say that they stand there."""
        if decimal == "," and not typed:
            self._refuse(_match(self.texts, _THOUSANDS_POINT), "DECIMAL_POINT", _THOUSANDS_REASON)
        places = _match(self.texts, _DECIMAL_COMMA)
        if not places:
            return
        lines = self.find_lines(places)
        if decimal == ",":
            self.findings.repair(
                "DECIMAL_COMMA", "decimal commas were read as points", lines=lines, column=self.header
            )
            self._replace({place: self.texts[place].as_py().replace(",", ".") for place in places})
        else:
            what, remedy = "numbers seem to have decimal commas", 'add decimal = "," if that is so'
            self.findings.warn("DECIMAL_COMMA", what, lines=lines, column=self.header, remedy=remedy)


_SCORE_DATE_REASON = (
    "the spreadsheet made a date or a time of this score; format the column as text and type it again"
)
_THOUSANDS_REASON = (
    "a point stands where thousands are parted, though the decimal sign is declared to be a comma"
)


def _list_missing_codes(spec: FileSpec) -> set[str]:
    """Return the codes, simplified, that mean missing in any column of numbers."""
    codes = [*spec.missing, *(code for codes in spec.missing_codes.values() for code in codes)]
    codes += [code for score in spec.scores for code in score.missing]
    return {simplify_name(code) for code in codes}


def find_date_like(texts: pa.StringArray) -> list[int]:
    """Return the places of the texts that are dates or times.

    Examples
    --------
    >>> find_date_like(pa.array(["7", "3/5", "7-10", "2026-05-03", "3-May", "07:10:00", "5,7 cm", "Mar 12"]))
    [3, 4, 5, 7]
    """
    facts = read_facts("limits")["score_dates"]
    found: set[int] = set()
    suspects = _match(texts, r"^\s*\S+[-/.:年月 ]")
    some = texts.take(pa.array(suspects, pa.int64())) if suspects else texts.slice(0, 0)
    month = f"({'|'.join(sorted(facts['months'], key=len, reverse=True))})"
    for pattern in facts["patterns"] if suspects else ():
        found |= set(_match(pc.utf8_trim_whitespace(some), pattern.replace("{month}", month)))
    return sorted(suspects[place] for place in found)


def _find_odd(texts: pa.StringArray) -> list[int]:
    """Return the places of the texts that hold anything but printable ASCII."""
    content = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    if not ((content < 0x20) | (content > 0x7E)).any():
        return []
    return np.flatnonzero(pc.match_substring_regex(texts, r"[^ -~]").to_numpy(zero_copy_only=False)).tolist()


def _match(texts: pa.StringArray, pattern: str) -> list[int]:
    return np.flatnonzero(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)).tolist()


_REFUSED = (
    (_BIDI, "BIDI_CONTROL", "a character that turns the direction of text"),
    (_CONTROL, "CONTROL_CHAR", "a control character"),
)
_REPAIRS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("NEWLINE_IN_FIELD", "a line break in a cell was read as a space", lambda text: _BREAKS.sub(" ", text)),
    (
        "INVISIBLE_CHAR",
        "invisible characters were ignored",
        lambda text: _INVISIBLE.sub("", _SPACES.sub(" ", text)),
    ),
    (
        "UNICODE_NFKC",
        "full-width or half-width characters, or the minus sign U+2212, were read as ordinary ones",
        narrow_text,
    ),
    (
        "UNICODE_NFC",
        "letters written in several parts were composed",
        compose_text,
    ),
)
