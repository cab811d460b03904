"""Files of the families file, encoding, Excel and Parquet that cannot be written down as text.

Each generator is a function of its name in cases.yaml: it takes a folder, the base file's text, the case, and
a stack on which it leaves what must be undone, and returns the path of the file. All are deterministic.
"""

from __future__ import annotations

import gzip
import os
import threading
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl.comments import Comment

Case = dict
Generator = Callable[[Path, str, Case, ExitStack], Path]


def missing_path(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    return folder / "visits.csv"


def directory(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    path = folder / "visits.csv"
    path.mkdir()
    return path


def chmod_000(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("whoever runs this may read every file")
    path = _write(folder / "visits.csv", base)
    path.chmod(0)
    stack.callback(path.chmod, 0o600)
    return path


def fifo(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(folder / "visits.csv")
    return folder / "visits.csv"


def symlink_escape(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    outside = folder.parent / "outside"
    outside.mkdir()
    _write(outside / "visits.csv", base)
    try:
        (folder / "visits.csv").symlink_to(outside / "visits.csv")
    except OSError:
        pytest.skip("this system allows no links")
    return folder / "visits.csv"


def long_line(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    return _write_sparse(folder / "visits.csv", "a", case["bytes"])


def sparse_file(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    return _write_sparse(folder / "visits.csv", base, case["bytes"])


def long_field(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    return _write(folder / "visits.csv", base.replace("exercise", "x" * case["bytes"], 1))


def wide(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    header, *rows = base.splitlines()
    more = range(case["columns"] - header.count(",") - 1)
    lines = [header + "".join(f",c{number}" for number in more), *(row + "," * len(more) for row in rows)]
    return _write(folder / "visits.csv", "\n".join(lines) + "\n")


def mutating_file(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    """A file to which another programme goes on adding rows."""
    header, *rows = base.splitlines()
    path = _write(folder / "visits.csv", "\n".join([header, *rows * 5000]) + "\n")
    done = threading.Event()

    def append() -> None:
        with path.open("a", encoding="utf-8") as file:
            while not done.wait(0.001):
                file.write(rows[0] + "\n")
                file.flush()

    writer = threading.Thread(target=append, daemon=True)
    writer.start()
    stack.callback(writer.join)
    stack.callback(done.set)
    return path


def gzip_bomb(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    path = folder / "visits.csv.gz"
    rows = base.splitlines(keepends=True)
    path.write_bytes(gzip.compress((rows[0] + rows[1] * 400_000).encode(), mtime=0))
    return path


def named_file(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    # A slash cannot stand in a file name, nor can other signs on Windows.
    try:
        return _write(folder / case["name"].replace("/", "\u2215"), base)
    except OSError:
        pytest.skip("this system allows no such file name")


def utf8_plus_cp950(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    header, *rows = base.splitlines(keepends=True)
    first = header + "".join(rows[:2]).replace("manual_therapy", "徒手治療")
    second = "".join(rows[2:]).replace("exercise", "運動治療")
    path = folder / "visits.csv"
    path.write_bytes(first.encode("utf-8") + second.encode("cp950"))
    return path


def xlsx_hidden(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, sheet = _make_workbook(base)
    names = book.create_sheet("names")
    names.append(["P0001", "A Name"])
    names.sheet_state = "hidden"
    sheet.row_dimensions[3].hidden = True
    sheet["A2"].comment = Comment("A Name", "reception")
    return _save(book, folder)


def xlsx_two_sheets(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, _ = _make_workbook(base)
    book.copy_worksheet(book.active).title = "older"
    return _save(book, folder)


def xlsx_formula(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, sheet = _make_workbook(base)
    sheet["J2"] = "=3+4"
    return _save(book, folder)


def xlsx_error_cells(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, sheet = _make_workbook(base)
    sheet["J2"] = "#N/A"
    sheet["J3"] = "#DIV/0!"
    return _save(book, folder)


def xlsx_merged(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, sheet = _make_workbook(base)
    sheet.merge_cells("D2:D3")
    return _save(book, folder)


def xlsx_zip_bomb(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, _ = _make_workbook(base)
    blank = b'<row r="9"><c r="A9"/></row>' * 2_200_000
    return _rewrite(
        _save(book, folder),
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b"</sheetData>", blank + b"</sheetData>"),
    )


def xlsx_billion_laughs(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, _ = _make_workbook(base)
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    document_type = f'<!DOCTYPE sst [<!ENTITY l0 "ha">{entities}]>'.encode()
    return _rewrite(_save(book, folder), "xl/sharedStrings.xml", lambda xml: document_type + xml)


def xlsm(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, _ = _make_workbook(base)
    path = _save(book, folder).rename(folder / "visits.xlsm")
    with zipfile.ZipFile(path, "a") as container:
        container.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    return path


def xlsx_1904(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, sheet = _make_workbook(base)
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in sheet.iter_rows(min_row=2, min_col=2, max_col=2):
        row[0].value = openpyxl.utils.datetime.from_ISO8601(row[0].value)
    return _save(book, folder)


def xlsx_full(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    book, _ = _make_workbook(base)
    rows = "".join(
        f'<row r="{row}"><c><v>{row * 7919 % 1000003}</v></c></row>' for row in range(8, 1_048_577)
    )
    more = rows.encode() + b"</sheetData>"
    return _rewrite(
        _save(book, folder), "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", more)
    )


def parquet_truncated(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    path = _write_parquet(folder, _make_table(base))
    path.write_bytes(path.read_bytes()[:-20])
    return path


def parquet_extension(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    table = _make_table(base)
    marks = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": "cos\nsystem\n."}
    field = pa.field("score", pa.string(), metadata=marks)
    return _write_parquet(folder, table.set_column(9, field, table.column("score")))


def parquet_types(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    table = _make_table(base)
    new = {
        "patient_id": table.column("patient_id").cast(pa.large_string()),
        "therapy": table.column("therapy").dictionary_encode(),
        "sessions": table.column("sessions").cast(pa.int8()),
        "score": table.column("score").cast(pa.decimal128(5, 2)),
    }
    for name, column in new.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return _write_parquet(folder, table)


def parquet_bomb(folder: Path, base: str, case: Case, stack: ExitStack) -> Path:
    """A file of some 50 kB whose pages expand to 320 MiB."""
    path = folder / "visits.parquet"
    table = pa.table({name: [" " * (1 << 20)] * 16 for name in ["score"]})
    for name in base.splitlines()[0].split(",")[:-1]:
        table = table.append_column(name, pa.array(["x"] * 16))
    with pq.ParquetWriter(
        path, table.schema, compression="zstd", use_dictionary=False, write_statistics=False
    ) as file:
        for _ in range(20):
            file.write_table(table)
    return path


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _write_sparse(path: Path, text: str, size: int) -> Path:
    _write(path, text)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def _make_workbook(base: str) -> tuple[openpyxl.Workbook, openpyxl.worksheet.worksheet.Worksheet]:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "data"
    for row in base.splitlines():
        sheet.append([int(cell) if cell.isdigit() else cell for cell in row.split(",")])
    return book, sheet


def _save(book: openpyxl.Workbook, folder: Path) -> Path:
    book.save(folder / "visits.xlsx")
    return folder / "visits.xlsx"


def _rewrite(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """Change one part of a workbook's container."""
    with zipfile.ZipFile(path) as container:
        parts = {name: container.read(name) for name in container.namelist()}
    parts[part] = change(parts.get(part, b"<sst/>"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in parts.items():
            container.writestr(name, content)
    return path


def _make_table(base: str) -> pa.Table:
    header, *rows = (line.split(",") for line in base.splitlines())
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(header)})


def _write_parquet(folder: Path, table: pa.Table) -> Path:
    pq.write_table(table, folder / "visits.parquet")
    return folder / "visits.parquet"
