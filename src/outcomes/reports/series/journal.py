"""The log of runs: ids, counts and codes, a line each; never a value, a path or a text of a run."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timedelta
from pathlib import Path

from outcomes.reports.runs import make_private

_KEEP_DAYS = 90


def log_run(private: Path, now: datetime, **fields: str | int) -> bool:
    """Add a line to the log of the month, and remove logs that are too old.

    Parameters
    ----------
    private : Path
        The private folder; logs lie in ``log/<year>-<month>.log``.
    now : datetime
    **fields
        Words and numbers, written as ``name=value``.

    Returns
    -------
    bool
        Whether it could be written: a log that cannot be written keeps no report from being made.
    """
    line = " ".join(
        [now.isoformat(timespec="seconds"), *(f"{name}={value}" for name, value in fields.items())]
    )
    folder = private / "log"
    try:
        make_private(private, folder)
        handle = os.open(folder / f"{now:%Y-%m}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(f"{line}\n".encode())
    except OSError:
        return False
    oldest = f"{now - timedelta(days=_KEEP_DAYS):%Y-%m}"
    for path in folder.glob("*.log"):
        if path.stem < oldest:
            with contextlib.suppress(OSError):
                path.unlink()
    return True
