"""`Sketch`: what a draft understood of one table: questionnaires, what is not read and why, colours."""

import colorsys
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from outcomes.drafting.column import (
    FEWEST_PATIENTS,
    SheetColumn,
    find_calendar,
    find_date_order,
    find_letter,
    is_missing_word,
    list_codes,
    read_number,
)
from outcomes.drafting.grid import SheetGrid, SheetLayout
from outcomes.drafting.question import ask, say
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
from outcomes.records.gate.patterns import match_header
from outcomes.records.spelling import simplify_name

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

#: Why columns are not read, in the order in which a draft lists them.
_LEFT_OUT = ("identifying", "free_text", "contradicted", "export_mark", "blank", "repeated", "unknown")
#: Proportion of neighbouring rows that must differ in colour for two colours to be stripes.
_FEWEST_CHANGES = 0.9
_GREY = 0.12


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
    answers = [find_letter(cell) or read_number(cell) for cell in column.filled]
    told = [answer for answer in answers if answer not in ("", None)]
    # nearly all cells are letters or numbers of a few steps, alone or before a text
    answered = bool(told) and len(told) >= 0.9 * len(answers) and len(set(told)) <= _MOST_ANSWERS
    if role.kind == "identifying" or role.item is not None or not answered:
        return None
    words = "|".join(sorted(words_for("beside", "item") - {"s", "i"}, key=len, reverse=True))
    match = re.match(rf"(?:.{{0,20}} )??(?:(?:{words}) )?(\d{{1,2}})(?: |$)", normalise(column.header))
    return int(match[1]) if match else None


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
    roles: list[Role] = field(default_factory=list)
    #: Columns of the schema, each with the column of the file that holds it.
    mapped: dict[str, SheetColumn] = field(default_factory=dict)
    #: Columns of the schema for which several columns of the file could stand.
    rivals: dict[str, list[SheetColumn]] = field(default_factory=dict)
    #: Line of each row of data in its sheet; empty where rows of several sheets stand beneath each other.
    lines: tuple[int, ...] = ()
    repeated: tuple[str, ...] = ()
    #: Headers that are labels above the rows.
    heading: tuple[str, ...] = ()
    #: Titles of the sheets whose rows stand beneath each other; empty for one.
    sheets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Give each column of the schema the columns that fit it."""
        if not self.roles:
            self.roles = find_questionnaires(self.columns, [guess_role(column) for column in self.columns])
        names = {role.name for role in self.roles if role.kind == "column"}
        if "score" in names and "instrument" not in names:
            self.roles = [Role("score") if role == Role("column", "score") else role for role in self.roles]
        self._map()
        self._tell_by_values()
        if self.rows == "episode" and "date" in self.mapped and "start_date" not in self.mapped:
            self.mapped["start_date"] = self.mapped.pop("date")
            if "date" in self.rivals:
                self.rivals["start_date"] = self.rivals.pop("date")

    def _map(self) -> None:
        for column, role in self.pairs:
            if role.kind != "column" or role.name is None:
                continue
            first = self.mapped.setdefault(role.name, column)
            if first is not column and not _say_the_same(first, column):
                self.rivals.setdefault(role.name, [first]).append(column)
        # a number that counts the rows of an export is left out where another column tells who comes back
        rivals = self.rivals.get("patient_id", [])
        others = [column for column in rivals if not _counts_rows(column)]
        if len(others) == 1 < len(rivals) and others[0].n_distinct < len(others[0].filled):
            self.mapped["patient_id"] = others[0]
            del self.rivals["patient_id"]
        for name in ("instrument", "variant"):
            if "score" not in self.mapped:
                self.mapped.pop(name, None)
                self.rivals.pop(name, None)

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
        keys = column.cells if column else (None,) * len(self.columns[0].cells)
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
    def timepoint_choices(self) -> tuple[str, ...]:
        """Return the time points that answer a question: the standard ones, and those recognised."""
        return tuple(dict.fromkeys((*read_timepoints(), *order_moments(self.moments))))

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


def describe_answered(sketch: Sketch) -> dict[str, Any]:
    """Return what says whether forms were filled in; a status column follows the columns of its form."""
    covered: dict[str, list[str]] = {}
    before: list[str] = []
    for column, role in sketch.pairs:
        if role.kind == "score":
            before.append(column.header)
        elif role.kind == "status":
            covered |= {column.header: before} if before else {}
            before = []
    if len(covered) == 1 and not before and sum(map(len, covered.values())) == len(sketch.scores):
        return {"answered": {"column": next(iter(covered)), "values": ["2"]}}
    blocks = [
        {"column": header, "values": ["0", "1", ""], "scores": scores} for header, scores in covered.items()
    ]
    return {"missing_where": blocks} if blocks else {}


def list_left_out(sketch: Sketch) -> dict[str, tuple[str, ...]]:
    """Return why columns are not read to their headers."""
    read = {column.header for column in sketch.mapped.values()}
    read |= {column.header for columns in sketch.rivals.values() for column in columns}
    answered = describe_answered(sketch)
    statuses = [answered["answered"]] if "answered" in answered else answered.get("missing_where", [])
    status_columns = {entry["column"] for entry in statuses}
    found: dict[str, list[str]] = {kind: [] for kind in _LEFT_OUT} | {"repeated": list(sketch.repeated)}
    for column, role in sketch.pairs:
        if not column.filled:
            found["blank"].append(column.header)
        elif role.kind in _LEFT_OUT:
            found[role.kind].append(column.header)
        elif role.kind == "status" and column.header not in status_columns:
            found["export_mark"].append(column.header)
        elif role.kind == "column" and column.header not in read:
            found["unknown"].append(column.header)
    return {kind: tuple(headers) for kind, headers in found.items() if headers}


def describe_colours(sketch: Sketch) -> str | None:
    """Return in words the colours of the column whose cells are filled in several ways, None where none is.

    Stripes carry no meaning: whole rows, or a colour and none, that change from each row to the next.
    """
    fills = sketch.grid.cells.fills
    if not fills or not sketch.lines:
        return None
    places = range(1, len(sketch.layout.headers) + 1)
    for place, header in enumerate(sketch.layout.headers, start=1):
        colours = [fills.get((line, place)) for line in sketch.lines]
        counts = Counter(colours)
        ways = [colour for colour, n in counts.most_common() if n >= FEWEST_PATIENTS]
        changes = sum(first != second for first, second in pairwise(colours))
        rows = zip(sketch.lines, colours, strict=True)
        whole = all(fills.get((line, other)) == colour for line, colour in rows for other in places)
        plain = bool({"grey", "none"} & set(map(_name_colour, ways))) or whole
        striped = len(ways) == 2 and plain and changes >= _FEWEST_CHANGES * (len(colours) - 1)
        if header and len(ways) >= 2 and not striped:
            names = {colour: _name_colour(colour) for colour in ways}
            said = {colour: say(f"colours.{name}") if name else colour for colour, name in names.items()}
            told = ", ".join(f"{counts[colour]} {said[colour]}" for colour in ways)
            return say("remarks.colour_counts", header=header, n=len(ways), counts=told)
    return None


def _name_colour(colour: str | None) -> str | None:
    """Return the name of a colour given as hexadecimal, such as ``FF92D050``; None where it is not that."""
    if colour is None:
        return "none"
    digits = colour.removeprefix("#")[-6:]
    try:
        red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    except ValueError:
        return None
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < _GREY or max(red, green, blue) - min(red, green, blue) < _GREY:
        return "grey"
    return next((name for name, most in read_facts("drafting")["hues"].items() if 360 * hue < most), "red")
