"""Where the files of a source lie: the path that was given, the folder of its TOML, or ``data/raw``."""

from __future__ import annotations

from pathlib import Path

from outcomes.errors import FactsError
from outcomes.facts import FileSpec, Source, find_project

_DEFAULT_FOLDER = Path("data") / "raw"


def list_files(source: Source, path: str | Path | None) -> list[tuple[FileSpec, Path]]:
    """Return each file with what describes it, in the order of the source TOML, then of their names."""
    if path is not None and not Path(path).is_dir():
        return [(_choose_spec(source, Path(path)), Path(path))]
    folder = Path(path) if path is not None else _find_folder(source)
    found = []
    for spec in source.files:
        pattern = any(mark in spec.path for mark in "*?[")
        matches = sorted(folder.glob(spec.path)) if pattern else []
        found += [(spec, match) for match in matches or [folder / spec.path]]
    return found


def _choose_spec(source: Source, path: Path) -> FileSpec:
    if len(source.files) == 1 or not path.exists():  # a path that leads nowhere is told by what reads it
        return source.files[0]
    for spec in source.files:
        if path.match(spec.path):
            return spec
    names = ", ".join(spec.path for spec in source.files)
    raise FactsError(f"{source.name} has several files ({names}); give the folder that holds them.")


def _find_folder(source: Source) -> Path:
    """Return the first folder that holds a file of the source: its own, ``data/raw/<name>``, ``data/raw``."""
    own = [source.folder] if source.folder is not None else []
    default = find_project() / _DEFAULT_FOLDER
    for folder in (*own, default / source.name):
        if any(any(folder.glob(spec.path)) for spec in source.files):
            return folder
    return default


def find_root(source: Source, path: str | Path | None) -> Path | None:
    """Return the folder that no file may lie outside of; None where the caller names the file."""
    if path is None:
        return _find_folder(source)
    return Path(path) if Path(path).is_dir() else None
