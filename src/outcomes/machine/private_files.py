"""Private folders and files, files that are replaced as a whole, and records that are kept as JSON."""

import contextlib
import dataclasses
import json
import math
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Ends the name of a file that is not whole yet.
DRAFT = ".draft"


def open_private_folder(folder: Path) -> Path:
    """Make a folder that only its owner may enter, where the platform can, and return it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def make_private(*folders: Path) -> None:
    """Make those folders that are not there yet, for their owner only."""
    for folder in folders:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)


def write_private_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; the old one or the whole new one outlasts a crash."""
    replace_file(path, content, mode=0o600)


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that a reader sees the old one or the whole new one, also after a crash."""
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


R = TypeVar("R", bound="DataclassInstance")


def encode_record(record: "DataclassInstance", *, sort_keys: bool = False) -> bytes:
    """Return a dataclass as the bytes of its JSON file."""
    content = dataclasses.asdict(record)
    return f"{json.dumps(content, indent=2, ensure_ascii=False, sort_keys=sort_keys)}\n".encode()


def load_record(kind: type[R], path: Path) -> R | None:
    """Read a dataclass from its JSON file; None where there is no file, or none that is whole."""
    known = {entry.name for entry in dataclasses.fields(kind)}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return kind(**{key: value for key, value in content.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
