"""The site: an index of all pages of all series, and one of the released pages; neither needs a server.

An index lists releases, and slots for which there is none, each with its reason.
"""

import base64
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from markupsafe import Markup

import outcomes
from outcomes.facts import Words, find_project, read_instrument, read_schema, read_therapies
from outcomes.machine.private_files import replace_file
from outcomes.reports.archive.store import Manifest, list_manifests
from outcomes.reports.editions.released_pages import RELEASED, ReleaseRecord, list_released
from outcomes.reports.publication import prepare_folder
from outcomes.reports.series.cadence import find_next_slot
from outcomes.reports.series.declaration import Series, read_known_words
from outcomes.reports.series.slots import SlotRecord, read_history

_NAME = "index.html"


@dataclass(frozen=True)
class Entry:
    """A line of the index: a page, or a slot without one."""

    #: What the page is about, in words: a site, a therapy, the whole clinic.
    about: str
    #: The slot, or the day of a page made by hand.
    slot: str
    #: When that fell due; lines are in this order, the newest first.
    due: str
    #: ``current``, ``earlier``, ``failed``, ``nothing_new`` or ``missed``.
    state: str
    #: The state in words.
    said: str
    #: Of the page, below the folder of pages; empty where there is none.
    link: str = ""
    #: The days of its records, in words.
    period: str = ""
    #: By which it can be found.
    site: str = ""
    therapy: str = ""


@dataclass(frozen=True)
class SeriesEntries:
    """A series with its lines of the index."""

    id: str
    title: str
    #: When it is next due, or why there are no pages.
    says: tuple[str, ...]
    entries: Sequence[Entry]

    def list_last_failures(self) -> list[Entry]:
        """Return the failures after which nothing else fell due."""
        newest = max((entry.due for entry in self.entries), default="")
        return [entry for entry in self.entries if entry.state == "failed" and entry.due == newest]


def write_site(
    out: str | Path, declared: Sequence[Series], private: Path, now: dt.datetime, editions: Mapping[str, str]
) -> Path:
    """Write the team's index of the pages of all series below a folder, and return its place.

    ``editions`` gives the state of pages for stakeholders, by the id of the run that made each. The index is
    one file with links to the pages beside it and one script, which it allows by its hash; without the script
    everything is shown, and nothing can be chosen.
    """
    words = _choose_words(series.words for series in declared)
    archive, folder = private / "archive", find_project() / out
    known = {series.id: series for series in declared}
    # series of the past are listed as long as they have pages
    past = sorted(path.name for path in archive.glob("*") if path.is_dir() and path.name not in known)
    groups = []
    for id in [*known, *past]:
        group = _list_entries(known.get(id), id, archive, folder, now, words, editions)
        if id in known or group.entries:
            groups.append(group)
    return _write_index(prepare_folder(out), groups, "team", now, words)


def write_released_site(now: dt.datetime) -> Path:
    """Write the index of the released pages from the release records beside them, and return its place.

    It tells nothing of what failed or waits.
    """
    records, folder = list_released(), find_project() / RELEASED
    languages = (str(record.about.get("language", "en")) for record in records.values())
    words = _choose_words(map(read_known_words, languages))
    found: dict[str, dict[Path, ReleaseRecord]] = {}
    for page, record in records.items():
        found.setdefault(record.series, {})[page] = record
    groups = []
    for id, pages in sorted(found.items(), key=lambda held: (not held[0], held[0])):
        newest = max(pages.values(), key=lambda one: one.due)
        title = newest.title if id else words.say("site.made_by_hand")
        entries = sorted(_list_released(pages, folder, words), key=lambda entry: entry.due, reverse=True)
        groups.append(SeriesEntries(id or "by-hand", title, (), entries))
    return _write_index(prepare_folder(RELEASED), groups, "stakeholder", now, words)


def _choose_words(of_series: Iterable[Words]) -> Words:
    """Return the words of the language that all series of an index share; English where they differ."""
    found = set(of_series)
    return found.pop() if len(found) == 1 else read_known_words("en")


def _list_released(pages: Mapping[Path, ReleaseRecord], folder: Path, words: Words) -> Iterator[Entry]:
    def identify(record: ReleaseRecord) -> str:
        return repr(sorted(record.slice.items())) if record.series else record.page

    in_order = sorted(pages.values(), key=lambda one: (one.due, one.ledger_sequence))
    last = {identify(record): record for record in in_order}
    for page, record in pages.items():
        state = "current" if last[identify(record)] is record else "earlier"
        said = f"{words.say(f'site.{state}')}, {words.say('site.released_on', day=record.approved_on)}"
        yield _build_entry(
            {**record.about, **record.slice},
            words,
            about="" if record.series else record.title,
            slot=record.slot or record.approved_on,
            due=record.due,
            state=state,
            said=said,
            link=page.relative_to(folder).as_posix(),
        )


def _list_entries(
    series: Series | None,
    id: str,
    archive: Path,
    folder: Path,
    now: dt.datetime,
    words: Words,
    editions: Mapping[str, str],
) -> SeriesEntries:
    """Return a series, None where it is declared no more, with all lines that the archive gives."""
    manifests = [one for one in list_manifests(archive, id) if one.state != "running"]
    history = read_history(archive, id)
    pages = [one for one in manifests if one.state == "published" and (folder / one.page).is_file()]
    entries = [
        *_list_pages(pages, words, editions),
        *_list_failures(manifests, history, words),
        *(
            Entry("", record.slot, record.due, record.state, words.say(f"site.{record.state}"))
            for record in history
            if record.state in ("nothing_new", "missed")
        ),
    ]
    order = {"failed": 0, "current": 1, "nothing_new": 2, "missed": 3, "earlier": 4}
    entries.sort(key=lambda entry: (entry.about, order[entry.state]))
    entries.sort(key=lambda entry: entry.due, reverse=True)
    title = (series.title if series else "") or next((one.title for one in reversed(pages)), "") or id
    says = [words.say("site.never")] if series and not pages else []
    if series and (slot := find_next_slot(series.cadence, series.time_zone, now)):
        says.append(words.say("site.next_due", day=slot.day.isoformat()))
    return SeriesEntries(id, title, tuple(says), entries)


def _list_pages(pages: Sequence[Manifest], words: Words, editions: Mapping[str, str]) -> Iterator[Entry]:
    newest = {_key(one): one for one in sorted(pages, key=lambda one: (one.due, one.run))}
    # one for each slot and slice: a page that was made again took the place of the other
    kept = {(one.slot, _key(one)): one for one in sorted(pages, key=lambda one: one.run)}
    for manifest in kept.values():
        state = "current" if newest[_key(manifest)] is manifest else "earlier"
        said = f"{words.say(f'site.{state}')}, {words.say('site.made_on', day=manifest.ended[:10])}"
        if manifest.audience == "stakeholder":
            said += f", {words.say('site.editions.' + editions.get(manifest.run, 'unknown'))}"
        yield _build_entry(
            {**manifest.parameters, **manifest.slice},
            words,
            slot=manifest.slot,
            due=manifest.due,
            state=state,
            said=said,
            link=manifest.page,
        )


def _list_failures(
    manifests: Sequence[Manifest], history: Sequence[SlotRecord], words: Words
) -> Iterator[Entry]:
    last = {(one.slot, _key(one)): one for one in sorted(manifests, key=lambda one: one.run)}
    failed = [one for one in last.values() if one.state != "published"]
    for one in failed:
        said = words.say("site.failed", reason=words.say(f"site.reasons.{one.reason}"))
        asked = {**one.parameters, **one.slice}
        yield _build_entry(asked, words, slot=one.slot, due=one.due, state="failed", said=said)
    told = {one.slot for one in failed}
    for record in history:
        if record.state == "failed" and record.slot not in told:
            said = words.say("site.failed", reason=words.say(f"site.reasons.{record.reason}"))
            yield Entry("", record.slot, record.due, "failed", said)


def _key(manifest: Manifest) -> str:
    return repr(sorted(manifest.slice.items()))


def _build_entry(asked: Mapping[str, object], words: Words, *, about: str = "", **said: str) -> Entry:
    """Return a line about a page; unless given, its subject follows from the parameters of the page."""
    therapy = str(asked.get("therapy") or "")
    known = read_therapies()
    label = known[therapy].label if therapy in known else therapy
    if not about:
        parts = [read_instrument(str(asked["instrument"])).name] if asked.get("instrument") else []
        parts += [text for text in (str(asked.get("variant") or ""), label) if text]
        columns = read_schema()["episodes"]
        named = {name: str(asked[name]) for name in ("site", "therapist", "region") if asked.get(name)}
        parts += [(columns[name].labels or {}).get(value, value) for name, value in named.items()]
        about = ", ".join(parts if named else [*parts, words.say("site.whole")])
        about = about[:1].upper() + about[1:]
    period = str(asked.get("period") or "")
    return Entry(about=about, period=period, **said, site=str(asked.get("site") or ""), therapy=label)


def _write_index(
    folder: Path, groups: Sequence[SeriesEntries], audience: str, now: dt.datetime, words: Words
) -> Path:
    from jinja2 import Environment, StrictUndefined

    entries = [entry for group in groups for entry in group.entries]
    script = _read("site.js").strip()
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    html = environment.from_string(_read("site.html.j2")).render(
        groups=groups,
        failed=[(group, entry) for group in groups for entry in group.list_last_failures()],
        sites=sorted({entry.site for entry in entries if entry.site}),
        therapies=sorted({entry.therapy for entry in entries if entry.therapy}),
        slots=sorted({entry.slot for entry in entries}, reverse=True),
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


def _read(name: str) -> str:
    place = resources.files("outcomes.reports").joinpath("template", name)
    return place.read_text(encoding="utf-8")
