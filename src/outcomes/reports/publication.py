"""Putting finished files in place: whole or not at all, and never over the last good ones by halves."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from outcomes.errors import ReportError
from outcomes.facts import find_project

# ends the name of a file that is not whole yet
_DRAFT = ".draft"


def prepare_folder(out: str | Path) -> Path:
    """Make the folder for pages and prove that it can be written, before anything else is done.

    Parameters
    ----------
    out : str or Path
        Such as ``reports/html``.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ReportError
        When it cannot be made or written (exit code 9).
    """
    folder = find_project() / out
    probe = folder / f".probe-{secrets.token_hex(4)}{_DRAFT}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise _cannot_write(folder, error) from None
    return folder


def publish(folder: Path, page_name: str, page: bytes, exports: Mapping[str, bytes]) -> Path:
    """Put a page and the files beside it in place.

    The files beside it come first, the page last: whoever sees a new page finds its files. Files of an
    earlier run that this one does not make are removed.

    Parameters
    ----------
    folder : Path
        Of pages.
    page_name : str
        Without suffix; also the name of the folder beside the page.
    page : bytes
        The HTML.
    exports : mapping
        File name to content.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ReportError
        When a file cannot be written (exit code 9); the last good page then still stands.
    """
    beside = folder / page_name
    if beside.is_symlink():
        raise ReportError(
            f"{beside.name!r} in the folder for pages is a link; nothing was written, since files elsewhere "
            "would have been replaced. Remove the link.",
            exit_code=9,
        )
    try:
        beside.mkdir(exist_ok=True)
        for name, content in exports.items():
            replace_file(beside / name, content)
        replace_file(folder / f"{page_name}.html", page)
        for path in beside.iterdir():
            if path.is_file() and path.name not in exports:
                path.unlink()
    except OSError as error:
        raise _cannot_write(folder, error) from None
    return folder / f"{page_name}.html"


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that a reader sees the old one or the whole new one, also after a crash.

    Parameters
    ----------
    path : Path
    content : bytes
    mode : int
        Who may read it, before the umask; ``0o600`` for its owner only.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_DRAFT}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(draft, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _settle_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _settle_folder(folder: Path) -> None:
    """Make the new name of a file outlast a loss of power, where the platform can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_drafts(folder: Path, *, older_than: datetime | None = None) -> int:
    """Remove what a killed run left half written below a folder, and return how many files that were.

    Without ``older_than`` to be called only by whoever holds the lock of all that is written there.
    """
    latest, removed = math.inf if older_than is None else older_than.timestamp(), 0
    for path in folder.rglob(f".*{_DRAFT}"):
        with contextlib.suppress(FileNotFoundError):  # its writer may finish it meanwhile
            if path.stat().st_mtime < latest:
                path.unlink()
                removed += 1
    return removed


def _cannot_write(folder: Path, error: OSError) -> ReportError:
    known = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
    free = shutil.disk_usage(known).free
    return ReportError(
        f"The folder {folder.name!r} for pages cannot be written ({error.strerror}; {free} bytes are free); "
        "the last good page stays in place.",
        exit_code=9,
    )
