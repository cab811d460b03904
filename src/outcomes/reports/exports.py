"""What lies beside a page: the released tables as CSV and Excel, and the figures as PNG."""

import io
import re
import struct
from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from outcomes.errors import ReportError
from outcomes.facts import read_words
from outcomes.views.view import View

# spreadsheet programs take text that begins like this for a formula
_FORMULA = re.compile(r"^[=+\-@\t\r\n|＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_PNG = b"\x89PNG\r\n\x1a\n"
# what a picture needs; text, times and profiles are left out
_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"IDAT", b"IEND"}
_LONGEST_SHEET_NAME = 31


def build_exports(views: Sequence[View]) -> dict[str, bytes]:
    """Return the files beside a page by name, from released views only."""
    tables = {view.id: view for view in views if view.table is not None and len(view.table)}
    files = {f"{view.id}.png": strip_png(view.png) for view in views if view.png is not None}
    if tables:
        files["results.csv"] = write_csv(list(tables.values()))
        files["results.xlsx"] = write_workbook(list(tables.values()))
    return files


def write_csv(views: Sequence[View]) -> bytes:
    """Return the views' tables as one CSV in UTF-8, the view's id in the first column; safe from formulas."""
    frames = []
    for view in views:
        frame = _tidy(view)
        frame.insert(0, "view", view.id)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    for column in table.columns[table.dtypes != "float64"]:
        table[column] = table[column].map(_make_safe)
    # the mark lets Excel read the file as UTF-8
    return table.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def write_workbook(views: Sequence[View]) -> bytes:
    """Return the views' tables as an Excel workbook: a sheet for each, a list of them first.

    Numbers are numbers, text is text and never a formula or a link; the properties name nobody.
    """
    import xlsxwriter

    buffer = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"created": datetime(2000, 1, 1)})
    words = read_words(views[0].language)
    contents, sheet, shows = (words.say(f"page.workbook.{key}") for key in ("contents", "sheet", "shows"))
    names = _name_sheets(views, contents)
    listed = pd.DataFrame({sheet: list(names.values()), shows: [view.caption or view.alt for view in views]})
    _fill_sheet(book, contents, listed)
    for view in views:
        _fill_sheet(book, names[view.id], _tidy(view))
    book.close()
    return buffer.getvalue()


def strip_png(content: bytes) -> bytes:
    """Return a PNG with nothing but the picture in it; anything that is no PNG is refused (exit code 6)."""
    if not content.startswith(_PNG):
        raise ReportError("A figure of the notebook is not a PNG; nothing was published.")
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, end = content[place + 4 : place + 8], place + 12 + length
        if kind in _CHUNKS:
            kept.append(content[place:end])
        place = end
        if kind == b"IEND":
            break
    return b"".join(kept)


def _tidy(view: View) -> pd.DataFrame:
    assert view.table is not None
    return view.table.reset_index(drop=True).dropna(axis="columns", how="all")


def _make_safe(value: object) -> object:
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}" if _FORMULA.match(value) else value


def _name_sheets(views: Sequence[View], contents: str) -> dict[str, str]:
    """Return a name for the sheet of each view by its id, no two alike and none too long."""
    names, taken = dict[str, str](), {contents.lower()}
    for number, view in enumerate(views, start=1):
        name = view.id[:_LONGEST_SHEET_NAME]
        if name.lower() in taken:
            name = f"{view.id[: _LONGEST_SHEET_NAME - 4]}-{number}"
        taken.add(name.lower())
        names[view.id] = name
    return names


def _fill_sheet(book: object, name: str, table: pd.DataFrame) -> None:
    sheet = book.add_worksheet(name)  # type: ignore[attr-defined]
    bold = book.add_format({"bold": True})  # type: ignore[attr-defined]
    for column, header in enumerate(table.columns):
        sheet.write_string(0, column, str(header), bold)
        for row, value in enumerate(table[header].tolist(), start=1):
            if pd.isna(value):
                continue
            if isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, (int, float)):
                sheet.write_number(row, column, value)
            else:
                sheet.write_string(row, column, str(_make_safe(str(value))))
    sheet.freeze_panes(1, 0)
    sheet.autofit()
