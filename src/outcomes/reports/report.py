"""`run_report`: a notebook and its parameters become one page, or nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import outcomes
from outcomes.disclosure import read_rules
from outcomes.errors import RecordsError
from outcomes.facts import Source, Words, find_project, read_source, read_words
from outcomes.reports.archive import (
    Manifest,
    PastRelease,
    ask_to_keep,
    collect_results,
    find_last_release,
    find_release,
    forget_snapshots,
    hand_over,
    keep_results,
    keep_snapshot,
    open_entry,
    write_manifest,
)
from outcomes.reports.auditing import audit_run
from outcomes.reports.catalogue import find_notebook
from outcomes.reports.editions import Guard, guard_edition
from outcomes.reports.engine import TimeLimits, choose_engine, execute_notebook, settle_engine
from outcomes.reports.engine.task import Task
from outcomes.reports.exports import build_exports
from outcomes.reports.finished import find_finished, note_finished
from outcomes.reports.heading import build_page, name_page
from outcomes.reports.job import Job, Making, describe_making
from outcomes.reports.names import check_names
from outcomes.reports.notebook_file import read_notebook
from outcomes.reports.page import render_page
from outcomes.reports.parameters import Value, check_parameters, read_parameters
from outcomes.reports.publication import prepare_folder, publish
from outcomes.reports.reasons import name_reason
from outcomes.reports.released import collect_views, count_dropped, read_releases
from outcomes.reports.runs import Run, open_run
from outcomes.views.figure import explain_undrawn
from outcomes.views.view import View

# parameters that a manifest may repeat: none that names a person or a place on a disk
_RECORDED = (
    "instrument", "variant", "timepoint", "reference", "threshold", "therapy", "site", "region", "since",
    "until", "measured", "every", "audience", "k", "language",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """A published report.

    Parameters
    ----------
    name : str
        Of the notebook.
    audience : str
        ``team`` or ``stakeholder``.
    page : Path
        One HTML file that needs nothing beside it.
    folder : Path
        Beside the page: ``results.csv``, ``results.xlsx`` and figures as PNG.
    manifest : Path
        Private: what the page was made from, in the run's folder.
    state : str
        ``published``, or ``unchanged`` where the same page had been made from the same inputs before.
    notes : tuple of str
        What whoever made the page should know beside it, such as labels that no font can draw.
    """

    name: str
    audience: str
    page: Path
    folder: Path
    manifest: Path
    state: str = "published"
    notes: tuple[str, ...] = ()


def run_report(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    source: str | Path = "made-up-clinic",
    path: str | Path | None = None,
    out: str | Path = "reports/html",
    private_folder: str | Path = ".outcomes",
    limits: TimeLimits | None = None,
    engine: str = "auto",
    show_progress: bool = False,
) -> Report:
    """Make a report: run its notebook, and put the released views and prose in place as one page.

    Parameters
    ----------
    name : str
        A notebook of ``notebooks/``, such as ``"therapy_comparison"``; see `list_reports`.
    parameters : mapping, optional
        Values for the notebook's ``parameters`` cell, which is their schema.
    source : str or Path
        Name of a source, or a source TOML.
    path : str or Path, optional
        File or folder of records; where the source says when absent.
    out : str or Path
        Folder of pages.
    private_folder : str or Path
        Where the run's folder is made; nothing in it is meant to leave.
    limits : TimeLimits, optional
        For a cell and for the whole report; 10 and 30 minutes when absent.
    engine : str
        ``fork`` (Linux: the notebook runs in a child of a process that has everything imported),
        ``stock`` (a fresh kernel), or ``auto``: the first where that is possible. The page is the same.
    show_progress : bool
        Whether to show on a terminal which cell is running.

    Returns
    -------
    Report

    Raises
    ------
    FactsError
        When the source or the language is unknown.
    ReportError
        When report or parameters are unknown or wrong (exit code 2), the folder cannot be written (9), the
        notebook fails (6, or that of the package's error that it raised) or time runs out (10). Whatever
        fails, the last good page stays in place.
    DisclosureError
        When the notebook shows what was released for another audience.

    Examples
    --------
    >>> report = run_report("therapy_comparison", {"audience": "team"})  # doctest: +SKIP
    >>> report.page.name  # doctest: +SKIP
    'therapy_comparison-made-up-clinic-odi-team.html'
    """
    job = Job(name, parameters or {}, source, path, out, private_folder, limits or TimeLimits(), engine)
    with _show_cells(name, show_progress) as on_cell:
        return make_page(job, on_cell)


def make_page(job: Job, on_cell: Callable[[int], None] | None = None) -> Report:
    """Make the page of a job in this process, unless the same one was made before.

    Parameters
    ----------
    job : Job
    on_cell : callable, optional
        Called with the index of each cell of the notebook that begins.

    Returns
    -------
    Report

    Raises
    ------
    OutcomesError
        As `run_report`; also `RecordsError` when the records are not those that the job was made for.
    """
    if job.project and Path(job.project) != Path.cwd():
        os.chdir(job.project)  # of a process that makes pages only
    notebook_path = find_notebook(job.report)
    choose_engine(job.engine)  # a name that is none is refused before anything else
    values, source, words = _check(notebook_path, job)
    making = describe_making(job, values)
    audience = str(values["audience"])
    if job.records_sha256 and (done := find_finished(job, making)):
        return Report(job.report, audience, done.page, done.page.with_suffix(""), done.manifest, "unchanged")
    folder = prepare_folder(Path(job.out) / job.folder)
    engine = settle_engine(job.engine)
    run = open_run(job.private_folder)
    run.write("language", words.language)
    name = name_page(job.report, values, source)
    with (
        _record(job, values, making, engine, run) as record,
        _guard(job, run, folder / f"{name}.html", values) as guard,
    ):
        archive = run.folder.parent.parent / "archive"
        last = _find_last(job, archive, guard)
        hand_over(last, run.folder)
        if job.series and guard is None:
            ask_to_keep(run.folder)
        task = Task(notebook_path, values, run, _limit(job), making.seed, on_cell or (lambda index: None))
        notebook = execute_notebook(task, engine)
        views = collect_views(notebook, run.views, audience, int(str(values["k"])))
        audit = audit_run(run.folder, audience)
        fingerprint = _find_fingerprint(views)
        _refuse_other_records(job, fingerprint)
        signs = "".join(sorted({sign for view in views.values() for sign in view.undrawn}))
        undrawn = explain_undrawn(signs, words)
        page = build_page(job.report, notebook, views, values, source, run.started, fingerprint, words)
        if undrawn and audience == "team":
            page = dataclasses.replace(page, banners=(*page.banners, undrawn))
        html = render_page(page, words).encode("utf-8")
        exports = build_exports(list(views.values()))
        if guard is not None and audit is not None:
            releases = read_releases(run.folder)
            exports = guard.enter(page.title, html, exports, releases, audit, _pick(values))
        elif job.series:
            keep_snapshot(run.folder, archive / job.series / run.id)
        target = publish(folder, name, html, exports)
        record(
            page=target.relative_to(find_project() / job.out).as_posix(),
            page_sha256=hashlib.sha256(html).hexdigest(),
            title=page.title,
            records_sha256=job.records_sha256 or fingerprint,
            n_dropped=count_dropped(notebook, views),
            state="published",
        )
        forget_snapshots(archive, job.series, job.slice, last)
    if job.records_sha256:
        note_finished(job, making, target, run)
    notes = tuple(filter(None, [undrawn]))
    return Report(
        job.report, audience, target, target.with_suffix(""), run.folder / "manifest.json", notes=notes
    )


def _check(notebook_path: Path, job: Job) -> tuple[dict[str, Value], Source | None, Words]:
    """Check whatever can be checked before anything runs."""
    schema = read_parameters(read_notebook(notebook_path))
    place: dict[str, Any] = {"source": job.source, "path": job.path or ""}
    # a notebook that reads no records has no use for the place where they are
    wanted = {name: value for name, value in place.items() if name in schema}
    values = check_parameters(schema, {**wanted, **job.parameters})
    source = read_source(str(values["source"])) if "source" in values else None
    check_names(values, source)
    # The manifest and the page's check of its views want the number itself.
    k = values["k"]
    values["k"] = read_rules(k if k is None else int(str(k)), source and source.disclosure_profile).k
    return values, source, read_words(str(values.get("language", "en")))


@contextmanager
def _record(
    job: Job, values: Mapping[str, Value], making: Making, engine: str, run: Run
) -> Iterator[Callable[..., None]]:
    """Keep the run's manifest: begun when it begins, and ended in every way in which a run may end.

    Yields what adds to it. A run that is killed leaves ``running`` behind, which the next one reads as
    ``interrupted``.
    """
    manifest = Manifest(
        run=run.id,
        report=job.report,
        audience=str(values["audience"]),
        series=job.series,
        slice=dict(job.slice),
        slot=job.slot,
        started=run.started.isoformat(timespec="seconds"),
        key=making.key,
        records_sha256=job.records_sha256,
        notebook_sha256=making.notebook_sha256,
        packages_sha256=making.packages_sha256,
        lock_sha256=making.lock_sha256,
        outcomes=outcomes.__version__,
        python=platform.python_version(),
        engine=engine,
        parameters=_pick(values),
        seed=making.seed,
        n_read=job.n_read,
        newest=job.newest,
        due=job.due,
    )
    entry = open_entry(run.folder.parent.parent / "archive", job.series, run.id) if job.series else None
    if entry:
        write_manifest(entry, manifest)
    added: dict[str, Any] = {}
    try:
        yield added.update
    finally:
        error = sys.exc_info()[1]
        if error is not None:
            state = "failed" if isinstance(error, Exception) else "interrupted"
            added |= {"state": state, "reason": name_reason(error)}
            added["exit_code"] = getattr(error, "exit_code", 1)
        added["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = dataclasses.replace(manifest, **added)
        run.close_to_others()
        write_manifest(run.folder, manifest)
        if entry:
            if manifest.state == "published":
                keep_results(entry, collect_results(run.folder))
            write_manifest(entry, manifest)


def _pick(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name in _RECORDED}


def _guard(
    job: Job, run: Run, page: Path, values: Mapping[str, Value]
) -> contextlib.AbstractContextManager[Guard | None]:
    """Return the guard of a page for stakeholders; the team's needs none."""
    if values["audience"] == "team":
        return contextlib.nullcontext()
    return guard_edition(job, run, page, int(str(values["k"])))


def _find_last(job: Job, archive: Path, guard: Guard | None) -> PastRelease | None:
    """Return the release that the page may look back at: for stakeholders the last that they were given."""
    if not job.series:
        return None
    if guard is None:
        return find_last_release(archive, job.series, job.slice, before=job.due)
    last = guard.ledger.find_last_released(job.series, job.slice)
    return find_release(archive, job.series, last.id) if last is not None else None


def _limit(job: Job) -> TimeLimits:
    """Return the page's time limits; what is left of its batch may be less."""
    if job.ends_by is None:
        return job.limits
    left = max(0.0, job.ends_by - time.time())
    return TimeLimits(min(job.limits.cell, left), min(job.limits.report, left))


def _find_fingerprint(views: Mapping[str, View]) -> str:
    """Return the fingerprint of the records as it was released, empty where no view has one."""
    found = (str(view.provenance.get("fingerprint", "")) for view in views.values())
    return next((fingerprint for fingerprint in found if fingerprint), "")


def _refuse_other_records(job: Job, fingerprint: str) -> None:
    """Refuse a page of other records than those that the job was made for; a release shows only a part."""
    if job.records_sha256 and fingerprint and not job.records_sha256.startswith(fingerprint):
        raise RecordsError(
            f"{job.report}: the records changed while the report was made; nothing was published. "
            "Run it again when nobody writes to them."
        )


@contextmanager
def _show_cells(name: str, show_progress: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal which cell is running; yield what is called at each cell's start."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not (show_progress and console.is_terminal)
    ) as progress:
        task = progress.add_task(name, total=None)

        def on_cell(index: int) -> None:
            progress.update(task, completed=index, description=f"{name}, cell {index + 1}")

        yield on_cell
