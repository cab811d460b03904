"""Files of SPSS, Stata and SAS: the mapped variables as text, with the labels of their values."""

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.facts import FileSpec, read_facts
from outcomes.records.files.headers import check_width, list_numeric_headers, match_headers, name_headers
from outcomes.records.findings import FileFindings
from outcomes.records.spelling import simplify_header, simplify_name
from outcomes.records.text_table import RawColumns, SheetCells

#: Kinds of files that are read here, as in ``limits.toml``.
DATASETS = ("sav", "por", "dta", "xpt", "sas7bdat")
_PROGRAM = Path(__file__).with_name("dataset_process.py")
_NOT_INSTALLED = 3
#: An observation of a SAS transport file is padded to whole lines of this many bytes.
_TRANSPORT_LINE = 80


class _Dataset(NamedTuple):
    """Variables of a file as text, null where missing, with what the file says of them."""

    table: pa.Table
    n_rows: int | None
    widths: Mapping[str, int]
    kinds: Mapping[str, str]
    labels: Mapping[str, str]
    value_labels: Mapping[str, Mapping[str, str]]


def read_dataset_columns(kind: str, content: bytes, spec: FileSpec, findings: FileFindings) -> RawColumns:
    """Read the mapped variables of a file of SPSS, Stata or SAS, by their names or their labels.

    A value that the file declares as missing is blank. Dates become ISO text. Where a value has a label, the
    text of a cell is the label, unless the source names the number itself among its codes; in columns of
    numbers, ids and dates it is the number, unless the source names the label.
    """
    about = _run(content, findings, kind=kind, encoding=spec.encoding, columns=[])
    names = about.table.column_names
    check_width(names, 1, findings)
    lacking = {simplify_header(name) for name in spec.mapped} - {simplify_header(name) for name in names}
    by_label = {name: label for name, label in about.labels.items() if simplify_header(label) in lacking}
    named = [by_label.get(name, name) for name in names]
    positions = match_headers(named, spec.mapped, 1, findings)
    wanted = [names[place] for place in positions if place >= 0]
    _check_size(about, wanted, len(content), findings)
    findings.stop()
    found = _run(content, findings, kind=kind, encoding=spec.encoding, columns=list(dict.fromkeys(wanted)))
    _check_whole(kind, content, about, found, findings)
    findings.stop()
    places = zip(spec.mapped, wanted, strict=True)
    columns = {mapped: _label(found, name, mapped, spec, findings) for mapped, name in places}
    lines = np.arange(1, found.table.num_rows + 1, dtype=np.int32)
    return RawColumns(columns, lines, name_headers(names, spec.mapped, positions), typed=True)


def list_dataset_cells(kind: str, content: bytes, findings: FileFindings, most: int) -> list[SheetCells]:
    """Return the first cells under their variables' names, with the labels that identify nobody."""
    about = _run(content, findings, kind=kind, columns=[])
    names = about.table.column_names
    check_width(names, 1, findings)
    _check_size(about, names, len(content), findings)
    findings.stop()
    found = _run(content, findings, kind=kind, columns=None, rows=most)
    if found.table.num_rows < most:
        _check_whole(kind, content, about, found, findings)

    def drop(labels: Mapping[str, str], one_column: bool) -> dict[str, str]:
        kept = findings.drop_identifying(list(labels.values()), one_column=one_column)
        return {name: text for name, text in zip(labels, kept, strict=True) if text}

    cells = {name: found.table.column(name).to_pylist() for name in names}
    columns = [[_type(text, found.kinds.get(name)) for text in cells[name]] for name in names]
    rows: list[tuple[Any, ...]] = [tuple(names), *zip(*columns, strict=True)]
    n_rows = (about.n_rows or found.table.num_rows) + 1
    values = {name: drop(codes, True) for name, codes in found.value_labels.items()}
    return [SheetCells(rows, n_rows, labels=drop(found.labels, False), value_labels=values)]


def _run(
    content: bytes, findings: FileFindings, *, encoding: str | None = None, rows: int = 0, **request: Any
) -> _Dataset:
    """Read ``columns`` of a ``kind`` in a process of its own: all where they are None, or none."""
    request |= {"encoding": encoding, "rows": rows}
    done = None
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_PROGRAM), json.dumps(request)],
            input=content,
            capture_output=True,
            timeout=read_facts("limits")["dataset"]["max_seconds"],
            check=False,
        )
        if done.returncode == 0:
            with pa.ipc.open_stream(done.stdout) as stream:
                table = stream.read_all()
            return _Dataset(table, **json.loads(table.schema.metadata[b"about"]))
    except (subprocess.TimeoutExpired, pa.ArrowException):
        pass
    if done is not None and done.returncode == _NOT_INSTALLED:
        findings.refuse_now("FORMAT_EXTRA")
    findings.refuse_now("DATASET_CORRUPT")


def _check_size(about: _Dataset, names: Sequence[str], packed: int, findings: FileFindings) -> None:
    """Refuse what would grow too far in memory, judged by what the file says of itself."""
    limits, n_rows = read_facts("limits")["dataset"], about.n_rows or 0
    size = n_rows * sum(max(about.widths.get(name, 8), 8) for name in names)
    inflated = size > limits["ratio_from_bytes"] and size > limits["max_ratio"] * packed
    if n_rows > limits["max_rows"] or size > limits["max_bytes"] or inflated:
        findings.refuse("DATASET_BOMB", records=n_rows, size=size)


def _check_whole(kind: str, content: bytes, about: _Dataset, found: _Dataset, findings: FileFindings) -> None:
    """Refuse a file without records, or with fewer than it says."""
    n_rows = found.table.num_rows
    cut = about.n_rows is not None and about.n_rows >= 0 and n_rows != about.n_rows
    if cut or (kind == "xpt" and _is_cut(content, about, n_rows)):
        findings.refuse("TRUNCATED.dataset")
    elif not n_rows:
        findings.refuse("FILE_NO_ROWS.variables")


def _is_cut(content: bytes, about: _Dataset, n_rows: int) -> bool:
    """Return whether a SAS transport file ends within a record, or before as many records as it states."""
    start = re.search(rb"HEADER RECORD\*{7}OBS(?:V8)? +HEADER RECORD!{7}\s*(\d*)", content)
    if start is None or len(content) % _TRANSPORT_LINE:
        return True
    data = content[start.start() + _TRANSPORT_LINE :]
    size = sum(about.widths.values())
    beyond = data[len(data) - len(data) % size :] if size else b""
    stated = int(start[1] or 0)
    return bool(beyond.strip()) or (stated > 0 and stated != n_rows)


def _type(text: str | None, kind: str | None) -> Any:
    """Return a text as the file types it; whole numbers without decimals."""
    if not text or kind not in ("number", "date"):
        return text
    if kind == "date":
        moment = datetime.datetime.fromisoformat(text)
        return moment.date() if "T" not in text else moment
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _label(
    found: _Dataset, name: str, header: str, spec: FileSpec, findings: FileFindings
) -> pa.ChunkedArray:
    """Return a variable as text with its labels where they count."""
    column = pc.fill_null(found.table.column(name), "")
    named = _list_named_codes(header, spec)
    labels = {
        code: label
        for code, label in found.value_labels.get(name, {}).items()
        if label.strip() and simplify_name(code) not in named
    }
    plain = list_numeric_headers(spec) | {score.date_column for score in spec.scores}
    plain |= {spec.columns.get(name) for name in ("date", "start_date", "patient_id", "episode_id")}
    if header in plain:
        labels = {code: label for code, label in labels.items() if simplify_name(label) in named}
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    texts = encoded.dictionary.to_pylist() if labels else []
    n_labelled = sum(text in labels for text in texts)
    if not n_labelled:
        return column
    findings.accept("VALUE_LABELS", column=header, count=n_labelled)
    return pa.chunked_array([pa.array([labels.get(text, text) for text in texts]).take(encoded.indices)])


def _list_named_codes(header: str, spec: FileSpec) -> set[str]:
    """Return the codes, simplified, that a source names for a header."""
    named: list[str] = list(spec.missing)
    for name, mapped in spec.columns.items():
        if mapped == header:
            named += [*spec.codes.get(name, ()), *spec.missing_codes.get(name, ())]
    for score in spec.scores:
        if header == score.column or header in score.items:
            named += [*score.missing, *spec.missing_codes.get("score", ()), *score.item_codes]
    named += [value for entry in spec.exclude if entry.column == header for value in entry.values]
    for absence in (*spec.answered, *spec.missing_where):
        named += absence.values if header in absence.columns else ()
    return {simplify_name(code) for code in named if code}
