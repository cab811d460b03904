"""`run_report`: a notebook and its parameters become one page, or nothing."""

import contextlib
import dataclasses
import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import outcomes
from outcomes.disclosure import read_rules
from outcomes.disclosure.released import Release, read_releases
from outcomes.errors import RecordsError
from outcomes.facts import Source, Text, find_project, read_source, read_words
from outcomes.reports.archive.snapshots import ask_to_keep, forget_snapshots, keep_snapshot
from outcomes.reports.archive.store import (
    Manifest,
    PastRelease,
    find_last_release,
    find_release,
    hand_over,
    keep_manifest,
)
from outcomes.reports.editions.approval import read_states
from outcomes.reports.editions.guard import Guard, guard_edition
from outcomes.reports.engine import Task, TimeLimits, choose_engine, execute_notebook, settle_engine
from outcomes.reports.exports import build_exports
from outcomes.reports.job import Job, Run, RunInputs, find_finished, hash_inputs, note_finished, open_run
from outcomes.reports.notebook_file import find_notebook, read_notebook
from outcomes.reports.page import build_page, name_page, render_page
from outcomes.reports.parameters import Value, check_names, check_parameters, read_parameters
from outcomes.reports.publication import prepare_folder, publish
from outcomes.reports.released import audit_run, collect_views, count_dropped
from outcomes.views.figure import explain_undrawn

# parameters that a manifest may repeat: none that names a person or a place on a disk
_RECORDED = {
    *("instrument", "variant", "timepoint", "reference", "threshold", "therapy", "site", "region"),
    *("since", "until", "measured", "every", "audience", "k", "language"),
}
# what a manifest repeats of its job
_OF_JOB = ("report", "series", "slice", "slot", "due", "records_sha256", "n_read", "newest")


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

    Raises what `run_report` raises, and `RecordsError` when the records are not those that the job was made
    for. ``on_cell`` is called with the index of each cell that begins.
    """
    if job.project and Path(job.project) != Path.cwd():
        os.chdir(job.project)  # of a process that makes pages only
    notebook_path = find_notebook(job.report)
    choose_engine(job.engine)  # an unknown name is refused before anything else
    values, source = _check_values(job, notebook_path)
    audience, k = str(values["audience"]), int(str(values["k"]))
    words = read_words(str(values.get("language", "en")))
    inputs = hash_inputs(job, values)
    if job.records_sha256 and (made := _find_standing(job, inputs, audience)):
        page_path, manifest_path = made
        folder = page_path.with_suffix("")
        return Report(job.report, audience, page_path, folder, manifest_path, "unchanged")
    out = prepare_folder(Path(job.out) / job.folder)
    engine = settle_engine(job.engine)
    run = open_run(job.private_folder)
    name = name_page(job.report, values, source)
    about = {key: value for key, value in values.items() if key in _RECORDED}
    begun = _begin_manifest(job, audience, about, inputs, engine, run)
    with contextlib.ExitStack() as held:
        record = held.enter_context(keep_manifest(begun, run))
        guard = None
        if audience != "team":
            guard = held.enter_context(guard_edition(job, run, out / f"{name}.html", k))
        last = _find_last(job, run, guard)
        hand_over(last, run.folder)
        if job.series and guard is None:
            ask_to_keep(run.folder)

        limits, on_cell = job.limit_time(), on_cell or (lambda index: None)
        notebook = execute_notebook(Task(notebook_path, values, run, limits, inputs.seed, on_cell), engine)
        views = collect_views(notebook, run.views, audience, k)
        audit = audit_run(run.folder, audience)
        releases = read_releases(run.folder)
        fingerprint = _find_fingerprint(releases)
        if job.records_sha256 and fingerprint and job.records_sha256 != fingerprint:
            raise RecordsError(Text.of("errors.report.records_changed", report=job.report))

        signs = "".join(sorted({sign for view in views.values() for sign in view.undrawn}))
        undrawn = explain_undrawn(signs, words)
        # stakeholders get no hash of records, which values could be tried against
        told = fingerprint if audience == "team" else ""
        page = build_page(job.report, notebook, views, values, source, run.started, told, words)
        if undrawn and audience == "team":
            page = dataclasses.replace(page, banners=(*page.banners, undrawn))
        html = render_page(page, words).encode("utf-8")
        exports = build_exports(list(views.values()))
        if guard is not None and audit is not None:
            exports = guard.enter(page.title, html, exports, releases, audit, about)
        elif job.series:
            keep_snapshot(run.folder, run.archive / job.series / run.id)
        page_path = publish(out, name, html, exports)
        record(
            page=page_path.relative_to(find_project() / job.out).as_posix(),
            page_sha256=hashlib.sha256(html).hexdigest(),
            title=page.title,
            records_sha256=job.records_sha256 or fingerprint,
            n_dropped=count_dropped(notebook, views),
            state="published",
        )
        forget_snapshots(run.archive, job.series, job.slice, last)
    if job.records_sha256:
        note_finished(job, inputs, page_path, run.id)
    folder, manifest_path = page_path.with_suffix(""), run.folder / "manifest.json"
    return Report(job.report, audience, page_path, folder, manifest_path, notes=(undrawn,) if undrawn else ())


def _check_values(job: Job, notebook_path: Path) -> tuple[dict[str, Value], Source | None]:
    """Return the parameters of the page and its source; everything checked that can be before the run."""
    schema = read_parameters(read_notebook(notebook_path))
    place: dict[str, Any] = {"source": job.source, "path": job.path or ""}
    # a notebook that reads no records has no use for the place where they are
    wanted = {name: value for name, value in place.items() if name in schema}
    values = check_parameters(schema, {**wanted, **job.parameters})
    source = read_source(str(values["source"])) if "source" in values else None
    check_names(values, source)
    # the manifest and the check of the views need the number that the source's rules give
    k = values["k"]
    values["k"] = read_rules(k if k is None else int(str(k)), source and source.disclosure_profile).k
    return values, source


def _find_standing(job: Job, inputs: RunInputs, audience: str) -> tuple[Path, Path] | None:
    """Return page and manifest of an earlier run; of a page for stakeholders only where the ledger has it."""
    states = {} if audience == "team" else read_states(find_project() / job.private_folder)
    made = find_finished(job, inputs)
    return made if made and (audience == "team" or made[1].parent.name in states) else None


def _find_fingerprint(releases: Sequence[Release]) -> str:
    """Return the hash of the records that a page was made from, as far as its releases know."""
    known = (one.backing.fingerprint if one.backing else one.origin.fingerprint for one in releases)
    return next(filter(None, known), "")


def _begin_manifest(
    job: Job, audience: str, about: Mapping[str, Value], inputs: RunInputs, engine: str, run: Run
) -> Manifest:
    return Manifest(
        run=run.id,
        audience=audience,
        started=run.started.isoformat(timespec="seconds"),
        **{name: getattr(job, name) for name in _OF_JOB},
        **dataclasses.asdict(inputs),
        outcomes=outcomes.__version__,
        python=platform.python_version(),
        engine=engine,
        parameters=about,
    )


def _find_last(job: Job, run: Run, guard: Guard | None) -> PastRelease | None:
    """Return the previous release to compare with; for stakeholders the last that was approved."""
    if not job.series:
        return None
    if guard is None:
        return find_last_release(run.archive, job.series, job.slice, before=job.due)
    approved = guard.ledger.find_last_released(job.series, job.slice)
    return find_release(run.archive, job.series, approved.id) if approved else None


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
