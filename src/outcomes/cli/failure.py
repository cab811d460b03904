"""What happens to a bug: its traceback is kept privately, and the user gets one line."""

from __future__ import annotations

import contextlib
import datetime
import traceback
from pathlib import Path


def keep_traceback(error: BaseException, folder: str | Path = ".outcomes") -> str:
    """Write a traceback to the private folder and return the line to show.

    A traceback may hold a patient's value, so it is readable by its owner only and never shown.

    Parameters
    ----------
    error : BaseException
    folder : str or Path
        The private folder; made where absent.

    Returns
    -------
    str
        One line without any value of the records.
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
