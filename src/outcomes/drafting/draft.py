"""`Draft`: a source TOML written from what a file shows, with questions where it shows nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.drafting.codes import draft_codes, find_separator, has_other_regions, list_therapies
from outcomes.drafting.colours import describe_colours
from outcomes.drafting.column import FEWEST_PATIENTS, uses_decimal_comma
from outcomes.drafting.grid import read_grids
from outcomes.drafting.left_out import describe_answered, list_left_out
from outcomes.drafting.moment import Moment
from outcomes.drafting.question import Asked, ask
from outcomes.drafting.rehearsal import Doubt, find_doubts
from outcomes.drafting.role import fits_values, order_moments
from outcomes.drafting.scores import draft_instrument, draft_scores
from outcomes.drafting.sheets import sketch_tables
from outcomes.drafting.sketch import Sketch, describe_dates, list_missing_words, list_numeric, needs_rekey
from outcomes.drafting.spelling import split_date
from outcomes.facts import read_facts, read_instrument, read_therapies
from outcomes.records.gate import names_person

#: Rows up to which a draft is read once to see what reading asks, and how often that is done.
_MOST_REHEARSED = 200_000
_MOST_REHEARSALS = 5
#: Sheets of one header that are listed by name; more are cards of patients.
_MOST_LISTED = 12
#: The end of therapy, and the time point that it becomes where there is no other follow-up to compare.
_END, _AFTER = "end_of_therapy", "after_therapy"


@dataclass(frozen=True)
class Draft:
    """A drafted source."""

    #: Name of the source, from the file's name.
    name: str
    #: Content of the source TOML. A value that begins with "?" is a question; `read_source` refuses it with
    #: the question until it is answered. Of patients' values it holds only codes of categories that at least
    #: three patients share.
    text: str = field(repr=False)
    #: Why columns are not read (``identifying``, ``free_text``, ``contradicted``, ``unknown``, ...) to their
    #: headers.
    left_out: Mapping[str, tuple[str, ...]]
    #: Id of each measure that is not known yet to the content of its file in ``data/instruments/``, which
    #: asks for its range and direction.
    instruments: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: All questions, those of the instrument files included, in their order.
    questions: tuple[Asked, ...] = field(default=(), repr=False)

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
        A CSV, Excel or Parquet file.
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
    return _ask_all(_Writing(name, tables.sketches, tables.unread), path)


def _ask_all(writing: _Writing, path: Path) -> Draft:
    """Write the draft, and ask what reading by it would ask, until it asks nothing more."""
    draft = writing.finish()
    if sum(sketch.grid.n_rows for sketch in writing.sketches) > _MOST_REHEARSED:
        return draft
    for _ in range(_MOST_REHEARSALS):
        doubts = find_doubts(draft.text, draft.questions, path, draft.instruments)
        new = [doubt for doubt in doubts if doubt not in writing.doubts]
        if not new:
            break
        writing.doubts += new
        draft = writing.finish()
    return draft


def _quote(value: Any) -> str:
    """Return a value as TOML; a JSON string is a TOML string too."""
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_quote, value))}]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_name(key)} = {_quote(entry)}" for key, entry in value.items()) + " }"
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quote(key)


def _find_questions(value: Any) -> Iterator[Asked]:
    if isinstance(value, Asked):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _find_questions(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _find_questions(entry)


class _Writing:
    """A draft while it is written: its lines, and the questions that stand in them."""

    def __init__(self, name: str, sketches: list[Sketch], unread: tuple[str, ...]) -> None:
        self.name, self.sketches, self.unread = name, sketches, unread
        self.say = read_facts("drafting")["sentences"]
        self.lines: list[str] = []
        self.questions: list[Asked] = []
        self.left_out: dict[str, list[str]] = {}
        self.doubts: list[Doubt] = []
        self.codes = [{name: draft_codes(name, sketch) for name in sketch.mapped} for sketch in sketches]

    def finish(self) -> Draft:
        """Write all parts and return the draft."""
        self.lines, self.questions, self.left_out = [], [], {}
        self._write_head()
        self._write_primary()
        self._write_timepoints()
        self._write_other_regions()
        if self.unread:
            self.lines += ["", f"# {self.say['unread_sheets']}: {', '.join(map(_quote, self.unread))}"]
        instruments: dict[str, str] = {}
        for number, sketch in enumerate(self.sketches):
            left_out = list_left_out(sketch)
            self._write_file(sketch, left_out)
            self._write_columns(sketch)
            self._write_codes(sketch, number)
            blocks, unknown = draft_scores(sketch)
            for block in blocks:
                block |= self._find_answers(sketch, block)
                self._section("", "[[file.scores]]", content=block)
            for measure in unknown:
                instruments[measure.id], asked = draft_instrument(measure)
                self.questions += asked
                self.lines.append(f"# {self.say['own_instrument'].format(id=measure.id)}")
            for kind, headers in left_out.items():
                self.left_out.setdefault(kind, []).extend(headers)
        left_out_of_all = {kind: tuple(dict.fromkeys(headers)) for kind, headers in self.left_out.items()}
        return Draft(
            self.name, "\n".join(self.lines) + "\n", left_out_of_all, instruments, tuple(self.questions)
        )

    @property
    def _moments(self) -> list[Moment]:
        return list(dict.fromkeys(moment for sketch in self.sketches for moment in sketch.moments))

    @property
    def _ends_only(self) -> bool:
        """Whether all follow-ups are at the end of therapy, of which only the clinic knows when that is."""
        followed = {moment.timepoint for moment in self._moments if moment.timepoint} - {"baseline"}
        return followed == {_END} and all(moment.timepoint for moment in self._moments)

    def _section(self, *heads: str, content: Mapping[str, Any]) -> None:
        if self._ends_only:
            content = {key: _AFTER if value == _END else value for key, value in content.items()}
        self.questions += _find_questions(content)
        self.lines += [*heads, *(f"{_name(key)} = {_quote(value)}" for key, value in content.items())]

    def _write_head(self) -> None:
        say, first = self.say, self.sketches[0]
        self.lines += [
            f"# {say['about'].format(file=first.grid.file, fewest=FEWEST_PATIENTS)}",
            f"# {say['questions']}",
            f"# {say['next'].format(name=self.name)}",
            "",
        ]
        self._section(content={"name": self.name, "label": ask("label")})
        if any(map(needs_rekey, self.sketches)):
            self.lines.append(f"rekey = true  # {say['rekey']}")
        printed = _find_printed_day(first)
        if printed:
            self.lines.append(f'extracted_on = "{printed}"  # {say["extracted_on"]}')
        else:
            self.lines.append(f'# extracted_on = "2026-01-31"  # {say["extracted_on"]}')
        self.lines.append(f'# design = "randomised"  # {say["design"]}')
        self.lines.append(f'# disclosure_profile = "standard"  # {say["disclosure_profile"]}')

    def _write_primary(self) -> None:
        content: dict[str, Any] = {}
        measures = dict.fromkeys(name for sketch in self.sketches for name in _list_measures(sketch))
        followed = [id for id in order_moments(self._moments) if id not in ("baseline", _END)]
        followed = followed or ([_AFTER] if self._ends_only else [])
        for key, choices in (("instrument", list(measures)), ("timepoint", followed)):
            if len(choices) == 1:
                content[key] = choices[0]
            elif choices:
                content[key] = ask(f"primary_{key}", choices)
        therapies = [codes["therapy"][0] for codes in self.codes if "therapy" in codes]
        if sum(map(len, therapies)) > 1:
            known = list(dict.fromkeys(name for codes in therapies for name in list_therapies(codes)))
            asked = any(isinstance(code, Asked) for codes in therapies for code in codes.values())
            told = [*known, *(["a therapy that you name below"] if asked else [])]
            content["reference"] = ask("reference", known, told=", ".join(told))
        content["covariates"] = list(
            dict.fromkeys(name for sketch in self.sketches for name in sketch.covariates)
        )
        self._section("", "[primary]", content=content)

    def _write_timepoints(self) -> None:
        for moment in self._moments:
            if moment.day is not None:
                content = {"label": moment.label, "day": moment.day}
                self._section("", f"[timepoints.{moment.timepoint}]", content=content)
        if self._ends_only:
            content = {"label": self.say["after_therapy"], "day": ask("after_therapy", ("42",))}
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
        rivals = column.answers if isinstance(column, Asked) else (column,)
        headers = {*rivals, *(block.get("items", ()) if block else ())}
        columns = {column.header for column in sketch.columns}
        found: dict[str, Any] = {}
        for doubt in self.doubts:
            about = headers if doubt.in_scores else columns if block is None else set()
            if not about & set(doubt.columns):
                continue
            asked = _offer_columns(doubt, sketch)
            if doubt.section is None:
                found[doubt.key] = [*found.get(doubt.key, []), asked] if doubt.listed else asked
            elif doubt.section == "file.scales":
                found["scales"] = {**found.get("scales", {}), doubt.key: asked}
        return found

    def _write_file(self, sketch: Sketch, left_out: Mapping[str, Iterable[str]]) -> None:
        grid, lines = sketch.grid, sketch.layout.header_lines
        content: dict[str, Any] = {"path": grid.file, "rows": sketch.rows}
        if grid.sheet and (grid.other_sheets or grid.sheet == "*"):
            content["sheet"] = grid.sheet
        told = {"patient_id", "episode_id"} & set(sketch.mapped)
        if not told and not _list_candidates(sketch, len(sketch.patients)):
            content["patient"] = ask("one_per_row", ("one per row",))
        if sketch.heading:
            content["heading"] = list(sketch.heading)
        if lines != (1,) and grid.sheet != "*":
            content["header_row"] = lines[0] if len(lines) == 1 else list(lines)
        if grid.encoding:
            asked = ask("encoding", (grid.encoding,), encodings=grid.encoding)
            content["encoding"] = grid.encoding if grid.encoding_certain else asked
        if grid.delimiter:
            content["delimiter"] = grid.delimiter
        if uses_decimal_comma(list_numeric(sketch)):
            content["decimal"] = ","
        content |= describe_dates(sketch)
        optional = {"therapy_separator": find_separator(sketch), "missing": list_missing_words(sketch)}
        content |= {key: value for key, value in optional.items() if value} | describe_answered(sketch)
        content |= self._find_answers(sketch, None)
        self._section("", "[[file]]", content=content)
        if grid.sheet == "*":
            self.lines.append(f"# {self._describe_sheets(sketch)}")
        if content.get("encoding") == grid.encoding is not None:
            self.lines.append(f"# {self.say['encoding']}")
        for kind, headers in left_out.items():
            self.lines.append(f"# {self.say[kind]}: {', '.join(map(_quote, headers))}")
        if sketch.layout.summary_lines:
            self.lines.append(f"# {self.say['summary_rows'].format(n=len(sketch.layout.summary_lines))}")

    def _describe_sheets(self, sketch: Sketch) -> str:
        """Return how many sheets are read together, and their names where none looks like a person's."""
        read, n_all = sketch.sheets, len(sketch.grid.other_sheets) + 1
        told = self.say["all_sheets"].format(n=len(read), all=n_all)
        listed = (
            "" if len(read) > _MOST_LISTED or any(map(names_person, read)) else ", ".join(map(_quote, read))
        )
        return f"{told}: {listed}" if listed else told

    def _write_columns(self, sketch: Sketch) -> None:
        headers: dict[str, Any] = {name: column.header for name, column in sketch.mapped.items()}
        for name, rivals in sketch.rivals.items():
            if name in headers:
                headers[name] = ask(
                    "rival_columns", [column.header for column in rivals], n=len(rivals), name=name
                )
        candidates = _list_candidates(sketch, len(sketch.patients))
        if not {"patient_id", "episode_id"} & set(headers) and candidates:
            headers["patient_id"] = ask("patient_id", candidates)
        colours = describe_colours(sketch)
        if sketch.rows == "assessment" and not {"date", "day", "timepoint"} & set(headers):
            headers["timepoint"] = ask("timepoint_column", _list_candidates(sketch, 12))
        self._section("", "[file.columns]", content=headers)
        if not any("therapy" in other.mapped for other in self.sketches):
            kind = "therapy_colour" if colours else "therapy_column"
            asked = ask(kind, ("other", *read_therapies()), colours=colours)
            self._section("", "[file.constants]", content={"therapy": asked})
        elif colours:
            self.lines.append(f"# {self.say['colours'].format(colours=colours)}")

    def _write_codes(self, sketch: Sketch, number: int) -> None:
        for name, (codes, n_others) in self.codes[number].items():
            if codes:
                self._section("", f"[file.codes.{name}]", content=codes)
                if n_others:
                    self.lines.append(f"# {self.say['others'].format(n=n_others, fewest=FEWEST_PATIENTS)}")


def _list_measures(sketch: Sketch) -> list[str]:
    """Return the measures of a sketch, those that get an instrument file included."""
    return list(dict.fromkeys([*sketch.measures, *(measure.id for measure in draft_scores(sketch)[1])]))


def _list_candidates(sketch: Sketch, most: int) -> list[str]:
    """Return the headers of columns that nothing else is known of, and that hold at most so many codes."""
    pairs = zip(sketch.columns, sketch.roles, strict=True)
    return [
        column.header for column, role in pairs if role.kind == "unknown" and 1 < column.n_distinct <= most
    ]


def _offer_columns(doubt: Doubt, sketch: Sketch) -> Asked:
    """Return a question with the columns that could answer it among its answers."""
    pairs = zip(sketch.columns, sketch.roles, strict=True)
    free = [column for column, role in pairs if role.kind == "unknown" and "'" not in column.header]
    lines = [
        f"columns.{name} = '{column.header}'"
        for name in doubt.to_fill
        for column in free
        if column.n_distinct > 1 and fits_values(name, column)
    ]
    if not lines:
        return doubt.asked
    return Asked(
        f"{doubt.asked.removeprefix('? ')}; or one of: {', '.join(lines)}", [*doubt.asked.answers, *lines]
    )


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
