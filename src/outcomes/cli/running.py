"""`outcomes run`: what the declaration says, made when it is due."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outcomes.cli.declared import read_declared
from outcomes.cli.screen import keep_traceback, note, print_json, shows_progress
from outcomes.errors import OutcomesError, ReportError
from outcomes.facts import find_project, read_words
from outcomes.facts.toml import suggest_name
from outcomes.machine.lock import hold_lock
from outcomes.reports.archive.store import name_reason, prune_runs
from outcomes.reports.batch import WorkerPool, open_cluster
from outcomes.reports.editions.approval import read_states
from outcomes.reports.series.declaration import Series, read_series
from outcomes.reports.series.notification import log_run, mail_failures, ping_monitor
from outcomes.reports.series.running import RunRequest, SeriesResult, run_series
from outcomes.reports.series.slots import note_last_run
from outcomes.reports.site import write_site

if TYPE_CHECKING:
    from rich.progress import Progress

_LOCKED, _TERMINATED = 8, 143
_IDLE = frozenset({"not_due", "waits"})
_INDEX_WAIT_SECONDS = 60.0


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
) -> int:
    """Run the series of these ids, or all, with ``due`` what is due; return 0 or the worst exit code."""
    declared = read_series(declaration)
    for id in ids:
        if id not in declared:
            raise ReportError(f"No report {id!r} is declared; {suggest_name(id, declared)}", exit_code=2)
    chosen = [declared[id] for id in ids] if ids else list(declared.values())
    now, private = datetime.now(UTC), find_project() / ".outcomes"
    results: list[SeriesResult] = []
    _, damage = _read_ledger(private)
    with (
        _end_when_terminated(),
        open_cluster(cluster) if cluster else WorkerPool(workers) as executor,
        _open_bar() as bar,
    ):
        for series in chosen:
            request = RunRequest(
                now=now,
                private=private,
                read=read_declared,
                asked=not due,
                wait_seconds=wait_seconds,
                accepted=accepted,
                on_begun=partial(_begin, bar, series.id),
                on_ended=lambda outcome: bar.advance(bar.task_ids[0]),
            )
            ended = _run_one(series, executor, request)
            for result in ended:
                if not (quiet and result.state in _IDLE):
                    _say_result(result)
            results += ended
    if damage is not None:
        note(str(damage))
    worst = max([damage.exit_code if damage else 0, *(result.exit_code for result in results)])
    _tidy_up(declared, chosen, results, private, now)
    if worst != _LOCKED:
        note_last_run(private, now, worst)
        _note_problem(mail_failures(results))
        _note_problem(ping_monitor("fail" if worst else "success", worst))
    if as_json:
        print_json([_describe(result) for result in results])
    return worst


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


def _open_bar() -> "Progress":
    """Return a progress bar over the pages of a series, shown on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = not (shows_progress() and console.is_terminal)
    bar = Progress(*columns, console=console, transient=True, disable=hidden)
    bar.add_task("", total=None, visible=False)
    return bar


def _begin(bar: "Progress", series: str, pages: int) -> None:
    _note_problem(ping_monitor("start"))
    bar.update(bar.task_ids[0], description=series, total=pages, completed=0, visible=True)


def _read_ledger(private: Path) -> tuple[dict[str, str], OutcomesError | None]:
    """Return the states of editions, or why they cannot be read: pages for the team are made nevertheless."""
    try:
        return read_states(private), None
    except OutcomesError as error:
        return {}, error


def _run_one(series: Series, executor: Executor, request: RunRequest) -> list[SeriesResult]:
    """Run one series; an error in it does not keep the others from being run."""
    try:
        return run_series(series, executor, request)
    except OutcomesError as error:
        return [
            SeriesResult(
                series=series.id,
                state="failed",
                exit_code=error.exit_code,
                reason=name_reason(error),
                message=str(error),
                is_news=error.exit_code != _LOCKED,  # the run that holds the lock tells of its own end
                language=series.words.language,
            )
        ]


def _say_result(result: SeriesResult) -> None:
    for outcome in result.outcomes:
        if outcome.state == "failed":
            is_bug = outcome.reason == "bug" and outcome.error
            told = keep_traceback(outcome.error) if is_bug and outcome.error else outcome.message
            about = ", ".join(outcome.job.slice.values())
            note(f"{result.series}{f' ({about})' if about else ''}: {told}")
    if result.message:
        note(result.message)
    words, n = read_words(result.language), len(result.outcomes)
    values = {name: getattr(result, name) for name in ("series", "reason", "exit_code")}
    values["n_stand"] = sum(outcome.state != "failed" for outcome in result.outcomes)
    parts = [words.say(f"series.run.{result.state}", **values, n=n)]
    if result.missed:
        parts.append(words.say("series.run.missed", slots=", ".join(result.missed)))
    if result.waits:
        parts.append(words.say("series.run.for_approval", series=result.series))
    note(f"{result.series}{f' {result.slot}' if result.slot else ''}: {'; '.join(parts)}")


def _tidy_up(
    declared: Mapping[str, Series],
    chosen: Sequence[Series],
    results: Sequence[SeriesResult],
    private: Path,
    now: datetime,
) -> None:
    """Write the index anew, remove what is too old, and log what was done."""
    if all(result.state in _IDLE or result.exit_code == _LOCKED for result in results):
        return
    with hold_lock(private, "index", _INDEX_WAIT_SECONDS):
        states, _ = _read_ledger(private)
        for out in {series.out for series in chosen}:
            of_folder = [series for series in declared.values() if series.out == out]
            write_site(out, of_folder, private, now, states)
        prune_runs(private, now, {series.id: series.retention_days for series in declared.values()})
    for result in results:
        failed = sum(outcome.state == "failed" for outcome in result.outcomes)
        told = {"series": result.series, "slot": result.slot or "-", "state": result.state}
        pages = len(result.outcomes) - failed
        if not log_run(private, now, **told, pages=pages, failed=failed, code=result.exit_code):
            note("The log could not be written; what was done stands nevertheless.")
            return


def _note_problem(problem: str) -> None:
    if problem:
        note(problem)


def _describe(result: SeriesResult) -> dict[str, Any]:
    return {
        "series": result.series,
        "slot": result.slot,
        "state": result.state,
        "exit_code": result.exit_code,
        "reason": result.reason,
        "question": result.question,
        "missed": result.missed,
        "pages": [
            {
                **outcome.job.slice,
                "state": outcome.state,
                "page": outcome.page.as_posix() if outcome.page else None,
                "exit_code": outcome.exit_code,
                "reason": outcome.reason,
            }
            for outcome in result.outcomes
        ],
    }
