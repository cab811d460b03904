"""Where the files of a source lie: the path that was given, the folder of its TOML, or ``data/raw``."""

from collections.abc import Iterable
from pathlib import Path

from outcomes.errors import FactsError
from outcomes.facts import FileSpec, Source, Text, find_project, read_facts

_DEFAULT_FOLDER = Path("data") / "raw"


def list_files(source: Source, path: str | Path | None) -> list[tuple[FileSpec, Path]]:
    """Return each file with each ``[[file]]`` block that it matches, in the order of the source and names."""
    if path is not None and not Path(path).is_dir():
        path = Path(path)
        files = [] if path.exists() or not _is_pattern(path.name) else _glob(path.parent, path.name)
        return [pair for file in files or [path] for pair in _match_specs(source, file)]
    folder = Path(path) if path is not None else _find_folder(source)
    found = []
    for spec in source.files:
        matches = _glob(folder, spec.path) if _is_pattern(spec.path) else []
        found += [(spec, match) for match in matches or [folder / spec.path]]
    return found


def list_other_files(source: Source, path: str | Path | None, read: Iterable[Path]) -> list[Path]:
    """Return the files of records beside those that are read, where their folder belongs to the source."""
    folder = Path(path) if path is not None else _find_folder(source)
    if not folder.is_dir() or (path is None and folder == find_project() / _DEFAULT_FOLDER):
        return []
    suffixes = tuple(name for name in read_facts("limits")["file"]["suffixes"] if name != ".txt")
    known = {file.resolve() for file in read}
    others = (file for file in _glob(folder, "*") if file.name.casefold().endswith(suffixes))
    return [file for file in others if file.is_file() and file.resolve() not in known]


def _is_pattern(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _glob(folder: Path, pattern: str) -> list[Path]:
    """Return what a pattern matches, without hidden files and what Excel lays beside an open workbook."""
    return sorted(file for file in folder.glob(pattern) if not file.name.startswith((".", "~$")))


def _match_specs(source: Source, path: Path) -> list[tuple[FileSpec, Path]]:
    """Return the blocks that a file matches; all of them where they describe one file by another name."""
    found = [spec for spec in source.files if path.match(spec.path)]
    if not found and (len({spec.path for spec in source.files}) == 1 or not path.exists()):
        found = list(source.files)  # a path that leads nowhere is told by what reads it
    if not found:
        names = ", ".join(dict.fromkeys(spec.path for spec in source.files))
        raise FactsError(Text.of("findings_files.errors.several_files", source=source.name, names=names))
    return [(spec, path) for spec in found if path.exists() or spec is found[0]]


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
