"""What the index lists: releases, and slots for which there is none, each with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outcomes.facts import Words, read_instrument, read_therapies
from outcomes.reports.archive import Manifest, list_manifests
from outcomes.reports.editions import ReleaseRecord
from outcomes.reports.series import Series, SlotRecord, find_next_slot, read_history
from outcomes.views.labels import name_level, name_therapy


@dataclass(frozen=True)
class Entry:
    """A line of the index.

    Parameters
    ----------
    about : str
        What the page is about, in words: a site, a therapy, the whole clinic.
    period : str
        The slot.
    due : str
        When that fell due; lines are in this order, the newest first.
    state : str
        ``current``, ``earlier``, ``failed``, ``nothing_new`` or ``missed``.
    said : str
        The state in words.
    link : str
        Of the page, below the folder of pages; empty where there is none.
    site, therapy : str
        By which it can be found.
    """

    about: str
    period: str
    due: str
    state: str
    said: str
    link: str = ""
    site: str = ""
    therapy: str = ""


@dataclass(frozen=True)
class Group:
    """A series with its lines.

    Parameters
    ----------
    id, title : str
    says : tuple of str
        When it is next due, or why there are no pages.
    entries : sequence of Entry
    """

    id: str
    title: str
    says: tuple[str, ...]
    entries: Sequence[Entry] = field(default_factory=tuple)


def list_groups(
    declared: Sequence[Series],
    archive: Path,
    out: Path,
    now: dt.datetime,
    words: Words,
    editions: Mapping[str, str],
) -> list[Group]:
    """Return every declared series with its lines, and series of the past that still have pages.

    ``editions`` gives the state of pages for stakeholders, by the id of the run that made each.
    """
    groups = [_build_group(series, series.id, archive, out, now, words, editions) for series in declared]
    known = {series.id for series in declared}
    folders = sorted(path.name for path in archive.glob("*") if path.is_dir())
    past = (_build_group(None, id, archive, out, now, words, editions) for id in folders if id not in known)
    return [*groups, *(group for group in past if group.entries)]


def list_released_groups(records: Mapping[Path, ReleaseRecord], folder: Path, words: Words) -> list[Group]:
    """Return the series that have released pages, each with its pages, from their release records."""
    found: dict[str, dict[Path, ReleaseRecord]] = {}
    for page, record in records.items():
        found.setdefault(record.series, {})[page] = record
    return [
        Group(
            id or "by-hand",
            max(pages.values(), key=lambda one: one.due).title if id else words.say("site.made_by_hand"),
            (),
            sorted(_show_released(pages, folder, words), key=lambda entry: entry.due, reverse=True),
        )
        for id, pages in sorted(found.items(), key=lambda held: (not held[0], held[0]))
    ]


def _show_released(pages: Mapping[Path, ReleaseRecord], folder: Path, words: Words) -> Iterator[Entry]:
    def tell(record: ReleaseRecord) -> str:
        return repr(sorted(record.slice.items())) if record.series else record.page

    last = {tell(one): one for one in sorted(pages.values(), key=lambda one: (one.due, one.ledger_sequence))}
    for page, record in pages.items():
        state = "current" if last[tell(record)] is record else "earlier"
        asked = {**record.about, **record.slice}
        said = f"{words.say(f'site.{state}')}, {words.say('site.released_on', day=record.approved_on)}"
        about = say_about(asked, words) if record.series else record.title
        link = page.relative_to(folder).as_posix()
        yield Entry(
            about, record.slot or record.approved_on, record.due, state, said, link, *find_marks(asked, words)
        )


def _build_group(
    series: Series | None,
    id: str,
    archive: Path,
    out: Path,
    now: dt.datetime,
    words: Words,
    editions: Mapping[str, str],
) -> Group:
    manifests = [one for one in list_manifests(archive, id) if one.state != "running"]
    pages = [one for one in manifests if one.state == "published" and (out / one.page).is_file()]
    newest = _find_newest(pages)
    entries = [
        *(_show_page(one, newest[_key(one)] is one, words, editions) for one in _keep_last(pages)),
        *_show_failures(manifests, read_history(archive, id), words),
        *_show_slots(read_history(archive, id), words),
    ]
    order = {"failed": 0, "current": 1, "nothing_new": 2, "missed": 3, "earlier": 4}
    entries.sort(key=lambda entry: (entry.about, order[entry.state]))
    entries.sort(key=lambda entry: entry.due, reverse=True)
    title = (series.title if series else "") or next((one.title for one in reversed(pages)), "") or id
    return Group(id, title, tuple(_say_standing(series, bool(pages), now, words)), entries)


def _say_standing(series: Series | None, has_pages: bool, now: dt.datetime, words: Words) -> Iterator[str]:
    if series is None:
        return
    if not has_pages:
        yield words.say("site.never")
    slot = find_next_slot(series.cadence, series.time_zone, now)
    if slot:
        yield words.say("site.next_due", day=slot.day.isoformat())


def _key(manifest: Manifest) -> str:
    return repr(sorted(manifest.slice.items()))


def _find_newest(pages: Sequence[Manifest]) -> Mapping[str, Manifest]:
    """Return for each slice the release that stands now."""
    return {_key(one): one for one in sorted(pages, key=lambda one: (one.due, one.run))}


def _keep_last(pages: Sequence[Manifest]) -> list[Manifest]:
    """Return one release per slot and slice: a page that was made again took the place of the other."""
    return list({(one.slot, _key(one)): one for one in sorted(pages, key=lambda one: one.run)}.values())


def _show_page(manifest: Manifest, is_current: bool, words: Words, editions: Mapping[str, str]) -> Entry:
    state = "current" if is_current else "earlier"
    said = f"{words.say(f'site.{state}')}, {words.say('site.made_on', day=manifest.ended[:10])}"
    if manifest.audience == "stakeholder":
        stands = editions.get(manifest.run, "unknown")
        said += f", {words.say(f'site.editions.{stands}')}"
    asked = {**manifest.parameters, **manifest.slice}
    return Entry(
        say_about(asked, words),
        manifest.slot,
        manifest.due,
        state,
        said,
        manifest.page,
        *find_marks(asked, words),
    )


def _show_failures(
    manifests: Sequence[Manifest], history: Sequence[SlotRecord], words: Words
) -> Iterator[Entry]:
    last = {(one.slot, _key(one)): one for one in sorted(manifests, key=lambda one: one.run)}
    failed = [one for one in last.values() if one.state != "published"]
    for one in failed:
        said = words.say("site.failed", reason=words.say(f"site.reasons.{one.reason}"))
        asked = {**one.parameters, **one.slice}
        yield Entry(say_about(asked, words), one.slot, one.due, "failed", said, "", *find_marks(asked, words))
    told = {one.slot for one in failed}
    for record in history:
        if record.state == "failed" and record.slot not in told:
            said = words.say("site.failed", reason=words.say(f"site.reasons.{record.reason}"))
            yield Entry("", record.slot, record.due, "failed", said)


def _show_slots(history: Sequence[SlotRecord], words: Words) -> Iterator[Entry]:
    for record in history:
        if record.state in ("nothing_new", "missed"):
            yield Entry("", record.slot, record.due, record.state, words.say(f"site.{record.state}"))


def find_marks(asked: Mapping[str, object], words: Words) -> tuple[str, str]:
    """Return site and therapy of a page by what was asked, empty where it is about all."""
    therapy = str(asked.get("therapy") or "")
    return str(asked.get("site") or ""), _label_therapy(therapy, words) if therapy else ""


def _label_therapy(id: str, words: Words) -> str:
    known = read_therapies()
    return name_therapy(known[id], words) if id in known else id


def say_about(asked: Mapping[str, object], words: Words) -> str:
    """Return what a page is about in words, by what was asked."""
    parts = []
    if asked.get("instrument"):
        instrument = read_instrument(str(asked["instrument"]))
        parts.append(words.name("instruments", instrument.id, instrument.name))
    if asked.get("variant"):
        variant = str(asked["variant"])
        parts.append(words.name(f"variants.{asked.get('instrument')}", variant, variant))
    if asked.get("therapy"):
        parts.append(_label_therapy(str(asked["therapy"]), words))
    for name in ("site", "therapist", "region"):
        if asked.get(name):
            parts.append(name_level(name, str(asked[name]), words))
    if not any(asked.get(name) for name in ("site", "therapist", "region")):
        parts.append(words.say("site.whole"))
    about = ", ".join(parts)
    return about[:1].upper() + about[1:]
