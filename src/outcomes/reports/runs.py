"""A run's private folder: what is made before anything is published, and the record of how it went."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from outcomes.errors import ReportError
from outcomes.facts import find_project


@dataclass(frozen=True)
class Run:
    """One run of a report."""

    #: Moment (UTC) and a random part; says nothing about the parameters.
    id: str
    #: Private: the executed notebook, released views, errors.
    folder: Path
    #: In UTC.
    started: datetime

    @property
    def views(self) -> Path:
        """Folder in which released views are kept during the run."""
        return self.folder / "views"

    def write(self, name: str, text: str) -> Path:
        """Write a private text file into the run's folder."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def close_to_others(self) -> None:
        """Close the folder to all but its owner: a kernel wrote with the caller's umask."""
        for path in self.folder.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)


def open_run(private_folder: str | Path = ".outcomes") -> Run:
    """Make the private folder of a new run; a ReportError (exit code 9) where it cannot be written."""
    started = datetime.now(UTC)
    id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    home = find_project() / private_folder
    folder = home / "runs" / id
    try:
        make_private(home, home / "runs", folder, folder / "views")
    except OSError as error:
        raise ReportError(
            f"The private folder {home.name!r} cannot be written ({error.strerror}).", exit_code=9
        ) from None
    return Run(id, folder, started)


def make_private(*folders: Path) -> None:
    """Make folders that only their owner may enter, whatever the umask says."""
    for folder in folders:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
