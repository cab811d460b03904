"""`Draft`: a source TOML written from what a file shows, with questions where it shows nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.drafting.codes import draft_codes, find_separator, has_other_regions, list_therapies
from outcomes.drafting.column import FEWEST_PATIENTS, uses_decimal_comma
from outcomes.drafting.grid import read_grids
from outcomes.drafting.question import (
    OpenQuestion,
    ReaderQuestion,
    ask,
    find_reader_questions,
    quote_key,
    quote_value,
    say,
)
from outcomes.drafting.role import fits_values, order_moments
from outcomes.drafting.scores import draft_instrument, draft_scores
from outcomes.drafting.sheets import sketch_tables
from outcomes.drafting.sketch import (
    Sketch,
    describe_answered,
    describe_colours,
    describe_dates,
    list_left_out,
    list_missing_words,
    list_numeric,
    needs_rekey,
)
from outcomes.drafting.spelling import split_date
from outcomes.drafting.words import Moment
from outcomes.facts import Value, read_instrument, read_therapies
from outcomes.records.gate.inspection import names_person

#: Rows up to which a draft is read once to see what reading asks, and how often that is done.
_MOST_REHEARSED = 200_000
_MOST_REHEARSALS = 5
#: Sheets of one header that are listed by name; more are cards of patients.
_MOST_LISTED = 12
#: Codes up to which a column that nothing else is known of may name time points.
_MOST_TIMEPOINTS = 12
#: The end of therapy, and the time point that it becomes where there is no other follow-up to compare.
_END, _AFTER = "end_of_therapy", "after_therapy"


@dataclass(frozen=True)
class Draft:
    """A drafted source."""

    name: str
    #: Content of the source TOML. A value that begins with "?" is a question; `read_source` refuses it with
    #: the question until it is answered. Of patients' values it holds only codes of categories that at least
    #: three patients share.
    text: str = field(repr=False)
    #: Why columns are not read (``identifying``, ``free_text``, ``unknown``, ...) to their headers.
    left_out: Mapping[str, tuple[str, ...]]
    #: Id of each measure that is not known yet to the content of its file in ``data/instruments/``, which
    #: asks for its range and direction.
    instruments: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: All questions, those of the instrument files included, in their order.
    questions: tuple[OpenQuestion, ...] = field(default=(), repr=False)

    @property
    def n_questions(self) -> int:
        """Return the number of questions."""
        return len(self.questions)


def draft_source(path: str | Path, sheet: str | None = None) -> Draft:
    """Draft a source TOML from the headers and values of a file.

    It finds the sheet, the header under title rows and in two lines, the patients' column, therapies
    and what joins several, scores with their instruments and time points, dates and their order, words
    for "missing", categories, and columns that may identify a person, which it leaves out. It never
    repeats ids, dates, free text or rare values.

    Parameters
    ----------
    path : str or Path
        A file of any format that `read_records` reads.
    sheet : str, optional
        The only sheet of a workbook to draft from; all visible ones that hold records where absent.

    Returns
    -------
    Draft

    Raises
    ------
    RecordsError
        When the file cannot be read or holds no table.
    """
    path = Path(path)
    tables = sketch_tables(read_grids(path, sheet))
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.casefold()).strip("-") or "own-source"
    writer = _SourceWriter(name, tables.sketches, tables.unread)
    draft = writer.write()
    if sum(sketch.grid.cells.n_rows for sketch in tables.sketches) > _MOST_REHEARSED:
        return draft
    for _ in range(_MOST_REHEARSALS):
        asked = find_reader_questions(draft.text, draft.questions, path, draft.instruments)
        new = [question for question in asked if question not in writer.asked]
        if not new:
            break
        writer.asked += new
        draft = writer.write()
    return draft


def _find_questions(value: Any) -> Iterator[OpenQuestion]:
    if isinstance(value, OpenQuestion):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _find_questions(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _find_questions(entry)


class _SourceWriter:
    """A draft while it is written: its lines, and the questions that stand in them."""

    def __init__(self, name: str, sketches: list[Sketch], unread: tuple[str, ...]) -> None:
        self.name, self.sketches, self.unread = name, sketches, unread
        self.asked: list[ReaderQuestion] = []
        self.codes = [{name: draft_codes(name, sketch) for name in sketch.mapped} for sketch in sketches]

    def write(self) -> Draft:
        """Write all parts and return the draft."""
        self.lines: list[str] = []
        self.questions: list[OpenQuestion] = []
        all_left_out: dict[str, list[str]] = {}
        instruments: dict[str, str] = {}
        self._write_head()
        self._write_primary()
        self._write_timepoints()
        self._write_other_regions()
        if self.unread:
            self.lines.append("")
            self._list("remarks.unread_sheets", self.unread)
        for sketch, codes in zip(self.sketches, self.codes, strict=True):
            left_out = list_left_out(sketch)
            self._write_file(sketch, left_out)
            self._write_columns(sketch)
            self._write_codes(codes)
            blocks, own_measures = draft_scores(sketch)
            for block in blocks:
                self._section("", "[[file.scores]]", content=block | self._find_answers(sketch, block))
            for measure in own_measures:
                instruments[measure.id], asked = draft_instrument(measure)
                self.questions += asked
                self._remark("own_instrument", id=measure.id)
            for kind, headers in left_out.items():
                all_left_out.setdefault(kind, []).extend(headers)
        text = "\n".join(self.lines) + "\n"
        once = {kind: tuple(dict.fromkeys(headers)) for kind, headers in all_left_out.items()}
        return Draft(self.name, text, once, instruments, tuple(self.questions))

    @property
    def _moments(self) -> list[Moment]:
        return list(dict.fromkeys(moment for sketch in self.sketches for moment in sketch.moments))

    @property
    def _ends_only(self) -> bool:
        """Return whether all follow-ups are at the end of therapy; only the clinic knows when that is."""
        followed = {moment.timepoint for moment in self._moments if moment.timepoint} - {"baseline"}
        return followed == {_END} and all(moment.timepoint for moment in self._moments)

    def _section(self, *heads: str, content: Mapping[str, Any]) -> None:
        if self._ends_only:
            content = {key: _AFTER if value == _END else value for key, value in content.items()}
        self.questions += _find_questions(content)
        self.lines += heads
        self.lines += [f"{quote_key(key)} = {quote_value(value)}" for key, value in content.items()]

    def _remark(self, key: str, before: str = "", **values: Value) -> None:
        self.lines.append(f"{before}# {say(f'remarks.{key}', **values)}")

    def _list(self, key: str, names: tuple[str, ...]) -> None:
        self.lines.append(f"# {say(key)}: {', '.join(map(quote_value, names))}")

    def _write_head(self) -> None:
        first = self.sketches[0]
        self._remark("about", file=first.grid.file, fewest=FEWEST_PATIENTS)
        self._remark("questions")
        self._remark("next", name=self.name)
        self._section("", content={"name": self.name, "label": ask("label")})
        if any(map(needs_rekey, self.sketches)):
            self._remark("rekey", "rekey = true  ")
        printed = _find_printed_day(first)
        day = f'extracted_on = "{printed}"  ' if printed else '# extracted_on = "2026-01-31"  '
        self._remark("extracted_on", day)
        self._remark("design", '# design = "randomised"  ')
        self._remark("disclosure_profile", '# disclosure_profile = "standard"  ')

    def _write_primary(self) -> None:
        content: dict[str, Any] = {}
        measures = dict.fromkeys(name for sketch in self.sketches for name in _list_measures(sketch))
        followed = [id for id in order_moments(self._moments) if id not in ("baseline", _END)]
        followed = followed or ([_AFTER] if self._ends_only else [])
        for key, choices in (("instrument", list(measures)), ("timepoint", followed)):
            if choices:
                content[key] = choices[0] if len(choices) == 1 else ask(f"primary_{key}", choices)
        therapies = [codes["therapy"][0] for codes in self.codes if "therapy" in codes]
        if sum(map(len, therapies)) > 1:
            known = list(dict.fromkeys(name for codes in therapies for name in list_therapies(codes)))
            asked = any(isinstance(code, OpenQuestion) for codes in therapies for code in codes.values())
            told = [*known, *([say("answers.new_therapy")] if asked else [])]
            content["reference"] = ask("reference", known, told=", ".join(told))
        covariates = dict.fromkeys(name for sketch in self.sketches for name in sketch.covariates)
        self._section("", "[primary]", content={**content, "covariates": list(covariates)})

    def _write_timepoints(self) -> None:
        for moment in self._moments:
            if moment.day is not None:
                content = {"label": moment.label, "day": moment.day}
                self._section("", f"[timepoints.{moment.timepoint}]", content=content)
        if self._ends_only:
            content = {"label": say("labels.after_therapy"), "day": ask("after_therapy", ("42",))}
            self._section("", f"[timepoints.{_AFTER}]", content=content)

    def _write_other_regions(self) -> None:
        """Ask what becomes of scores of patients for whose region an instrument is not made."""
        content: dict[str, Any] = {}
        measures = {name.partition(":")[0] for sketch in self.sketches for name in sketch.measures}
        for sketch, codes in zip(self.sketches, self.codes, strict=True):
            for id in sorted(measures) if "region" in sketch.mapped else ():
                instrument = read_instrument(id)
                if instrument.regions and has_other_regions(sketch, codes["region"][0], instrument):
                    name = instrument.short_name
                    content[id] = ask("other_regions", ("keep", "leave_out"), instrument=name)
        if content:
            self._section("", "[other_regions]", content=content)

    def _find_answers(self, sketch: Sketch, block: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the reader's own questions about a score's block, or about the file where none is given."""
        column = block.get("column") if block else None
        rivals = column.answers if isinstance(column, OpenQuestion) else (column,)
        headers = {*rivals, *(block.get("items", ()) if block else ())}
        columns = {column.header for column in sketch.columns}
        found: dict[str, Any] = {}
        for question in self.asked:
            about = headers if question.in_scores else columns if block is None else set()
            if not about & set(question.columns):
                continue
            key, asked = question.key, _offer_columns(question, sketch)
            if question.section is None:
                found[key] = [*found.get(key, []), asked] if question.listed else asked
            elif question.section == "file.scales":
                found["scales"] = {**found.get("scales", {}), key: asked}
        return found

    def _write_file(self, sketch: Sketch, left_out: Mapping[str, tuple[str, ...]]) -> None:
        grid, lines = sketch.grid, sketch.layout.header_lines
        content: dict[str, Any] = {"path": grid.file, "rows": sketch.rows}
        if grid.sheet and (grid.other_sheets or grid.sheet == "*"):
            content["sheet"] = grid.sheet
        if not {"patient_id", "episode_id"} & set(sketch.mapped) and not _list_candidates(sketch):
            content["patient"] = ask("one_per_row", ("one per row",))
        if sketch.heading:
            content["heading"] = list(sketch.heading)
        if lines != (1,) and grid.sheet != "*":
            content["header_row"] = lines[0] if len(lines) == 1 else list(lines)
        if grid.cells.encoding:
            asked = ask("encoding", (grid.cells.encoding,), encodings=grid.cells.encoding)
            content["encoding"] = grid.cells.encoding if grid.cells.certain else asked
        if grid.cells.delimiter:
            content["delimiter"] = grid.cells.delimiter
        if uses_decimal_comma(list_numeric(sketch)):
            content["decimal"] = ","
        content |= describe_dates(sketch)
        optional = {"therapy_separator": find_separator(sketch), "missing": list_missing_words(sketch)}
        content |= {key: value for key, value in optional.items() if value} | describe_answered(sketch)
        content |= self._find_answers(sketch, None)
        self._section("", "[[file]]", content=content)
        if grid.sheet == "*":
            read = sketch.sheets
            told = say("remarks.all_sheets", n=len(read), all=len(grid.other_sheets) + 1)
            if read and len(read) <= _MOST_LISTED and not any(map(names_person, read)):
                told = f"{told}: {', '.join(map(quote_value, read))}"
            self.lines.append(f"# {told}")
        if content.get("encoding") == grid.cells.encoding is not None:
            self._remark("encoding")
        for kind, headers in left_out.items():
            self._list(f"left_out.{kind}", headers)
        if sketch.layout.summary_lines:
            self._remark("summary_rows", n=len(sketch.layout.summary_lines))

    def _write_columns(self, sketch: Sketch) -> None:
        headers: dict[str, Any] = {name: column.header for name, column in sketch.mapped.items()}
        for name, rivals in sketch.rivals.items():
            if name in headers:
                choices = [column.header for column in rivals]
                headers[name] = ask("rival_columns", choices, n=len(rivals), name=name)
        candidates = _list_candidates(sketch)
        if not {"patient_id", "episode_id"} & set(headers) and candidates:
            headers["patient_id"] = ask("patient_id", candidates)
        if sketch.rows == "assessment" and not {"date", "day", "timepoint"} & set(headers):
            headers["timepoint"] = ask("timepoint_column", _list_candidates(sketch, _MOST_TIMEPOINTS))
        self._section("", "[file.columns]", content=headers)
        colours = describe_colours(sketch)
        if not any("therapy" in other.mapped for other in self.sketches):
            kind = "therapy_colour" if colours else "therapy_column"
            asked = ask(kind, ("other", *read_therapies()), colours=colours)
            self._section("", "[file.constants]", content={"therapy": asked})
        elif colours:
            self._remark("colours", colours=colours)

    def _write_codes(self, drafted: Mapping[str, tuple[dict[str, str], int]]) -> None:
        for name, (codes, n_others) in drafted.items():
            if codes:
                self._section("", f"[file.codes.{name}]", content=codes)
                if n_others:
                    self._remark("others", n=n_others, fewest=FEWEST_PATIENTS)


def _list_measures(sketch: Sketch) -> list[str]:
    """Return the measures of a sketch, those that get an instrument file included."""
    return list(dict.fromkeys([*sketch.measures, *(measure.id for measure in draft_scores(sketch)[1])]))


def _list_candidates(sketch: Sketch, most: int | None = None) -> list[str]:
    """Return the headers of columns that nothing else is known of, and that hold at most so many codes."""
    most = len(sketch.patients) if most is None else most
    return [
        column.header
        for column, role in sketch.pairs
        if role.kind == "unknown" and 1 < column.n_distinct <= most
    ]


def _offer_columns(question: ReaderQuestion, sketch: Sketch) -> OpenQuestion:
    """Return a question with the columns that could answer it among its answers."""
    free = [column for column, role in sketch.pairs if role.kind == "unknown" and "'" not in column.header]
    lines = [
        f"columns.{name} = '{column.header}'"
        for name in question.to_fill
        for column in free
        if column.n_distinct > 1 and fits_values(name, column)
    ]
    asked = question.asked
    if not lines:
        return asked
    told = say("answers.columns", question=asked.removeprefix("? "), lines=", ".join(lines))
    return OpenQuestion(told, [*asked.answers, *lines])


def _find_printed_day(sketch: Sketch) -> str | None:
    """Return the one date that the rows above the header hold, where its order is known."""
    title = sketch.grid.rows[: sketch.layout.header_lines[0] - 1]
    words = [word for row in title for cell in row if isinstance(cell, str) for word in cell.split()]
    dates = [parts for parts in map(split_date, words) if parts]
    order = describe_dates(sketch).get("date_order")
    if len(dates) != 1 or order not in ("day-first", "month-first"):
        return None
    first, second, year = dates[0]
    day, month = (first, second) if order == "day-first" else (second, first)
    return f"{year:04}-{month:02}-{day:02}" if year > 1900 and month <= 12 and day <= 31 else None
