"""Putting finished files in place: whole or not at all."""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from outcomes.errors import ReportError
from outcomes.facts import Text, find_project
from outcomes.machine.private_files import DRAFT, replace_file


def prepare_folder(out: str | Path) -> Path:
    """Make the folder for pages, such as ``reports/html``, and prove that it can be written."""
    folder = find_project() / out
    probe = folder / f".probe-{secrets.token_hex(4)}{DRAFT}"
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
        raise ReportError(Text.of("errors.report.link", name=repr(beside.name)), exit_code=9)
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


def _cannot_write(folder: Path, error: OSError) -> ReportError:
    known = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
    free = shutil.disk_usage(known).free
    said = {"folder": repr(folder.name), "reason": error.strerror}
    return ReportError(Text.of("errors.report.folder", **said, free=free), exit_code=9)
