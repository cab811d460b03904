"""The Excel form that needs no source: made from the source that reads it, with lists to choose from."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xlsxwriter

from outcomes.drafting.question import say
from outcomes.errors import RecordsError
from outcomes.facts import (
    FileSpec,
    read_facts,
    read_instrument,
    read_schema,
    read_source,
    read_therapies,
    read_words,
)

_SOURCE = "template"
_CODES_SHEET = "codes"
#: Rows that can be filled in; the form says so where it ends.
_N_ROWS = 2000


@dataclass(frozen=True)
class FormColumn:
    """A column of the form."""

    header: str
    #: What the form says when a cell of the column is entered; at most 255 characters, as Excel allows.
    hint: str
    #: List to choose from; empty where a number, date or short text is typed.
    choices: tuple[str, ...] = ()
    #: What each choice means, in the same order.
    labels: tuple[str, ...] = ()
    #: ``list``, ``date``, ``integer``, ``decimal`` or ``any``.
    kind: str = "any"
    minimum: float | None = None
    maximum: float | None = None


def write_form(path: str | Path) -> None:
    """Write the form as an Excel workbook: a sheet to fill in, and a sheet with the codes.

    One row is one patient; what is left blank counts as not recorded. The source ``template`` reads it.

    Parameters
    ----------
    path : str or Path
        Where to write it; an older file is replaced.

    Raises
    ------
    RecordsError
        When the name does not end in ``.xlsx``.
    """
    if Path(path).suffix != ".xlsx":
        raise RecordsError("The form is an Excel workbook; give it a name that ends in .xlsx.")
    spec = read_source(_SOURCE).files[0]
    columns = list_form_columns(spec)
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet(spec.sheet)
    places = _write_codes(book, [column for column in columns if column.choices])
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
    formats = {
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        "any": book.add_format({"num_format": "@"}),
    }
    for number, column in enumerate(columns):
        sheet.write_string(0, number, column.header, bold)
        sheet.set_column(number, number, max(11, len(column.header) + 2), formats.get(column.kind))
        sheet.data_validation(1, number, _N_ROWS, number, _build_validation(column, places))
    sheet.freeze_panes(1, 1)
    book.close()


def list_form_columns(spec: FileSpec) -> list[FormColumn]:
    """Return the columns of the form in their order: the episode's, then date and scores of each visit."""
    columns = [_describe_column(name, header) for name, header in spec.columns.items()]
    for score in spec.scores:
        if score.date_column and all(column.header != score.date_column for column in columns):
            columns.append(FormColumn(score.date_column, say("form.visit_date"), kind="date"))
        instrument = read_instrument(f"{score.instrument}:{score.variant or ''}")
        # A sum or percentage of items is no whole number once an item is blank; a single item is.
        whole = instrument.scoring["rule"] == "single" and instrument.scoring.get("item_step") == 1
        low, high = instrument.minimum, instrument.maximum
        hint = say("form.score", name=instrument.name, low=f"{low:g}", high=f"{high:g}")
        kind = "integer" if whole else "decimal"
        columns.append(FormColumn(score.column or "", hint, kind=kind, minimum=low, maximum=high))
    return columns


def _describe_column(name: str, header: str) -> FormColumn:
    """Return a column of the form for a column of the schema, with its choices, range and hint."""
    column = read_schema()["episodes"][name]
    hint = say(f"form.{name}") if name in read_words().list("draft.form") else column.meaning[:255]
    labels = {code: (column.labels or {}).get(code, "") for code in column.allowed}
    if name == "therapy":
        labels = {id: therapy.label for id, therapy in read_therapies().items()}
    if labels:
        # The reader takes blanks and underscores for the same.
        choices = tuple(code.replace("_", " ") for code in labels)
        return FormColumn(header, hint, choices, tuple(labels.values()), "list")
    kind = {"date": "date", "integer": "integer", "number": "decimal"}.get(column.type, "any")
    return FormColumn(header, hint, kind=kind, minimum=column.minimum, maximum=column.maximum)


def _write_codes(book: Any, columns: Sequence[FormColumn]) -> dict[str, str]:
    """Write the sheet of codes, and return the range of each column's choices for its validation."""
    sheet = book.add_worksheet(_CODES_SHEET)
    bold = book.add_format({"bold": True, "bottom": 1})
    places = {}
    for number, column in enumerate(columns):
        first = 3 * number
        sheet.write_string(0, first, column.header, bold)
        sheet.set_column(first, first, 20)
        sheet.set_column(first + 1, first + 1, 40)
        for line, (choice, label) in enumerate(zip(column.choices, column.labels, strict=True), start=1):
            sheet.write_string(line, first, choice)
            sheet.write_string(line, first + 1, label)
        letters = xlsxwriter.utility.xl_col_to_name(first, col_abs=True)
        places[column.header] = f"={_CODES_SHEET}!{letters}$2:{letters}${len(column.choices) + 1}"
    return places


def _build_validation(column: FormColumn, places: dict[str, str]) -> dict[str, Any]:
    """Return what Excel lets into a column, and what it says when something else is typed."""
    said = {
        "input_title": column.header[:32],
        "input_message": column.hint,
        "error_title": column.header[:32],
        "error_message": column.hint,
        "ignore_blank": True,
    }
    if column.kind == "list":
        return {"validate": "list", "source": places[column.header], **said}
    if column.kind == "date":
        earliest = datetime.date(read_facts("checks")["earliest_year"], 1, 1)
        return {"validate": "date", "criteria": ">=", "value": earliest, **said}
    if column.kind in ("integer", "decimal"):
        low = column.minimum if column.minimum is not None else 0
        high = column.maximum if column.maximum is not None else 1e6
        return {"validate": column.kind, "criteria": "between", "minimum": low, "maximum": high, **said}
    return {"validate": "any", **said}
