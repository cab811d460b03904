"""`Draft`: a source TOML written from what a file shows, with questions where it shows nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outcomes.drafting.column import FEWEST_PATIENTS, SheetColumn, uses_decimal_comma
from outcomes.drafting.grid import read_grid
from outcomes.drafting.layout import find_layout
from outcomes.drafting.role import covariates_among, guess_role
from outcomes.drafting.sketch import (
    Sketch,
    ask,
    describe_dates,
    draft_categories,
    draft_names,
    draft_scores,
    draft_therapies,
    find_separator,
    list_missing_words,
    list_numeric,
    needs_rekey,
)
from outcomes.drafting.spelling import split_date
from outcomes.errors import RecordsError
from outcomes.facts import read_facts, read_schema

_LEFT_OUT = ("identifying", "free_text", "contradicted", "unknown")
_QUESTION = re.compile(r'= "\? |^  "\? ', flags=re.MULTILINE)


@dataclass(frozen=True)
class Draft:
    """A drafted source.

    Parameters
    ----------
    name : str
        Name of the source, from the file's name.
    text : str
        Content of the source TOML. A value that begins with "?" is a question; `read_source` refuses
        it with the question until it is answered. Of patients' values it holds only codes of
        categories that at least three patients share.
    left_out : mapping
        Why columns are not read (``identifying``, ``free_text``, ``contradicted``, ``unknown``) to
        their headers.
    """

    name: str
    text: str = field(repr=False)
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def n_questions(self) -> int:
        """Return the number of questions."""
        return len(_QUESTION.findall(self.text))


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
        Sheet of a workbook; the fullest visible one where absent.

    Returns
    -------
    Draft

    Raises
    ------
    RecordsError
        When the file cannot be read or holds no table.
    """
    path = Path(path)
    grid = read_grid(path, sheet)
    layout = find_layout(grid.rows)
    body = [
        row
        for line, row in enumerate(grid.rows[layout.first_line - 1 :], start=layout.first_line)
        if line not in layout.summary_lines and any(cell is not None for cell in row)
    ]
    columns = [
        SheetColumn(header, tuple(row[i] for row in body))
        for i, header in enumerate(layout.headers)
        if header
    ]
    if len(columns) < 2:
        raise RecordsError(
            f"{path.name} has fewer than two columns with a name; nothing can be drafted from it."
        )
    sketch = Sketch(grid, layout, columns, [guess_role(column) for column in columns])
    if not any(role.kind in ("column", "score") for role in sketch.roles):
        raise RecordsError(
            f"{path.name}: no column was recognised by its name in line {layout.header_lines[-1]}; "
            "name the columns there, or write the source TOML by hand (docs/records.md)."
        )
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.casefold()).strip("-") or "own-source"
    left_out = _list_left_out(sketch)
    sections = (_head(name, sketch), _primary(sketch), _file(sketch, left_out), _columns(sketch))
    lines = [line for part in (*sections, _codes(sketch), _scores(sketch)) for line in part]
    return Draft(name, "\n".join(lines) + "\n", left_out)


def _quote(value: Any) -> str:
    """Return a value as TOML; a JSON string is a TOML string too."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_quote, value))}]"
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _pairs(content: Mapping[str, Any]) -> Iterator[str]:
    for key, value in content.items():
        bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
        yield f"{key if bare else _quote(key)} = {_quote(value)}"


def _list_left_out(sketch: Sketch) -> dict[str, tuple[str, ...]]:
    used = {column.header for column in sketch.mapped.values()}
    found: dict[str, list[str]] = {kind: [] for kind in _LEFT_OUT}
    for column, role in zip(sketch.columns, sketch.roles, strict=True):
        if role.kind in _LEFT_OUT:
            found[role.kind].append(column.header)
        elif role.kind == "column" and column.header not in used:
            found["unknown"].append(column.header)
    return {kind: tuple(headers) for kind, headers in found.items() if headers}


def _head(name: str, sketch: Sketch) -> Iterator[str]:
    say = read_facts("drafting")["sentences"]
    yield f"# {say['about'].format(file=sketch.grid.file, fewest=FEWEST_PATIENTS)}"
    yield f"# {say['questions']}"
    yield f"# {say['next'].format(name=name)}"
    yield ""
    yield from _pairs({"name": name, "label": ask("label")})
    if needs_rekey(sketch):
        yield f"rekey = true  # {say['rekey']}"
    printed = _find_printed_day(sketch)
    if printed:
        yield f'extracted_on = "{printed}"  # {say["extracted_on"]}'
    else:
        yield f'# extracted_on = "2026-01-31"  # {say["extracted_on"]}'
    yield f'# design = "randomised"  # {say["design"]}'
    yield f'# disclosure_profile = "standard"  # {say["disclosure_profile"]}'


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


def _primary(sketch: Sketch) -> Iterator[str]:
    content: dict[str, Any] = {}
    for key, names in (("instrument", sketch.instruments), ("timepoint", sketch.timepoints)):
        choices = [name for name in names if name not in ("baseline", "end_of_therapy")]
        if len(choices) == 1:
            content[key] = choices[0]
        elif choices:
            content[key] = ask(f"primary_{key}", allowed=", ".join(choices))
    if "therapy" in sketch.mapped:
        codes, _ = draft_therapies(sketch)
        known = dict.fromkeys(code for code in codes.values() if not code.startswith("?"))
        if len(codes) > 1:
            content["reference"] = ask("reference", allowed=", ".join(known) or "the therapies below")
    content["covariates"] = covariates_among(list(sketch.mapped))
    yield from ("", "[primary]", *_pairs(content))


def _file(sketch: Sketch, left_out: Mapping[str, Iterable[str]]) -> Iterator[str]:
    grid, lines, say = sketch.grid, sketch.layout.header_lines, read_facts("drafting")["sentences"]
    content: dict[str, Any] = {"path": grid.file, "rows": sketch.rows}
    if grid.sheet and grid.other_sheets:
        content["sheet"] = grid.sheet
    if lines != (1,):
        content["header_row"] = lines[0] if len(lines) == 1 else list(lines)
    if grid.encoding:
        asked = ask("encoding", encodings=grid.encoding)
        content["encoding"] = grid.encoding if grid.encoding_certain else asked
    if grid.delimiter:
        content["delimiter"] = grid.delimiter
    if uses_decimal_comma(list_numeric(sketch)):
        content["decimal"] = ","
    content |= describe_dates(sketch)
    optional = {
        "therapy_separator": find_separator(sketch),
        "missing": list_missing_words(sketch),
    }
    content |= {key: value for key, value in optional.items() if value}
    yield from ("", "[[file]]", *_pairs(content))
    if content.get("encoding") == grid.encoding is not None:
        yield f"# {say['encoding']}"
    for kind, headers in left_out.items():
        yield f"# {say[kind]}: {', '.join(map(_quote, headers))}"
    if sketch.layout.summary_lines:
        yield f"# {say['summary_rows'].format(n=len(sketch.layout.summary_lines))}"


def _columns(sketch: Sketch) -> Iterator[str]:
    headers = {name: column.header for name, column in sketch.mapped.items()}
    if "patient_id" not in headers and "episode_id" not in headers:
        headers["patient_id"] = ask("patient_id")
    if "therapy" not in headers:
        headers["therapy"] = ask("therapy_column")
    if not {"start_date", "date", "day", "timepoint"} & set(headers) and not sketch.timepoints:
        headers["timepoint"] = ask("timepoint_column")
    yield from ("", "[file.columns]", *_pairs(headers))


def _codes(sketch: Sketch) -> Iterator[str]:
    say = read_facts("drafting")["sentences"]["others"]
    schema = read_schema()["episodes"]
    for name in sketch.mapped:
        codes: dict[str, str] = {}
        n_others = 0
        if name == "therapy":
            codes, n_others = draft_therapies(sketch)
        elif name in ("instrument", "timepoint"):
            codes = draft_names(name, sketch)
        elif name in schema and schema[name].allowed:
            codes, n_others = draft_categories(name, sketch)
        if codes:
            yield from ("", f"[file.codes.{name}]", *_pairs(codes))
            if n_others:
                yield f"# {say.format(n=n_others, fewest=FEWEST_PATIENTS)}"


def _scores(sketch: Sketch) -> Iterator[str]:
    for block in draft_scores(sketch):
        yield from ("", "[[file.scores]]", *_pairs(block))
