"""`run_series`: what is due of one series is made, once, whoever else tries at the same time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import outcomes
from outcomes.errors import FactsError, PrivacyError, RecordsError, ReportError
from outcomes.facts import find_project, read_words
from outcomes.machine.lock import hold_lock
from outcomes.records import Records
from outcomes.reports.archive import list_manifests, write_manifest
from outcomes.reports.batch import Outcome, run_batch
from outcomes.reports.catalogue import find_notebook
from outcomes.reports.job import Job, hash_packages
from outcomes.reports.notebook_file import read_notebook
from outcomes.reports.parameters import read_parameters
from outcomes.reports.publication import prepare_folder, remove_drafts
from outcomes.reports.reasons import name_reason
from outcomes.reports.runs import make_private
from outcomes.reports.series.cadence import Slot
from outcomes.reports.series.declaration import Series
from outcomes.reports.series.due import Due, find_due
from outcomes.reports.series.history import SlotRecord, find_last, note_slots, read_history
from outcomes.reports.series.periods import find_period
from outcomes.reports.series.slices import Reading, describe_reading, fill_parameters, list_slices


@dataclass(frozen=True)
class Ending:
    """How a run of a series ended.

    Parameters
    ----------
    series : str
    state : str
        ``released``, ``nothing_new``, ``failed``, ``not_due`` or ``waits`` (a slot failed a short time ago).
        Pages for stakeholders that are ``released`` here wait for approval.
    slot : str
    exit_code : int
        The worst of all pages.
    reason : str
        Class of reasons of a failure.
    message : str
        What to tell a person.
    outcomes : tuple of Outcome
        One per page.
    missed : tuple of str
        Earlier slots for which this one stands.
    is_news : bool
        Whether a failure is another one than that of the last time.
    waits : bool
        Whether the pages wait for approval.
    question : str
        What the source must answer first.
    """

    series: str
    state: str
    slot: str = ""
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    outcomes: tuple[Outcome, ...] = ()
    missed: tuple[str, ...] = ()
    is_news: bool = True
    waits: bool = False
    question: str = ""


@dataclass(frozen=True)
class Asking:
    """Under which circumstances a series is run.

    Parameters
    ----------
    now : datetime
        The one moment from which everything follows, with its zone.
    asked : bool
        Whether a person asks for it: the latest slot is then made whatever became of it.
    wait_seconds : float
        How long to wait for another run of the series to end.
    accepted : str
        Why records that shrank are right; empty where they are not to be accepted.
    private : Path
        The private folder.
    read : callable
        Reads the records of a series.
    on_begun, on_ended : callable
        Called with the number of pages, and with each outcome.
    begun : float
        When it was asked, by the monotonic clock.
    """

    now: datetime
    private: Path
    read: Callable[[Series], Records]
    asked: bool = False
    wait_seconds: float = 0.0
    accepted: str = ""
    on_begun: Callable[[int], None] = lambda pages: None
    on_ended: Callable[[Outcome], None] = lambda outcome: None
    begun: float = field(default_factory=time.monotonic)

    def say_moment(self) -> str:
        """Return the moment in UTC, ISO: that of the asking and what has passed since, by no other clock."""
        moment = self.now + timedelta(seconds=time.monotonic() - self.begun)
        return moment.astimezone(UTC).isoformat(timespec="seconds")


def run_series(series: Series, executor: Executor, asking: Asking) -> list[Ending]:
    """Make what is due of a series; call it as often as you like.

    Parameters
    ----------
    series : Series
    executor : concurrent.futures.Executor
        Makes the pages.
    asking : Asking

    Returns
    -------
    list of Ending
        One per slot that was looked at.

    Raises
    ------
    ReportError
        When another run holds the series' lock (exit code 8), its list of releases cannot be read (9), or
        the clock is wrong (2).
    """
    archive = asking.private / "archive"
    # most calls end here, without a lock
    if (idle := _find_idle(series, archive, asking)) is not None:
        return [idle]
    with hold_lock(asking.private, series.id, asking.wait_seconds):
        make_private(asking.private, archive, archive / series.id)
        mend_series(series, archive)
        if (idle := _find_idle(series, archive, asking)) is not None:
            return [idle]
        due = find_due(series, read_history(archive, series.id), asking.now, asked=asking.asked)
        settled = False
        try:
            endings = [_make_slot(series, slot, due, executor, asking) for slot in due.slots]
            settled = True
        finally:
            if not settled:  # interrupted: nothing may go on without the lock
                getattr(executor, "kill", lambda: None)()
                mend_series(series, archive)
        return endings


def mend_series(series: Series, archive: Path) -> None:
    """Call by their name what a killed run left behind; only for whoever holds the series' lock."""
    for manifest in list_manifests(archive, series.id):
        if manifest.state == "running":
            stopped = dataclasses.replace(
                manifest, state="interrupted", reason="interrupted", exit_code=130, ended=_say_now()
            )
            write_manifest(archive / series.id / manifest.run, stopped)
            remove_drafts(archive.parent / "runs" / manifest.run)
    for folder in (archive / series.id, find_project() / series.out / series.id):
        if folder.is_dir():
            remove_drafts(folder)


def _find_idle(series: Series, archive: Path, asking: Asking) -> Ending | None:
    due = find_due(series, read_history(archive, series.id), asking.now, asked=asking.asked)
    if due.slots:
        return None
    if due.waits is None:
        return Ending(series.id, "not_due")
    # still not as it should be: whoever watches the exit code is told until it is
    failed = due.waits
    return Ending(series.id, "waits", failed.slot, failed.exit_code, failed.reason, is_news=False)


def _make_slot(series: Series, slot: Slot, due: Due, executor: Executor, asking: Asking) -> Ending:
    """Make one slot and note how it ended; whatever goes wrong is told of this series only."""
    archive = asking.private / "archive"
    history = read_history(archive, series.id)
    before = next((record for record in history if record.slot == slot.id), None)
    try:
        record, ending = _try_slot(series, slot, history, executor, asking)
    except (FactsError, RecordsError, PrivacyError, ReportError) as error:
        record = _record(
            asking, slot, "failed", exit_code=error.exit_code, reason=name_reason(error),
            question="\n".join(map(str, error.questions)),
        )  # fmt: skip
        ending = _end(series, record, message=f"{error}{_say_of_last(record, history)}")
    missed = [_record(asking, earlier, "missed") for earlier in due.missed if record.state != "failed"]
    note_slots(archive, series.id, [*missed, record])
    told = ("state", "reason", "question")
    is_news = before is None or any(getattr(before, name) != getattr(record, name) for name in told)
    return dataclasses.replace(ending, missed=tuple(one.slot for one in missed), is_news=is_news)


def _say_of_last(record: SlotRecord, history: Sequence[SlotRecord]) -> str:
    """Say why a source that was read before is asked now, and that its page stays as it is."""
    last = find_last(history, "released")
    if not record.question or last is None:
        return ""
    return (
        f"\nThe page of {last.slot} stays as it is. Its records were read without asking; since then they "
        "or this version of outcomes raised the doubt, and to guess could change every number of a measure."
    )


def _try_slot(
    series: Series, slot: Slot, history: Sequence[SlotRecord], executor: Executor, asking: Asking
) -> tuple[SlotRecord, Ending]:
    prepare_folder(Path(series.out) / series.id)  # before the records are read
    definition = _hash_definition(series)
    last = find_last(history, "released", "nothing_new")
    reading = describe_reading(asking.read(series))
    unchanged = last and (last.records_sha256, last.definition_sha256) == (reading.sha256, definition)
    if unchanged and not asking.asked:
        record = _record(asking, slot, "nothing_new", reading, definition)
        return record, _end(series, record)
    if last and not asking.accepted:
        _refuse_regression(series, reading, last)
    outcomes = _make_pages(series, slot, reading, executor, asking)
    if any(outcome.reason == "records" for outcome in outcomes):
        again = describe_reading(asking.read(series))
        if again.sha256 != reading.sha256:  # they changed while the pages were made: once more, from the new
            reading = again
            outcomes = _make_pages(series, slot, reading, executor, asking)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    worst = max(failed, key=lambda outcome: outcome.exit_code, default=None)
    record = _record(
        asking,
        slot,
        "failed" if failed else "released",
        reading,
        definition,
        n_pages=len(outcomes) - len(failed),
        n_failed=len(failed),
        exit_code=worst.exit_code if worst else 0,
        reason=worst.reason if worst else "",
        accepted=asking.accepted,
    )
    return record, _end(series, record, outcomes)


def _make_pages(
    series: Series, slot: Slot, reading: Reading, executor: Executor, asking: Asking
) -> list[Outcome]:
    schema = read_parameters(read_notebook(find_notebook(series.notebook)))
    period = find_period(series.period, slot.day, series.rolling_months)
    said = period.describe(read_words(str(series.parameters.get("language", "en"))))
    jobs = [
        Job(
            series.notebook,
            fill_parameters(series, schema, slice, period, said),
            _settle_place(series.source),
            _settle_place(series.path) or None,
            Path(series.out),
            asking.private,
            series.limits,
            series.engine,
            project=str(Path.cwd()),
            records_sha256=reading.sha256,
            n_read=reading.n_read,
            newest=reading.newest,
            series=series.id,
            slice=slice,
            slot=slot.id,
            due=slot.due.isoformat(timespec="seconds"),
            folder=f"{series.id}/{slot.id}",
        )
        for slice in list_slices(series, reading)
    ]
    asking.on_begun(len(jobs))
    if series.audience == "team":
        return run_batch(executor, jobs, limit_seconds=series.batch_seconds, on_ended=asking.on_ended)
    return _make_in_turn(jobs, series, executor, asking)


def _make_in_turn(jobs: Sequence[Job], series: Series, executor: Executor, asking: Asking) -> list[Outcome]:
    """Make pages for stakeholders one after the other: each is compared with those that were made before it.

    All at once, which of them holds a number back would depend on which was ready first.
    """
    ends_by, made = time.monotonic() + series.batch_seconds, list[Outcome]()
    for job in jobs:
        left = max(0.0, ends_by - time.monotonic())
        made += run_batch(executor, [job], limit_seconds=left, on_ended=asking.on_ended)
    return made


def _settle_place(place: str) -> str:
    """Return a place in the project as an absolute one, a name as it is."""
    return str(find_project() / place) if place and (find_project() / place).exists() else place


def _hash_definition(series: Series) -> str:
    """Return a hash of what the pages are made by; the period of a slot is no part of it."""
    notebook = hashlib.sha256(find_notebook(series.notebook).read_bytes()).hexdigest()
    declared = {
        name: getattr(series, name)
        for name in ("parameters", "for_each", "audience", "k", "period", "rolling_months")
    }
    text = json.dumps(declared, sort_keys=True, default=str)
    parts = "\n".join([notebook, outcomes.__version__, hash_packages(), text])
    return hashlib.sha256(parts.encode("utf-8")).hexdigest()


def _refuse_regression(series: Series, reading: Reading, last: SlotRecord) -> None:
    """Refuse records that shrank, or end earlier than they did: an export that broke off looks like that."""
    problem = ""
    if reading.n_read == 0:
        problem = "the records are empty"
    elif reading.n_read < (1 - series.largest_shrink) * last.n_read:
        problem = f"the records shrank from {last.n_read} to {reading.n_read}"
    elif reading.newest and last.newest and reading.newest < last.newest:
        problem = "the newest record is older than at the last release"
    if problem:
        raise RecordsError(
            f"{series.id}: SOURCE_REGRESSION: {problem}; nothing was made. If that is right: "
            f'outcomes run {series.id} --accept-shrunk "why it is right".'
        )


def _record(
    asking: Asking,
    slot: Slot,
    state: str,
    reading: Reading | None = None,
    definition: str = "",
    **further: object,
) -> SlotRecord:
    read = (
        {"records_sha256": reading.sha256, "n_read": reading.n_read, "newest": reading.newest}
        if reading
        else {}
    )
    return SlotRecord(
        slot.id, slot.due.isoformat(timespec="seconds"), state, asking.say_moment(),
        **{"definition_sha256": definition, **read, **further},  # type: ignore[arg-type]
    )  # fmt: skip


def _end(series: Series, record: SlotRecord, outcomes: Sequence[Outcome] = (), message: str = "") -> Ending:
    waits = series.audience != "team" and record.state == "released"
    return Ending(
        series.id, record.state, record.slot, record.exit_code, record.reason, message, tuple(outcomes),
        waits=waits, question=record.question,
    )  # fmt: skip


def _say_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
