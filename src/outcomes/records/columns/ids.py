"""Ids as text: put together from their columns, told apart within a site, mended after a spreadsheet."""

from __future__ import annotations

from outcomes.records.columns.coded import Coded, join_coded, match_texts
from outcomes.records.columns.mapping import read_category
from outcomes.records.columns.numbers import find_missing
from outcomes.records.columns.part import Part, refuse_hazards

_DAMAGED_KEY = r"^\d\.\d+[eE]\+?\d+$"
_NUMERIC_KEY = r"^(0\d+|\d{16,}|\d+[eE]\d+)$"
_FRACTION = r"^\d+\.\d+$"
_NO_FRACTION = r"^\d+\.0+$"


def map_ids(part: Part, name: str) -> Coded:
    """Return ids as text, refusing rows without one.

    A key is never a number: ``0007`` is not ``7``. What Excel has already turned into one
    (``1.23457E+11``) cannot be mended, so the file is refused; ``1001.0`` in a column without other
    fractions is ``1001``.

    Parameters
    ----------
    part : Part
    name : str
        ``patient_id`` or ``episode_id``; one made of several columns, or told apart within a site, is their
        cells together.
    """
    headers = part.spec.joined.get(name, (part.spec.columns[name],))
    pieces = [_read_id(part, header) for header in headers]
    return join_coded(pieces if part.spec.within is None else [_read_site(part), *pieces])


def _read_id(part: Part, header: str) -> Coded:
    coded = _mend_fractions(part, header)
    missing = find_missing(coded.values, part.spec.missing) | match_texts(coded.values, r"^\s*$")
    rows = coded.rows(missing) | (coded.codes < 0)
    part.refuse_values(header, rows, "KEY_EMPTY", "no id in the record", whole=True)
    damaged = coded.rows(match_texts(coded.values, _DAMAGED_KEY))
    part.note_values(
        header,
        damaged,
        "KEY_EXCEL_DAMAGED",
        "refuse_file",
        "ids that a spreadsheet has rounded to scientific notation; which patient it was is lost",
        "export the column as text",
    )
    numeric = coded.rows(match_texts(coded.values, _NUMERIC_KEY) & ~missing)
    part.note_values(header, numeric, "KEY_AS_TEXT", "accept", "ids that look like numbers are kept as text")
    refuse_hazards(part, header, whole=True)
    return coded.type_as(coded.values, missing)


def _mend_fractions(part: Part, header: str) -> Coded:
    """Read ``1001.0`` as ``1001``, unless other ids of the column have a fraction that says something."""
    coded = part.columns[header]
    mended = match_texts(coded.values, _NO_FRACTION)
    if not mended.any() or (match_texts(coded.values, _FRACTION) & ~mended).any():
        return coded
    values = coded.values.copy()
    values[mended] = [text.partition(".")[0] for text in values[mended]]
    part.columns[header] = Coded(coded.codes, values)
    part.note_values(
        header,
        coded.rows(mended),
        "KEY_FRACTION",
        "repair_and_log",
        "whole numbers that a spreadsheet wrote with .0, read without it",
    )
    return part.columns[header]


def _read_site(part: Part) -> Coded:
    site = read_category(part, "site")
    part.refuse_values(
        part.spec.columns["site"],
        site.codes < 0,
        "KEY_EMPTY",
        "no site in the record, within which its id holds",
        whole=True,
    )
    return site
