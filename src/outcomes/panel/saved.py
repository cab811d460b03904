"""Named sets of choices, kept in the project as small TOML files."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from outcomes.errors import ReportError
from outcomes.facts import Words, find_project
from outcomes.facts.toml import read_toml
from outcomes.panel.question import Measure, Question

_NAME = re.compile(r"[\w][\w .,-]{0,59}")


def save_question(name: str, question: Question, source: str, words: Words) -> Path:
    """Keep a set of choices under a name; one of the same name is replaced.

    Parameters
    ----------
    name : str
        Letters, digits, spaces, dots, commas and hyphens.
    question : Question
    source : str
        Name of the source that it was asked of.

    Returns
    -------
    Path
        A TOML file in ``data/views/``. It holds choices, no records.

    Raises
    ------
    ReportError
        When the name cannot be the name of a file, or the folder cannot be written.
    """
    name = name.strip()
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ReportError(words.say("panel.bad_name"), exit_code=2)
    path = _find_folder() / f"{name}.toml"
    content = {"source": source, **_flatten(question)}
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in content.items()
        if value is not None
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([f"# {words.say('panel.saved_comment')}", *lines, ""]), encoding="utf-8")
    except OSError as error:
        raise ReportError(
            words.say("panel.not_saved", folder=path.parent.name, reason=error.strerror), exit_code=9
        ) from None
    return path


def list_saved(source: str) -> tuple[str, ...]:
    """Return the names of the sets of choices that were kept for a source, sorted."""
    return tuple(
        sorted(path.stem for path in _find_folder().glob("*.toml") if read_toml(path).get("source") == source)
    )


def read_question(name: str) -> Question:
    """Read a set of choices back.

    Raises
    ------
    FactsError
        When there is none of that name, or the file was changed into something else.
    """
    content = read_toml(_find_folder() / f"{name}.toml")
    content.pop("source", None)
    measure = Measure(str(content.pop("instrument", "")), content.pop("variant", None))
    filters = {
        key.removeprefix("only_"): tuple(value) for key, value in content.items() if key.startswith("only_")
    }
    known = {key: content[key] for key in ("primary", "adjusted", "threshold", "audience") if key in content}
    return Question(
        measure,
        tuple(content.get("therapies", ())),
        filters,
        tuple(content.get("timepoints", ())),
        **known,
    )


def _find_folder() -> Path:
    return find_project() / "data" / "views"


def _flatten(question: Question) -> dict[str, Any]:
    held = asdict(question)
    measure, filters = held.pop("measure"), held.pop("filters")
    return {**measure, **held, **{f"only_{column}": values for column, values in filters.items() if values}}
