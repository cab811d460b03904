"""Folders and files that only their owner may enter and read; files that are replaced as a whole."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
from datetime import datetime
from pathlib import Path

#: Ends the name of a file that is not whole yet.
DRAFT = ".draft"


def open_private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, where the platform can, and return it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; the old one or the whole new one outlasts a crash."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that a reader sees the old one or the whole new one, also after a crash.

    ``mode`` says who may read it, before the umask; ``0o600`` is for its owner only.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{DRAFT}")
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
    for path in folder.rglob(f".*{DRAFT}"):
        with contextlib.suppress(FileNotFoundError):  # its writer may finish it meanwhile
            if path.stat().st_mtime < latest:
                path.unlink()


def spell_safely(name: str) -> str:
    """Return the name of a source as a file or folder may be called anywhere.

    Examples
    --------
    >>> spell_safely("my clinic/2026")
    'my_clinic_2026'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
