"""Run as a program of its own: read a file of a statistics package, and write what it holds as Arrow.

The library that reads these formats is written in C, and a damaged file can end it. So it runs in a process
of its own, which imports nothing of the package. The file comes from standard input.
"""

import datetime
import io
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def main(request: dict[str, Any]) -> int:
    """Answer a request (``kind, encoding, columns, rows``); the exit code is 3 where pyreadstat is absent."""
    try:
        import pyreadstat
    except ImportError:
        return 3
    import pyarrow as pa

    readers: dict[str, Callable[..., Any]] = {
        "sav": pyreadstat.read_sav,
        "por": pyreadstat.read_por,
        "dta": pyreadstat.read_dta,
        "xpt": pyreadstat.read_xport,
        "sas7bdat": pyreadstat.read_sas7bdat,
    }
    columns = request["columns"]
    cells, meta = readers[request["kind"]](
        io.BytesIO(sys.stdin.buffer.read()),
        **({"encoding": request["encoding"]} if request["encoding"] else {}),
        metadataonly=columns == [],
        usecols=columns or None,
        row_limit=request["rows"],
        output_format="dict",
    )
    if columns == []:
        cells = {name: [] for name in meta.column_names}
    table = pa.table({name: pa.array(_spell_all(values), pa.string()) for name, values in cells.items()})
    about = {
        "n_rows": meta.number_rows,
        "widths": meta.variable_storage_width,
        "kinds": {name: _find_kind(values) for name, values in cells.items()},
        "labels": {name: text for name, text in meta.column_names_to_labels.items() if text},
        "value_labels": {
            name: {_spell(code): text for code, text in codes.items()}
            for name, codes in meta.variable_value_labels.items()
        },
    }
    table = table.replace_schema_metadata({"about": json.dumps(about)})
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)
    return 0


def _spell_all(values: list[Any]) -> list[str | None]:
    texts: dict[Any, str | None] = {value: None if value is None else _spell(value) for value in set(values)}
    return [texts[value] for value in values]


def _spell(value: Any) -> str:
    """Return a value as text: a number without binary noise, a date as ISO text."""
    if isinstance(value, float):
        if value != value:
            return ""
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        single = np.float32(value)
        # What was stored with single precision reads 0.1, not 0.100000001490116.
        return str(single) if float(single) == value else format(value, ".15g")
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return (value.date() if midnight else value).isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _find_kind(values: list[Any]) -> str:
    """Return whether the values of a variable are numbers, dates or something else."""
    tests: dict[str, Callable[[Any], bool]] = {
        "number": lambda value: isinstance(value, int | float),
        "date": lambda value: isinstance(value, datetime.date),
    }
    given = [value for value in values if value is not None]
    return next((kind for kind, test in tests.items() if given and all(map(test, given))), "text")


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
