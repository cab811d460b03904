"""The two indexes: the team's over all series, and that of what was released; each written anew."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from markupsafe import Markup

import outcomes
from outcomes.facts import Words, find_project, read_words
from outcomes.reports.editions import RELEASED, list_released
from outcomes.reports.publication import prepare_folder, replace_file
from outcomes.reports.series import Series
from outcomes.reports.site.entries import Group, list_groups, list_released_groups

_NAME = "index.html"


def write_site(
    out: str | Path, declared: Sequence[Series], private: Path, now: dt.datetime, editions: Mapping[str, str]
) -> Path:
    """Write the team's index of the pages of all series.

    Parameters
    ----------
    out : str or Path
        Folder of pages.
    declared : sequence of Series
        Those whose pages lie there.
    private : Path
        The private folder, in which the archive lies.
    now : datetime
        In UTC; the index shows its day.
    editions : mapping
        State of the pages for stakeholders, by the id of the run that made each.

    Returns
    -------
    Path
        Of ``index.html``: one file with links to the pages beside it, and one script of its own, which the
        page allows by its hash. Without the script everything is shown, and nothing can be chosen.

    Raises
    ------
    ReportError
        When the folder cannot be written (exit code 9).
    """
    words = _choose_words(series.parameters for series in declared)
    groups = list_groups(declared, private / "archive", find_project() / out, now, words, editions)
    return _write_index(prepare_folder(out), groups, "team", now, words)


def write_released_site(now: dt.datetime) -> Path:
    """Write the index of the pages that were released, from the release records beside them.

    Returns
    -------
    Path
        Of ``index.html``, as `write_site`; it tells nothing of what failed or waits.

    Raises
    ------
    ReportError
        When the folder cannot be written (exit code 9).
    """
    records = list_released()
    words = _choose_words(record.about for record in records.values())
    groups = list_released_groups(records, find_project() / RELEASED, words)
    return _write_index(prepare_folder(RELEASED), groups, "stakeholder", now, words)


def _choose_words(asked: Iterable[Mapping[str, object]]) -> Words:
    """Return the words of the language that all pages share; English where they differ."""
    languages = {str(parameters.get("language") or "en") for parameters in asked}
    return read_words(languages.pop() if len(languages) == 1 else "en")


def _write_index(
    folder: Path, groups: Sequence[Group], audience: str, now: dt.datetime, words: Words
) -> Path:
    from jinja2 import Environment, StrictUndefined

    entries = [entry for group in groups for entry in group.entries]
    script = _read("site.js").strip()
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    html = environment.from_string(_read("site.html.j2")).render(
        groups=groups,
        failed=[
            (group, entry) for group in groups for entry in group.entries if _needs_attention(entry, group)
        ],
        sites=sorted({entry.site for entry in entries if entry.site}),
        therapies=sorted({entry.therapy for entry in entries if entry.therapy}),
        periods=sorted({entry.period for entry in entries}, reverse=True),
        has_past=any(entry.state == "earlier" for entry in entries),
        n_entries=len(entries),
        **{name: words.say(f"site.{audience}.{name}") for name in ("lead", "whom", "nothing")},
        say=words.say,
        language=words.language,
        style=Markup(_read("site.css").strip()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
        version=outcomes.__version__,
        day=now.date().isoformat(),
    )
    replace_file(folder / _NAME, html.encode("utf-8"))
    return folder / _NAME


def _needs_attention(entry: object, group: object) -> bool:
    """Return whether a failure is the last thing that happened to what it is about."""
    newest = max(one.due for one in group.entries)  # type: ignore[attr-defined]
    return entry.state == "failed" and entry.due == newest  # type: ignore[attr-defined]


def _read(name: str) -> str:
    folder = resources.files("outcomes.reports.site").joinpath("template")
    return folder.joinpath(name).read_text(encoding="utf-8")
