"""Putting finished files in place: whole or not at all."""

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
    """Make the folder for pages, such as ``reports/html``, and prove that it can be written."""
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
    """Put a page and the files in the folder beside it in place; both are called ``page_name``.

    The page comes last, so that its files are there when it is. Files that an earlier run left in the folder
    are removed. Where a file cannot be written, the last good page stays (exit code 9).
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

    ``mode`` says who may read it, before the umask; ``0o600`` is for its owner only.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_DRAFT}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(draft, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        if os.name == "posix":  # the new name must outlast a loss of power
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    finally:
        draft.unlink(missing_ok=True)


def remove_drafts(folder: Path, *, older_than: datetime | None = None) -> None:
    """Remove files that a killed run left half written below a folder.

    Without ``older_than`` the caller must hold the lock of everything that is written there.
    """
    latest = math.inf if older_than is None else older_than.timestamp()
    for path in folder.rglob(f".*{_DRAFT}"):
        with contextlib.suppress(FileNotFoundError):  # its writer may finish it meanwhile
            if path.stat().st_mtime < latest:
                path.unlink()


def _cannot_write(folder: Path, error: OSError) -> ReportError:
    known = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
    free = shutil.disk_usage(known).free
    return ReportError(
        f"The folder {folder.name!r} for pages cannot be written ({error.strerror}; {free} bytes are free); "
        "the last good page stays in place.",
        exit_code=9,
    )
