"""`run_series`: make what is due of one series, once, even if several processes try at the same time."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import outcomes
from outcomes.errors import FactsError, PrivacyError, RecordsError, ReportError
from outcomes.facts import Text, find_project
from outcomes.machine.lock import hold_lock
from outcomes.machine.private_files import make_private, remove_drafts
from outcomes.records.tables import Records
from outcomes.reports.archive.store import list_manifests, name_reason, write_manifest
from outcomes.reports.batch import Outcome, run_batch
from outcomes.reports.job import Job, hash_packages
from outcomes.reports.notebook_file import find_notebook, read_notebook
from outcomes.reports.parameters import read_parameters
from outcomes.reports.publication import prepare_folder
from outcomes.reports.series.cadence import Slot, find_period
from outcomes.reports.series.declaration import Series
from outcomes.reports.series.slices import (
    RecordsDigest,
    digest_records,
    fill_parameters,
    list_slices,
    say_days,
)
from outcomes.reports.series.slots import DueSlots, SlotRecord, find_due, find_last, note_slots, read_history


@dataclass(frozen=True)
class SeriesResult:
    """How a run of a series ended, for one slot."""

    series: str
    #: ``released``, ``nothing_new``, ``failed``, ``not_due`` or ``waits`` (a slot failed a short time ago).
    #: Pages for stakeholders that are ``released`` here wait for approval.
    state: str
    slot: str = ""
    #: The worst of all pages.
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    outcomes: tuple[Outcome, ...] = ()
    #: Earlier slots that are not made, because this one is.
    missed: tuple[str, ...] = ()
    #: Whether a failure is another one than that of the last time.
    is_news: bool = True
    #: Whether the pages wait for approval.
    waits: bool = False
    #: What the source must answer first.
    question: str = ""
    #: Language of the series, in which people are told.
    language: str = "en"


@dataclass(frozen=True)
class RunRequest:
    """Options of one run of a series."""

    #: The one moment from which everything follows, with its zone.
    now: datetime
    private: Path
    read: Callable[[Series], Records]
    #: Whether a person asks for it: the latest slot is then made in any state.
    asked: bool = False
    #: How long to wait for another run of the series to end.
    wait_seconds: float = 0.0
    #: Why records that shrank are right; empty where they are not to be accepted.
    accepted: str = ""
    #: Called with the number of pages, and with each outcome.
    on_begun: Callable[[int], None] = lambda pages: None
    on_ended: Callable[[Outcome], None] = lambda outcome: None
    #: When the request was made, by the monotonic clock.
    begun: float = field(default_factory=time.monotonic)

    def tell_time(self) -> str:
        """Return the time in UTC, ISO: that of the request and what has passed since, by no other clock."""
        moment = self.now + timedelta(seconds=time.monotonic() - self.begun)
        return moment.astimezone(UTC).isoformat(timespec="seconds")


def run_series(series: Series, executor: Executor, request: RunRequest) -> list[SeriesResult]:
    """Make what is due of a series, and return a result for each slot; it may be called at any time.

    `ReportError` says that another run holds the lock of the series (exit code 8), its list of releases
    cannot be read (9), or the clock is wrong (2).
    """
    archive = request.private / "archive"
    if not (due := _find_due(series, request)).slots:  # most calls end here, without a lock
        return [_describe_idle(series, due)]
    with hold_lock(request.private, series.id, request.wait_seconds):
        make_private(request.private, archive, archive / series.id)
        mend_series(series, archive)
        if not (due := _find_due(series, request)).slots:
            return [_describe_idle(series, due)]
        settled = False
        try:
            results = [_make_slot(series, slot, due, executor, request) for slot in due.slots]
            settled = True
        finally:
            if not settled:  # interrupted: nothing may go on without the lock
                getattr(executor, "kill", lambda: None)()
                mend_series(series, archive)
        return results


def mend_series(series: Series, archive: Path) -> None:
    """Mark killed runs as interrupted and remove their drafts. The caller must hold the series' lock."""
    for manifest in list_manifests(archive, series.id):
        if manifest.state == "running":
            now = datetime.now(UTC).isoformat(timespec="seconds")
            stopped = dataclasses.replace(
                manifest, state="interrupted", reason="interrupted", exit_code=130, ended=now
            )
            write_manifest(archive / series.id / manifest.run, stopped)
            remove_drafts(archive.parent / "runs" / manifest.run)
    for folder in (archive / series.id, find_project() / series.out / series.id):
        if folder.is_dir():
            remove_drafts(folder)


def _find_due(series: Series, request: RunRequest) -> DueSlots:
    history = read_history(request.private / "archive", series.id)
    return find_due(series, history, request.now, asked=request.asked)


def _describe_idle(series: Series, due: DueSlots) -> SeriesResult:
    if due.waits is None:
        return SeriesResult(series.id, "not_due", language=series.words.language)
    # the failure lasts: the exit code tells of it until it is mended
    return _tell(series, due.waits, state="waits", question="", is_news=False)


def _tell(series: Series, record: SlotRecord, **further: Any) -> SeriesResult:
    """Return how a slot ended, with what is known beside its record, or other than there."""
    told = {name: getattr(record, name) for name in ("state", "slot", "exit_code", "reason", "question")}
    return SeriesResult(series.id, **{**told, "language": series.words.language, **further})


def _make_slot(
    series: Series, slot: Slot, due: DueSlots, executor: Executor, request: RunRequest
) -> SeriesResult:
    """Make one slot and note how it ended; a failure concerns this series only."""
    archive = request.private / "archive"
    history = read_history(archive, series.id)
    outcomes, message = list[Outcome](), ""
    try:
        record, outcomes = _try_slot(series, slot, history, executor, request)
    except (FactsError, RecordsError, PrivacyError, ReportError) as error:
        message, question = str(error), "\n".join(map(str, error.questions))
        failure: dict[str, Any] = {"exit_code": error.exit_code, "reason": name_reason(error)}
        record = _record(request, slot, "failed", **failure, question=question)
        if question and (last := find_last(history, "released")):
            message += (
                f"\nThe page of {last.slot} stays as it is. Its records were read without asking; since "
                "then they or this version of outcomes raised the doubt, and to guess could change every "
                "number of a measure."
            )
    missed = [_record(request, earlier, "missed") for earlier in due.missed if record.state != "failed"]
    note_slots(archive, series.id, [*missed, record])
    before = next((earlier for earlier in history if earlier.slot == slot.id), None)
    told = ("state", "reason", "question")
    return _tell(
        series,
        record,
        message=message,
        outcomes=tuple(outcomes),
        missed=tuple(one.slot for one in missed),
        is_news=before is None or any(getattr(before, name) != getattr(record, name) for name in told),
        waits=series.audience != "team" and record.state == "released",
    )


def _record(request: RunRequest, slot: Slot, state: str, **further: Any) -> SlotRecord:
    due = slot.due.isoformat(timespec="seconds")
    return SlotRecord(slot.id, due, state, request.tell_time(), **further)


def _try_slot(
    series: Series, slot: Slot, history: Sequence[SlotRecord], executor: Executor, request: RunRequest
) -> tuple[SlotRecord, list[Outcome]]:
    prepare_folder(Path(series.out) / series.id)  # before the records are read
    definition = _hash_definition(series)
    last = find_last(history, "released", "nothing_new")
    digest = digest_records(request.read(series))
    unchanged = last and (last.records_sha256, last.definition_sha256) == (digest.sha256, definition)
    if unchanged and not request.asked:
        return _record(request, slot, "nothing_new", **_describe_made(digest, definition)), []
    if last and not request.accepted:
        _refuse_regression(series, digest, last)
    outcomes = _make_pages(series, slot, digest, executor, request)
    if any(outcome.reason == "records" for outcome in outcomes):
        again = digest_records(request.read(series))
        if again.sha256 != digest.sha256:  # they changed while the pages were made: once more, from the new
            digest = again
            outcomes = _make_pages(series, slot, digest, executor, request)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    worst = max(failed, key=lambda outcome: outcome.exit_code, default=None)
    record = _record(
        request,
        slot,
        "failed" if failed else "released",
        **_describe_made(digest, definition),
        n_pages=len(outcomes) - len(failed),
        n_failed=len(failed),
        exit_code=worst.exit_code if worst else 0,
        reason=worst.reason if worst else "",
        accepted=request.accepted,
    )
    return record, outcomes


def _describe_made(digest: RecordsDigest, definition: str) -> dict[str, Any]:
    """Return what a slot's record says of its records, and of what the pages are made by."""
    return {
        "records_sha256": digest.sha256,
        "definition_sha256": definition,
        "n_read": digest.n_read,
        "newest": digest.newest,
    }


def _make_pages(
    series: Series, slot: Slot, digest: RecordsDigest, executor: Executor, request: RunRequest
) -> list[Outcome]:
    schema = read_parameters(read_notebook(find_notebook(series.notebook)))
    period = find_period(series.period, slot.day, series.rolling_months)
    said = say_days(series, digest, period)
    jobs = [
        Job(
            series.notebook,
            fill_parameters(series, schema, slice, period, said),
            _settle_place(series.source),
            _settle_place(series.path) or None,
            Path(series.out),
            request.private,
            series.limits,
            series.engine,
            project=str(Path.cwd()),
            records_sha256=digest.sha256,
            n_read=digest.n_read,
            newest=digest.newest,
            series=series.id,
            slice=slice,
            slot=slot.id,
            due=slot.due.isoformat(timespec="seconds"),
            folder=f"{series.id}/{slot.id}",
        )
        for slice in list_slices(series, digest)
    ]
    request.on_begun(len(jobs))
    if series.audience == "team":
        return run_batch(executor, jobs, limit_seconds=series.batch_seconds, on_ended=request.on_ended)
    # Pages for stakeholders are made one after the other, each compared with those before it. All at once,
    # it would depend on which was ready first which of them holds a number back.
    ends_by, made = time.monotonic() + series.batch_seconds, list[Outcome]()
    for job in jobs:
        left = max(0.0, ends_by - time.monotonic())
        made += run_batch(executor, [job], limit_seconds=left, on_ended=request.on_ended)
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


def _refuse_regression(series: Series, digest: RecordsDigest, last: SlotRecord) -> None:
    """Refuse records that shrank, or end earlier than they did: an export that broke off looks like that."""
    problem = ""
    if not digest.n_read:
        problem = "the records are empty"
    elif digest.n_read < (1 - series.largest_shrink) * last.n_read:
        problem = f"the records shrank from {last.n_read} to {digest.n_read}"
    elif digest.newest and last.newest and digest.newest < last.newest:
        problem = "the newest record is older than at the last release"
    if problem:
        raise RecordsError(Text.of("errors.series.regression", series=series.id, problem=problem))
