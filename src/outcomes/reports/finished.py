"""Jobs that are done: noted by their key once the page stands, so that a batch goes on with the rest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from outcomes.facts import find_project
from outcomes.reports.job import Job, Making
from outcomes.reports.publication import replace_file
from outcomes.reports.runs import Run, make_private


@dataclass(frozen=True)
class Finished:
    """A page that stands, and the manifest of the run that made it."""

    page: Path
    manifest: Path


def find_finished(job: Job, making: Making) -> Finished | None:
    """Return the page that was made of the same inputs, if it still stands as it was made."""
    note = _find_note(job, making)
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        page = find_project() / job.out / content["page"]
        stands = hashlib.sha256(page.read_bytes()).hexdigest() == content["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    manifest = find_project() / job.private_folder / "runs" / str(content["run"]) / "manifest.json"
    return Finished(page, manifest) if stands else None


def note_finished(job: Job, making: Making, page: Path, run: Run) -> None:
    """Note that a job is done; written last, after the page and its manifest."""
    note = _find_note(job, making)
    make_private(note.parent)
    content = {
        "page": page.relative_to(find_project() / job.out).as_posix(),
        "sha256": hashlib.sha256(page.read_bytes()).hexdigest(),
        "run": run.id,
    }
    replace_file(note, json.dumps(content).encode("utf-8"), mode=0o600)


def _find_note(job: Job, making: Making) -> Path:
    return find_project() / job.private_folder / "finished" / f"{making.key}.json"
