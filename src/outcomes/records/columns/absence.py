"""Scores that are missing because another column of the row says so: a form's status, a blank, a code."""

from __future__ import annotations

import numpy as np

from outcomes.facts import AbsenceSpec, FileSpec
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.numbers import find_missing
from outcomes.records.columns.part import Part
from outcomes.records.files import simplify_name

_SAID = "Scores count as missing where the records say beside them that the form was not filled in."


def blank_absent(part: Part) -> None:
    """Blank the scores that the source declares missing by ``answered`` and ``missing_where``.

    What a column says is read before any is blanked, so that the order of declarations does not matter.
    """
    spec = part.spec
    unanswered = [(entry, ~_find_rows(part, entry)) for entry in spec.answered]
    said = [(entry, _find_rows(part, entry)) for entry in spec.missing_where]
    for entry, rows in unanswered:
        if part.n_rows and rows.all():
            _refuse_unanswered(part, entry)
        _blank(part, entry, rows, "FORM_UNANSWERED", "no score, for the form was not filled in")
    for entry, rows in said:
        _blank(part, entry, rows, "SCORE_ABSENT", "no score, for another column says that there is none")


def _list_concerned(spec: FileSpec, entry: AbsenceSpec) -> list[str]:
    """Return the headers of scores that a declaration is about."""
    blocks = [
        (score.instrument, [*([score.column] if score.column else []), *score.items]) for score in spec.scores
    ]
    if "score" in spec.columns:
        blocks.append(("", [spec.columns["score"]]))
    named = [
        header
        for instrument, headers in blocks
        for header in headers
        if not entry.scores or instrument in entry.scores or header in entry.scores
    ]
    return list(dict.fromkeys(named))


def _find_rows(part: Part, entry: AbsenceSpec) -> np.ndarray:
    """Return the rows in which every column of a declaration holds one of its values."""
    held = np.ones(part.n_rows, dtype=bool)
    wanted = {_spell(value) for value in entry.values}
    for header in entry.columns:
        coded = part.columns[header]
        holds = np.array([_spell(text) in wanted for text in coded.values], dtype=bool)
        rows = coded.rows(holds)
        if "" in wanted:
            rows |= coded.rows(find_missing(coded.values, part.spec.missing) & ~holds) | (coded.codes < 0)
        held &= rows
    return held


def _spell(text: str) -> str:
    """Return one spelling of a value, whatever its case, its blanks and the way its number is written."""
    try:
        return f"{float(text.strip().replace(',', '.')):g}"
    except ValueError:
        return simplify_name(text)


def _blank(part: Part, entry: AbsenceSpec, rows: np.ndarray, rule: str, what: str) -> None:
    filled = np.zeros(part.n_rows, dtype=bool)
    for header in _list_concerned(part.spec, entry):
        coded = part.columns[header]
        filled |= rows & (coded.codes >= 0) & ~coded.rows(find_missing(coded.values, part.spec.missing))
        blank = len(coded.values)
        part.columns[header] = Coded(
            np.where(rows, blank, coded.codes).astype(np.int32), np.append(coded.values, "")
        )
        part.raw[header] = np.append(part.raw[header], "")
    part.problems.note(rule, "accept", what, part.records(filled), column=entry.columns[0], said=_SAID)


def _refuse_unanswered(part: Part, entry: AbsenceSpec) -> None:
    part.problems.note(
        "FORM_NEVER_ANSWERED",
        "refuse_file",
        "no row of the file holds one of the values that are declared to say that the form was filled in",
        column=entry.columns[0],
        remedy="correct answered = { column = ..., values = [...] } in its [[file]] block",
        place=part.place,
    )
