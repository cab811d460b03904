"""Copies of the ledger, one after each release, the last ten of which are kept."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from outcomes.disclosure.ledger.chain import Head
from outcomes.machine.private_files import open_private_folder

_KEPT = 10


def keep_backup(connection: sqlite3.Connection, folder: Path, head: Head) -> Path:
    """Copy the database as it stands, whole or not at all, and remove the oldest copies."""
    path = open_private_folder(folder) / f"ledger-{head.sequence:08d}.sqlite"
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    copy = sqlite3.connect(draft)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    draft.replace(path)
    for old in list_backups(folder)[_KEPT:]:
        old.unlink()
    return path


def list_backups(folder: Path) -> list[Path]:
    """Return the copies, the newest first."""
    return sorted(folder.glob("ledger-*.sqlite"), reverse=True)
