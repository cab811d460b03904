"""What commands print: tables for people, CSV and JSON for machines, one line for a bug."""

import contextlib
import csv
import datetime
import json
import math
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def say(*lines: str) -> None:
    """Print lines for a person on standard output."""
    for line in lines:
        print(line)


def note(*lines: str) -> None:
    """Print lines beside the result, on standard error."""
    for line in lines:
        print(line, file=sys.stderr)


def shows_progress() -> bool:
    """Return whether progress may be shown: only on a terminal."""
    return sys.stderr.isatty()


def shorten_place(place: Path, folder: Path) -> str:
    """Return a place as seen from a folder where it lies below, else whole."""
    return (place.relative_to(folder) if place.is_relative_to(folder) else place).as_posix()


def print_json(content: Any) -> None:
    """Print a value as JSON, missing numbers as null."""
    print(json.dumps(_plain(content), ensure_ascii=False, indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """Return a value made of what JSON has; numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def print_csv(rows: Iterable[Mapping[Any, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header; missing values are empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        plain = (_plain(row.get(column)) for column in columns)
        writer.writerow("" if value is None else value for value in plain)


def print_table(rows: Sequence[Mapping[Any, Any]], columns: Sequence[str], title: str = "") -> None:
    """Print rows in aligned columns, numbers to the right; columns without any value are left out.

    >>> print_table([{"group": "all", "n": 12.0, "x": None}], ["group", "n", "x"])
    group   n
    all    12
    """
    if title:
        say(title)
    aligned = []
    for column in columns:
        values = [_plain(row.get(column)) for row in rows]
        cells = [_format(value) for value in values]
        if any(cells):
            width = max(map(len, (column, *cells)))
            numeric = all(isinstance(value, int | float | None) for value in values)
            aligned.append([f"{cell:{'>' if numeric else '<'}{width}}" for cell in (column, *cells)])
    for line in zip(*(aligned or [[""] * (len(rows) + 1)]), strict=True):
        say("  ".join(line).rstrip())


def _format(value: Any) -> str:
    """Write a value that JSON has."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def keep_traceback(error: BaseException, folder: str | Path = ".outcomes") -> str:
    """Write a traceback to the private folder and return the line to show.

    A traceback may hold a patient's value, so it is readable by its owner only and never shown.
    """
    kind = type(error).__name__
    now = datetime.datetime.now(tz=datetime.UTC)
    path = Path(folder) / f"bug-{now:%Y%m%dT%H%M%S%f}.txt"
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(OSError, ImportError):
        from outcomes.machine.private_files import open_private_folder, write_private_file

        write_private_file(open_private_folder(path.parent) / path.name, text.encode("utf-8"))
        return (
            f"This is a bug of outcomes ({kind}), not a mistake of yours. What happened stands in "
            f"{path.as_posix()}; read it before you pass it on, it may hold values of the records."
        )
    return f"This is a bug of outcomes ({kind}), and {folder} could not be written to keep what happened."
