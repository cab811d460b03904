"""`Sketch`: what a draft understood of one table, sections of a questionnaire included."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from outcomes.drafting.column import (
    SheetColumn,
    find_calendar,
    find_date_order,
    find_letter,
    is_missing_word,
    list_codes,
    read_number,
)
from outcomes.drafting.grid import SheetGrid, SheetLayout
from outcomes.drafting.question import ask
from outcomes.drafting.role import NUMERIC, Role, covariates_among, guess_role, order_moments
from outcomes.drafting.spelling import find_longest, is_number, normalise
from outcomes.drafting.words import (
    Moment,
    find_code,
    find_instrument,
    find_moment,
    single_words,
    therapy_words,
    words_for,
)
from outcomes.facts import list_instruments, read_facts, read_instrument, read_timepoints
from outcomes.records.files import simplify_name
from outcomes.records.gate import match_header

#: Where patients come back in more rows than this, a row is an assessment.
_REPEATED = 0.2
#: Proportion of codes that must be known words for a column to be told by its values alone.
_TOLD_BY_VALUES = 0.7
#: Sections of a questionnaire: the fewest in a row, and the most different answers to one.
_FEWEST_ITEMS = 4
_MOST_ANSWERS = 11
#: Subjects that must be named for a questionnaire to be told by them.
_FEWEST_SUBJECTS = 3
#: Columns that are told by their values where no header names them, each with what tells it by a code.
_TELLING: dict[str, Callable[[str], bool]] = {
    "timepoint": lambda code: find_moment(code) is not None and not is_number(code),
    "sex": lambda code: find_code("sex", code) is not None,
    "region": lambda code: find_code("region", code) is not None,
    "therapy": lambda code: normalise(code) in therapy_words(),
}


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
        if len(run) >= _FEWEST_ITEMS:
            name = _name_questionnaire([columns[item].header for item in run])
            moments = {found[item].moment for item in run}
            moment = moments.pop() if len(moments) == 1 else None
            for item, section in enumerate(run, start=1):
                found[section] = Role("score", name, moment, item=item)
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
    """Return whether nearly all cells are letters or numbers of a few steps, alone or before a text."""
    answers = [find_letter(cell) or read_number(cell) for cell in column.filled]
    told = [answer for answer in answers if answer not in ("", None)]
    return bool(told) and len(told) >= 0.9 * len(answers) and len(set(told)) <= _MOST_ANSWERS


def _name_questionnaire(headers: Sequence[str]) -> str | None:
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


@dataclass
class Sketch:
    """What a table is, as far as it can be told."""

    grid: SheetGrid
    layout: SheetLayout
    columns: list[SheetColumn]
    #: One per column.
    roles: list[Role] = field(default_factory=list)
    #: Columns of the schema, each with the column of the file that holds it.
    mapped: dict[str, SheetColumn] = field(default_factory=dict)
    #: Columns of the schema for which several columns of the file could stand.
    rivals: dict[str, list[SheetColumn]] = field(default_factory=dict)
    #: Line of each row of data in its sheet; empty where rows of several sheets stand beneath each other.
    lines: tuple[int, ...] = ()
    #: Headers that stand several times.
    repeated: tuple[str, ...] = ()
    #: Headers that are labels above the rows.
    heading: tuple[str, ...] = ()
    #: Titles of the sheets whose rows stand beneath each other; empty for one.
    sheets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Give each column of the schema the columns that fit it."""
        if not self.roles:
            self.roles = find_questionnaires(self.columns, [guess_role(column) for column in self.columns])
        self._name_lone_scores()
        self._map()
        self._tell_by_values()
        if self.rows == "episode" and "date" in self.mapped and "start_date" not in self.mapped:
            self.mapped["start_date"] = self.mapped.pop("date")
            if "date" in self.rivals:
                self.rivals["start_date"] = self.rivals.pop("date")

    def _name_lone_scores(self) -> None:
        """Make a score of a column of scores where no column names the instrument."""
        names = {role.name for role in self.roles if role.kind == "column"}
        if "score" in names and "instrument" not in names:
            self.roles = [Role("score") if role == Role("column", "score") else role for role in self.roles]

    def _map(self) -> None:
        for column, role in self.pairs:
            if role.kind != "column" or role.name is None:
                continue
            first = self.mapped.setdefault(role.name, column)
            if first is not column and not _say_the_same(first, column):
                self.rivals.setdefault(role.name, [first]).append(column)
        self._drop_running_number()
        for name in ("instrument", "variant"):
            if "score" not in self.mapped:
                self.mapped.pop(name, None)
                self.rivals.pop(name, None)

    def _drop_running_number(self) -> None:
        """Leave out a number that counts the rows of an export, where another column tells who comes back."""
        rivals = self.rivals.get("patient_id", [])
        others = [column for column in rivals if not _counts_rows(column)]
        if len(others) == 1 < len(rivals) and others[0].n_distinct < len(others[0].filled):
            self.mapped["patient_id"] = others[0]
            del self.rivals["patient_id"]

    def _tell_by_values(self) -> None:
        """Take a column whose header says nothing for what its values say."""
        for name, tell in _TELLING.items():
            for place, (column, role) in enumerate(self.pairs):
                if name not in self.mapped and role.kind in ("unknown", "free_text"):
                    codes, others = self.list_codes(column)
                    told = [code for code in codes if tell(code)]
                    if len(told) >= 2 and len(told) >= _TOLD_BY_VALUES * (len(codes) + others):
                        self.mapped[name], self.roles[place] = column, Role("column", name)

    @property
    def pairs(self) -> list[tuple[SheetColumn, Role]]:
        """Return each column with its role."""
        return list(zip(self.columns, self.roles, strict=True))

    @property
    def scores(self) -> list[tuple[SheetColumn, Role]]:
        """Return the columns that hold scores or items."""
        return [(column, role) for column, role in self.pairs if role.kind == "score"]

    @property
    def patients(self) -> Sequence[Hashable]:
        """Return the key of the patient of each row; rows themselves where no column tells patients apart."""
        column = self.mapped.get("patient_id")
        n_rows = len(self.columns[0].cells)
        keys = column.cells if column else (None,) * n_rows
        return [f"row {i}" if key is None else simplify_name(str(key)) for i, key in enumerate(keys)]

    def list_codes(self, column: SheetColumn, known: Iterable[str] = ()) -> tuple[dict[str, int], int]:
        """Return the codes of a column that may stand in a draft, and how many others it has."""
        return list_codes(column, self.patients, known)

    @property
    def rows(self) -> str:
        """Return what one row is."""
        patients = self.patients
        returning = len(patients) - len(set(patients)) > _REPEATED * len(patients)
        if {"score", "instrument"} <= set(self.mapped):
            return "assessment"
        if returning and {"timepoint", "date", "day"} & set(self.mapped):
            return "assessment"
        if any(role.moment for _, role in self.scores):
            return "episode"
        return "assessment" if returning else "episode"

    @property
    def measures(self) -> list[str]:
        """Return the names of the measures that were recognised, in the order of the columns."""
        found = [
            f"{role.name}:{role.variant}" if role.variant else role.name
            for _, role in self.scores
            if role.name
        ]
        if "instrument" in self.mapped:
            codes, _ = self.list_codes(self.mapped["instrument"])
            found += [id for id in map(find_instrument, codes) if id]
        return list(dict.fromkeys(found))

    @property
    def moments(self) -> list[Moment]:
        """Return the moments that were recognised."""
        found = [role.moment for _, role in self.scores if role.moment]
        if "timepoint" in self.mapped:
            codes, _ = self.list_codes(self.mapped["timepoint"])
            found += [moment for moment in map(find_moment, codes) if moment]
        return list(dict.fromkeys(found))

    @property
    def timepoints(self) -> list[str]:
        """Return the ids of the time points that were recognised, in their order."""
        return order_moments(self.moments)

    @property
    def timepoint_choices(self) -> tuple[str, ...]:
        """Return the time points that answer a question: the standard ones, and those recognised."""
        return tuple(dict.fromkeys((*read_timepoints(), *self.timepoints)))

    @property
    def covariates(self) -> list[str]:
        """Return the mapped columns that may adjust a comparison."""
        return covariates_among(list(self.mapped))


def _say_the_same(one: SheetColumn, other: SheetColumn) -> bool:
    """Return whether two columns hold the same, or moments of the same days, as a form's start and end."""
    if one.is_dated and other.is_dated:
        days = [[str(cell).split(" ")[0].split("T")[0] for cell in column.cells] for column in (one, other)]
        return days[0] == days[1]
    return one.cells == other.cells


def _counts_rows(column: SheetColumn) -> bool:
    """Return whether a column holds a whole number in each row, none twice, each larger than that before."""
    numbers = [cell for cell in column.cells if is_number(cell)]
    whole = [float(str(cell).replace(",", ".").rstrip("%")) for cell in numbers]
    return len(whole) == len(column.cells) and all(a < b for a, b in pairwise(whole))


def describe_dates(sketch: Sketch) -> dict[str, str]:
    """Return the order and the calendar of the dates that are read, a question where they leave them open."""
    columns = [sketch.mapped[name] for name in ("start_date", "date") if name in sketch.mapped]
    columns += [column for column, role in sketch.pairs if role.kind == "score_date"]
    calendar = find_calendar(columns)
    if calendar is not None:
        known = calendar == "roc"
        return {"date_calendar": calendar if known else ask("date_calendar", ("excel1900", "excel1904"))}
    order = find_date_order(columns)
    if order in ("typed", "year-first"):
        return {}
    return {"date_order": order or ask("date_order", ("day-first", "month-first"))}


def list_numeric(sketch: Sketch) -> list[SheetColumn]:
    """Return the columns that are read as numbers."""
    scores = [column for column, role in sketch.scores if column.is_numeric or role.item is None]
    return scores + [column for name, column in sketch.mapped.items() if name in NUMERIC]


def list_missing_words(sketch: Sketch) -> list[str]:
    """Return words in columns of numbers: known ones for "missing", others as questions."""
    usual = {simplify_name(word) for part in ("always", "words") for word in read_facts("missing")[part]}
    found: dict[str, str] = {}
    for column in list_numeric(sketch):
        if not column.is_numeric:
            continue
        words = tuple(None if is_number(cell) else cell for cell in column.cells)
        known = {str(cell).strip().casefold() for cell in words if is_missing_word(cell)}
        found |= {simplify_name(word): word for word in sorted(known)}
        for code in sketch.list_codes(SheetColumn(column.header, words))[0]:
            found.setdefault(simplify_name(code), ask("missing", (code,), code=repr(code)))
    return [word for key, word in found.items() if key not in usual]


def needs_rekey(sketch: Sketch) -> bool:
    """Return whether the patient column holds a running number by which someone could be known."""
    column = sketch.mapped.get("patient_id")
    if column is None:
        return False
    words = single_words("rekey", "words") | words_for("rekey", "words")
    return bool(words & set(normalise(column.header).split())) or match_header(column.header) is not None
