"""Folders and files that only their owner may enter and read."""

from __future__ import annotations

import os
from pathlib import Path


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


def spell_safely(name: str) -> str:
    """Return the name of a source as a file or folder may be called anywhere.

    Examples
    --------
    >>> spell_safely("my clinic/2026")
    'my_clinic_2026'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
