"""Forms whose columns are questions: sections of one questionnaire, told by number and subject."""

from __future__ import annotations

import re
from collections.abc import Sequence

from outcomes.drafting.column import SheetColumn, find_letter, read_number
from outcomes.drafting.moment import Moment
from outcomes.drafting.role import Role
from outcomes.drafting.spelling import find_longest, normalise
from outcomes.drafting.words import words_for
from outcomes.facts import list_instruments, read_facts, read_instrument

_FEWEST_ITEMS = 4
_MOST_ANSWERS = 11
#: Subjects that must be named for a questionnaire to be told by them.
_FEWEST_SUBJECTS = 3


def find_questionnaires(columns: Sequence[SheetColumn], roles: Sequence[Role]) -> list[Role]:
    """Return the roles of columns, those of a questionnaire's sections as its items.

    Sections are neighbours that are counted from 1 ("Section 1 - ...", "Q1: ...", "1. ...") and hold answers
    of a few steps. Which questionnaire it is follows from their number and subjects; otherwise it is asked.
    """
    found = list(roles)
    run: list[int] = []
    for place, column in enumerate([*columns, None]):
        number = _find_number(column, found[place]) if column is not None else None
        if number == len(run) + 1:
            run.append(place)
            continue
        _take_run(run, columns, found)
        run = [place] if number == 1 else []
    return found


def _find_number(column: SheetColumn, role: Role) -> int | None:
    """Return the number of the section that a column holds, None where it is none."""
    if role.kind == "identifying" or role.item is not None or not _is_answered(column):
        return None
    words = "|".join(sorted(words_for("beside", "item") - {"s", "i"}, key=len, reverse=True))
    match = re.match(rf"(?:.{{0,20}} )??(?:(?:{words}) )?(\d{{1,2}})(?: |$)", normalise(column.header))
    return int(match[1]) if match else None


def _is_answered(column: SheetColumn) -> bool:
    """Whether nearly all cells are answers of a few steps: letters, numbers, or either before their text."""
    answers = [find_letter(cell) or read_number(cell) for cell in column.filled]
    told = [answer for answer in answers if answer not in ("", None)]
    return bool(told) and len(told) >= 0.9 * len(answers) and len(set(told)) <= _MOST_ANSWERS


def _take_run(run: Sequence[int], columns: Sequence[SheetColumn], roles: list[Role]) -> None:
    """Make items of the columns of a run, where it is long enough."""
    if len(run) < _FEWEST_ITEMS:
        return
    headers = [columns[place].header for place in run]
    name = name_questionnaire(headers)
    moments = {roles[place].moment for place in run}
    moment: Moment | None = moments.pop() if len(moments) == 1 else None
    for number, place in enumerate(run, start=1):
        roles[place] = Role("score", name, moment, item=number)


def name_questionnaire(headers: Sequence[str]) -> str | None:
    """Return the id of the questionnaire whose subjects the headers name, None where it is open."""
    texts = [normalise(header) for header in headers]
    named: dict[str, int] = {}
    for id in read_facts("drafting/en")["subjects"]:
        if id in list_instruments() and read_instrument(id).scoring.get("n_items") == len(headers):
            named[id] = sum(find_longest(text, words_for("subjects", id)) is not None for text in texts)
    best = max(named, key=lambda id: named[id], default=None)
    if best is None or named[best] < _FEWEST_SUBJECTS or list(named.values()).count(named[best]) > 1:
        return None
    return best
