"""`outcomes run`: what the declaration says, made when it is due."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outcomes.cli.declared import read_declared
from outcomes.cli.failure import keep_traceback
from outcomes.cli.screen import note, print_json, shows_progress
from outcomes.errors import OutcomesError, ReportError
from outcomes.facts import find_project
from outcomes.facts.toml import suggest_name
from outcomes.machine.lock import hold_lock
from outcomes.reports.archive.retention import prune_runs
from outcomes.reports.batch import Outcome, WorkerPool, open_cluster
from outcomes.reports.editions import read_states
from outcomes.reports.reasons import name_reason
from outcomes.reports.series import Ending, Series, read_series, run_series
from outcomes.reports.series.journal import log_run
from outcomes.reports.series.notification import mail_failures, ping_monitor
from outcomes.reports.series.running import Asking
from outcomes.reports.series.standing import note_beat
from outcomes.reports.site import write_site

_LOCKED, _TERMINATED = 8, 143
_IDLE = frozenset({"not_due", "waits"})
_INDEX_WAIT_SECONDS = 60.0
_SAID = {
    "released": "released {pages}",
    "nothing_new": "nothing new: the records and what the pages are made by are as before",
    "not_due": "not due",
    "waits": "failed a short time ago, and is tried again later; at once with: outcomes run {series}",
}


def run_declared(
    ids: Sequence[str],
    due: bool,
    *,
    declaration: Path | None = None,
    wait_seconds: float = 0.0,
    workers: int | None = None,
    cluster: str | None = None,
    accepted: str = "",
    quiet: bool = False,
    as_json: bool = False,
    private_folder: str | Path = ".outcomes",
) -> int:
    """Run series and tell how that went.

    Parameters
    ----------
    ids : sequence of str
        Series to run; all that are declared when empty.
    due : bool
        Whether only what is due is made; else the latest slot of each series, whatever became of it.
    declaration, wait_seconds, workers, cluster, accepted, quiet, as_json
        As on the command line.
    private_folder : str or Path

    Returns
    -------
    int
        0, or the worst exit code of all pages.
    """
    declared = read_series(declaration)
    chosen = _choose(declared, ids)
    now, private = datetime.now(UTC), find_project() / private_folder
    endings: list[Ending] = []
    with _end_when_terminated(), _open_executor(workers, cluster) as executor, _Screen(quiet) as screen:
        for series in chosen:
            asking = Asking(
                now, private, read_declared, not due, wait_seconds, accepted,
                screen.begin, screen.advance,
            )  # fmt: skip
            endings += _run_one(series, executor, asking, screen)
    worst = max((ending.exit_code for ending in endings), default=0)
    _tidy_up(declared, chosen, endings, private, now)
    if worst != _LOCKED:
        note_beat(private, now, worst)
        _tell(endings, worst)
    if as_json:
        print_json([_describe(ending) for ending in endings])
    return worst


def _choose(declared: Mapping[str, Series], ids: Sequence[str]) -> list[Series]:
    unknown = [id for id in ids if id not in declared]
    if unknown:
        raise ReportError(
            f"No report {unknown[0]!r} is declared; {suggest_name(unknown[0], declared)}", exit_code=2
        )
    return [declared[id] for id in ids] if ids else list(declared.values())


@contextmanager
def _open_executor(workers: int | None, cluster: str | None) -> Iterator[Executor]:
    with open_cluster(cluster) if cluster else WorkerPool(workers) as executor:
        yield executor


@contextmanager
def _end_when_terminated() -> Iterator[None]:
    """Turn a request to end (systemd, a shutdown) into an error, so that everything is ended in order."""

    def stop(number: int, frame: Any) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Screen:
    """A progress bar over the pages of a series, on a terminal; lines for a person."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console, self._quiet = Console(stderr=True), quiet
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, transient=True, disable=not (shows_progress() and console.is_terminal),
        )  # fmt: skip
        self._bar = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> _Screen:
        self._progress.start()
        return self

    def __exit__(self, *rest: object) -> None:
        self._progress.stop()

    def passes_over(self, ending: Ending) -> bool:
        """Return whether an ending is not worth a line."""
        return self._quiet and ending.state in _IDLE

    def name(self, series: str) -> None:
        self._progress.update(self._bar, description=series)

    def begin(self, pages: int) -> None:
        self._progress.update(self._bar, total=pages, completed=0, visible=True)

    def advance(self, outcome: Outcome) -> None:
        self._progress.advance(self._bar)


def _run_one(series: Series, executor: Executor, asking: Asking, screen: _Screen) -> list[Ending]:
    """Run one series; what goes wrong with it keeps no other from being run."""
    screen.name(series.id)
    begun = asking.on_begun

    def begin(pages: int) -> None:
        _note_problem(ping_monitor("start"))
        begun(pages)

    try:
        endings = run_series(series, executor, Asking(**{**vars(asking), "on_begun": begin}))
    except OutcomesError as error:
        is_news = error.exit_code != _LOCKED  # the run that holds the lock tells what becomes of it
        endings = [
            Ending(series.id, "failed", "", error.exit_code, name_reason(error), str(error), is_news=is_news)
        ]
    for ending in endings:
        if not screen.passes_over(ending):
            _say_ending(ending)
    return endings


def _say_ending(ending: Ending) -> None:
    for outcome in ending.outcomes:
        if outcome.state == "failed":
            told = (
                keep_traceback(outcome.error)
                if outcome.reason == "bug" and outcome.error
                else outcome.message
            )
            about = ", ".join(outcome.job.slice.values())
            note(f"{ending.series}{f' ({about})' if about else ''}: {told}")
    if ending.message:
        note(ending.message)
    if ending.state == "failed":
        stand = sum(outcome.state != "failed" for outcome in ending.outcomes)
        made = f"; {stand} of {len(ending.outcomes)} pages stand" if ending.outcomes else ""
        note(f"{ending.series} {ending.slot}: failed ({ending.reason}, exit code {ending.exit_code}){made}")
        return
    pages = f"{len(ending.outcomes)} page{'s' if len(ending.outcomes) != 1 else ''}"
    missed = f"; stands for {', '.join(ending.missed)} too" if ending.missed else ""
    said = _SAID[ending.state].format(pages=pages, series=ending.series)
    waits = f"; for stakeholders: outcomes approve {ending.series}" if ending.waits else ""
    note(f"{ending.series}{f' {ending.slot}' if ending.slot else ''}: {said}{missed}{waits}")


def _tidy_up(
    declared: Mapping[str, Series],
    chosen: Sequence[Series],
    endings: Sequence[Ending],
    private: Path,
    now: datetime,
) -> None:
    """Write the index anew, remove what is too old, and log what was done."""
    if all(ending.state in _IDLE or ending.exit_code == _LOCKED for ending in endings):
        return
    with hold_lock(private, "index", _INDEX_WAIT_SECONDS):
        states = read_states(private)
        for out in {series.out for series in chosen}:
            of_folder = [series for series in declared.values() if series.out == out]
            write_site(out, of_folder, private, now, states)
        prune_runs(private, now, {series.id: series.retention_days for series in declared.values()})
    for ending in endings:
        logged = log_run(
            private, now, series=ending.series, slot=ending.slot or "-", state=ending.state,
            pages=sum(outcome.state != "failed" for outcome in ending.outcomes),
            failed=sum(outcome.state == "failed" for outcome in ending.outcomes), code=ending.exit_code,
        )  # fmt: skip
        if not logged:
            note("The log could not be written; what was done stands nevertheless.")
            return


def _tell(endings: Sequence[Ending], worst: int) -> None:
    _note_problem(mail_failures(endings))
    _note_problem(ping_monitor("fail" if worst else "success", worst))


def _note_problem(problem: str) -> None:
    if problem:
        note(problem)


def _describe(ending: Ending) -> dict[str, Any]:
    return {
        "series": ending.series,
        "slot": ending.slot,
        "state": ending.state,
        "exit_code": ending.exit_code,
        "reason": ending.reason,
        "question": ending.question,
        "missed": ending.missed,
        "pages": [
            {
                **outcome.job.slice,
                "state": outcome.state,
                "page": outcome.page.as_posix() if outcome.page else None,
                "exit_code": outcome.exit_code,
                "reason": outcome.reason,
            }
            for outcome in ending.outcomes
        ],
    }
