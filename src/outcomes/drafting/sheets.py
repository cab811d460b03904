"""From the sheets of a file to its tables: sheets with one header are one table, cards of patients too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from outcomes.drafting.column import SheetColumn
from outcomes.drafting.grid import MAX_TITLE_LINES, SheetGrid, SheetLayout, find_layout, is_names
from outcomes.drafting.question import say
from outcomes.drafting.role import Role, fits_values, guess_role
from outcomes.drafting.sketch import Sketch, find_questionnaires
from outcomes.drafting.spelling import normalise
from outcomes.drafting.words import find_moment, words_of
from outcomes.errors import RecordsError
from outcomes.records.files.excel import SHEET_TITLE

#: Proportion of sheets that must share a line for it to be the header, or a label, of all of them.
_MOST_SHEETS = 0.8
_FEWEST_CARDS = 3


@dataclass(frozen=True)
class Tables:
    """The tables of a file."""

    #: One per table that holds records.
    sketches: list[Sketch]
    #: Titles of sheets that hold none.
    unread: tuple[str, ...] = ()


def sketch_tables(grids: Sequence[SheetGrid]) -> Tables:
    """Sketch the tables of a file."""
    cards = _stack_cards(grids)
    if cards is not None:
        return Tables([cards])
    sketches, unread, errors = [], [], []
    for grid in grids:
        try:
            sketches.append(sketch_grid(grid))
        except RecordsError as error:
            unread.append(grid.sheet or "")
            errors.append(error)
    if not sketches:
        raise max(errors, key=lambda error: "recognised" in str(error))
    timed = _take_titles_as_times(sketches)
    kept = []
    for sketch in sketches:  # one says whose its rows are, and something of them
        own = {"patient_id", "episode_id"} & set(sketch.mapped)
        if own and (sketch.scores or len(sketch.mapped) > 1):
            kept.append(sketch)
    kept = kept or [max(sketches, key=lambda sketch: sum(len(column.filled) for column in sketch.columns))]
    unread += [sketch.grid.sheet or "" for sketch in sketches if sketch not in kept]
    return Tables(_join_alike(kept, timed), tuple(unread))


def sketch_grid(grid: SheetGrid) -> Sketch:
    """Sketch the table of one sheet; one without a header, or of which nothing is recognised, is refused."""
    layout = find_layout(grid.rows)
    lines = [
        line
        for line, row in enumerate(grid.rows[layout.first_line - 1 :], start=layout.first_line)
        if line not in layout.summary_lines and any(cell is not None for cell in row)
    ]
    repeated = {header for header, n in Counter(layout.headers).items() if header and n > 1}
    columns = [
        SheetColumn(header, tuple(grid.rows[line - 1][i] for line in lines))
        for i, header in enumerate(layout.headers)
        if header and header not in repeated
    ]
    if len(columns) < 2:
        raise RecordsError(say("errors.few_columns", file=grid.file))
    sketch = Sketch(grid, layout, columns, lines=tuple(lines), repeated=tuple(sorted(repeated)))
    if not any(role.kind in ("column", "score") for role in sketch.roles):
        raise RecordsError(say("errors.not_recognised", file=grid.file, line=layout.header_lines[-1]))
    return sketch


def _take_titles_as_times(sketches: Sequence[Sketch]) -> set[str]:
    """Give the scores of sheets that are called by times that time; returns the titles of these sheets."""
    named = {}
    for place, sketch in enumerate(sketches):
        dated = {"timepoint", "date", "day"} & set(sketch.mapped)
        moment = find_moment(sketch.grid.sheet or "")
        if moment and sketch.scores and not dated and not any(role.moment for _, role in sketch.scores):
            named[place] = moment
    if len(named) < 2 or len(set(named.values())) < len(named):
        return set()
    for place, moment in named.items():
        for number, role in enumerate(sketches[place].roles):
            if role.kind == "score":
                sketches[place].roles[number] = replace(role, moment=moment)
    return {sketches[place].grid.sheet or "" for place in named}


def _join_alike(sketches: list[Sketch], timed: set[str]) -> list[Sketch]:
    """Make one table of sheets that have the same headers in one line."""
    groups: dict[tuple[str, ...], list[Sketch]] = {}
    for sketch in sketches:
        alone = len(sketch.layout.header_lines) > 1 or sketch.grid.sheet in timed
        key = (*sketch.layout.headers, sketch.grid.sheet or "") if alone else sketch.layout.headers
        groups.setdefault(key, []).append(sketch)
    return [group[0] if len(group) == 1 else _stack(group) for group in groups.values()]


def _stack(group: Sequence[Sketch]) -> Sketch:
    first = group[0]
    columns = [
        SheetColumn(column.header, tuple(cell for sketch in group for cell in sketch.columns[place].cells))
        for place, column in enumerate(first.columns)
    ]
    grid = replace(first.grid, sheet="*")
    sheets = tuple(sketch.grid.sheet or "" for sketch in group)
    return Sketch(grid, first.layout, columns, repeated=first.repeated, sheets=sheets)


def _stack_cards(grids: Sequence[SheetGrid]) -> Sketch | None:
    """Return the table that cards of patients make, one sheet each, visits beneath labels; else None."""
    if len(grids) < _FEWEST_CARDS:
        return None
    header = _find_common_header(grids) or ()
    roles = [guess_role(SheetColumn(name, ("P1", "P2"))) for name in header]
    if not header or any(role.name == "patient_id" for role in roles):
        return None
    cards = [(grid.sheet or "", *card) for grid in grids if (card := _split_card(grid, header))]
    labels = _find_labels([above for _, above, _ in cards])
    if not any(words_of("columns").get(normalise(label)) == "patient_id" for label in labels):
        labels = [SHEET_TITLE, *labels]
    places = [place for place, name in enumerate(header) if name]
    cells: dict[str, list[Any]] = {name: [] for name in (*labels, *(header[place] for place in places))}
    for title, above, rows in cards:
        values = {label: title if label == SHEET_TITLE else above.get(label) for label in labels}
        for row in rows:
            for label in labels:
                cells[label].append(values[label])
            for place in places:
                cells[header[place]].append(row[place] if place < len(row) else None)
    columns = [SheetColumn(name, tuple(listed)) for name, listed in cells.items()]
    grid = replace(grids[0], sheet="*")
    roles = [
        Role("column", "patient_id")
        if column.header == SHEET_TITLE and fits_values("patient_id", column)
        else guess_role(column)
        for column in columns
    ]
    roles = find_questionnaires(columns, roles)
    layout, sheets = SheetLayout((1,), tuple(cells), 2, ()), tuple(title for title, _, _ in cards)
    sketch = Sketch(grid, layout, columns, roles, heading=tuple(labels), sheets=sheets)
    return sketch if sketch.scores else None


def _names(row: Sequence[Any]) -> tuple[str, ...]:
    """Return the cells of a line that holds nothing but names, as text; else nothing."""
    if sum(cell is not None for cell in row) < 2 or not is_names(row):
        return ()
    cells = ["" if cell is None else " ".join(str(cell).split()) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return tuple(cells)


def _find_common_header(grids: Sequence[SheetGrid]) -> tuple[str, ...] | None:
    """Return the line of names that nearly all sheets share, the longest."""
    counts: Counter[tuple[str, ...]] = Counter()
    for grid in grids:
        counts.update({names for row in grid.rows[:MAX_TITLE_LINES] if (names := _names(row))})
    common = [names for names, n in counts.items() if n >= _MOST_SHEETS * len(grids)]
    return max(common, key=len, default=None)


def _split_card(
    grid: SheetGrid, header: tuple[str, ...]
) -> tuple[Mapping[str, Any], list[tuple[Any, ...]]] | None:
    """Return the labels above the header with their values, and the rows beneath it."""
    line = next((i for i, row in enumerate(grid.rows) if _names(row) == header), None)
    if line is None:
        return None
    above: dict[str, Any] = {}
    for row in grid.rows[:line]:
        for place, cell in enumerate(row):
            if not isinstance(cell, str):
                continue
            name, colon, value = cell.replace("：", ":").partition(":")
            beside = next((other for other in row[place + 1 :] if other is not None), None)
            above.setdefault(" ".join(name.split()), value.strip() if colon and value.strip() else beside)
    return above, [row for row in grid.rows[line + 1 :] if any(cell is not None for cell in row)]


def _find_labels(headings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the labels that nearly all headings share and that stand beside a value."""
    counts = Counter(
        label for above in headings for label, value in above.items() if label and value is not None
    )
    shared = [label for label, n in counts.items() if n >= _MOST_SHEETS * len(headings)]
    values = {str(value) for above in headings for label, value in above.items() if label in shared}
    return [label for label in shared if label not in values or normalise(label) in words_of("columns")]
