"""Tidying the cells of mapped columns: repairs that change no meaning are noted, the rest is a bad cell."""

import re
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.headers import list_numeric_headers
from outcomes.records.findings import FileFindings, Refusal, describe
from outcomes.records.spelling import compose_text, find_mojibake, narrow_text, simplify_name
from outcomes.records.text_table import RawColumns

_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAKS = re.compile(r"\s*[\r\n]+\s*")
_DECIMAL_COMMA = r"^\s*[-+]?[0-9]+,[0-9]+\s*$"
_THOUSANDS_POINT = r"^\s*[-+]?[0-9]{1,3}(\.[0-9]{3})+\s*$"


def tidy_columns(raw: RawColumns, spec: FileSpec, findings: FileFindings) -> tuple[pa.Table, list[Refusal]]:
    """Return the mapped columns, tidied, as dictionary-encoded text of one chunk each, and all bad cells."""
    codes = [spec.missing, *spec.missing_codes.values(), *(score.missing for score in spec.scores)]
    missing = {simplify_name(code) for several in codes for code in several}
    numeric = list_numeric_headers(spec)
    columns: dict[str, pa.DictionaryArray] = {}
    bad = list(raw.bad_cells)
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

    def find_lines(self, places: Iterable[int]) -> np.ndarray:
        """Return the lines of the records that hold one of the distinct texts at these places."""
        return self.lines[np.isin(self.codes, list(places))]

    def repair_text(self) -> None:
        """Repair or refuse the texts that hold anything but printable ASCII."""
        content = np.frombuffer(self.texts.buffers()[2] or b"", np.uint8)
        if not ((content < 0x20) | (content > 0x7E)).any():
            return
        odd = {place: self.texts[place].as_py() for place in _match(self.texts, r"[^ -~]")}
        if not odd:
            return
        if find_mojibake("".join(odd.values())):
            self.findings.refuse("ENC_MOJIBAKE", lines=self.find_lines(odd), column=self.header)
        for rule, pattern in _REFUSED.items():
            places = [place for place, text in odd.items() if pattern.search(text)]
            self._refuse(places, rule)
            odd = {place: text for place, text in odd.items() if place not in places}
        for key, repair in _REPAIRS.items():
            changed = {place: repair(text) for place, text in odd.items() if repair(text) != text}
            if changed:
                self.findings.repair(key, lines=self.find_lines(changed), column=self.header)
            odd |= changed
        self._replace(odd)

    def _refuse(self, places: list[int], key: str) -> None:
        if places:
            worded = describe(f"files.{key}")
            self.bad += [Refusal(int(line), self.header, **worded) for line in self.find_lines(places)]
            self.codes = np.where(np.isin(self.codes, places), np.int32(-1), self.codes)

    def _replace(self, changed: dict[int, str]) -> None:
        mask = np.zeros(len(self.texts), bool)
        mask[list(changed)] = True
        new = pa.array([changed[place] for place in sorted(changed)], self.texts.type)
        self.texts = pc.replace_with_mask(self.texts, pa.array(mask), new)

    def fill_down(self) -> None:
        """Let blank cells take the cell above."""
        blank = self.codes == pc.index(self.texts, "").as_py()
        above = np.maximum.accumulate(np.where(blank, -1, np.arange(len(blank))))
        fillable = blank & (above >= 0)
        if fillable.any():
            self.codes = np.where(fillable, self.codes[above], self.codes)
            self.findings.repair("FILLED_DOWN", column=self.header, count=int(fillable.sum()))

    def refuse_dates(self, missing: set[str]) -> None:
        """Refuse the cells of which a spreadsheet made dates or times; a column of dates refuses the file."""
        limits, found = read_facts("limits")["score_dates"], _find_date_like(self.texts)
        places = [place for place in found if simplify_name(self.texts[place].as_py()) not in missing]
        if not places:
            return
        lines = self.find_lines(places)
        n_filled = int((self.codes >= 0).sum()) - len(self.find_lines(_match(self.texts, r"^\s*$")))
        if len(lines) >= limits["fewest"] and len(lines) > limits["share"] * n_filled:
            self.findings.refuse_privately("SCORE_DATE.column", lines=lines, column=self.header)
        else:
            self._refuse(places, "SCORE_DATE.cell")

    def repair_decimals(self, decimal: str, typed: bool) -> None:
        """Turn decimal commas into points where declared; where not, say that they stand there."""
        if decimal == "," and not typed:
            self._refuse(_match(self.texts, _THOUSANDS_POINT), "DECIMAL_POINT")
        places = _match(self.texts, _DECIMAL_COMMA)
        if not places:
            return
        lines = self.find_lines(places)
        if decimal == ",":
            self.findings.repair("DECIMAL_COMMA.declared", lines=lines, column=self.header)
            self._replace({place: self.texts[place].as_py().replace(",", ".") for place in places})
        else:
            self.findings.warn("DECIMAL_COMMA.undeclared", lines=lines, column=self.header)


def _find_date_like(texts: pa.StringArray) -> list[int]:
    """Return the places of the texts that are dates or times.

    Examples
    --------
    >>> _find_date_like(pa.array(["7", "3/5", "7-10", "2026-05-03", "3-May", "07:10:00", "5,7 cm", "Mar 12"]))
    [3, 4, 5, 7]
    """
    facts = read_facts("limits")["score_dates"]
    found: set[int] = set()
    suspects = _match(texts, r"^\s*\S+[-/.:年月 ]")
    if not suspects:
        return []
    some = texts.take(pa.array(suspects, pa.int64()))
    month = f"({'|'.join(sorted(facts['months'], key=len, reverse=True))})"
    for pattern in facts["patterns"]:
        found.update(_match(pc.utf8_trim_whitespace(some), pattern.replace("{month}", month)))
    return sorted(suspects[place] for place in found)


def _match(texts: pa.StringArray, pattern: str) -> list[int]:
    return np.flatnonzero(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)).tolist()


#: Keys of what makes a bad cell, and of what is repaired, in this order.
_REFUSED = {"BIDI_CONTROL": _BIDI, "CONTROL_CHAR": _CONTROL}
_REPAIRS: dict[str, Callable[[str], str]] = {
    "NEWLINE_IN_FIELD": lambda text: _BREAKS.sub(" ", text),
    "INVISIBLE_CHAR.cell": lambda text: _INVISIBLE.sub("", _SPACES.sub(" ", text)),
    "UNICODE_NFKC": narrow_text,
    "UNICODE_NFC": compose_text,
}
