"""`run_report`: a notebook and its parameters become one page, or nothing."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import outcomes
from outcomes.facts import Source, Words, read_source, read_words
from outcomes.reports.catalogue import find_notebook
from outcomes.reports.execution import TimeLimits, execute_notebook
from outcomes.reports.exports import build_exports
from outcomes.reports.heading import build_page, name_page
from outcomes.reports.names import check_names
from outcomes.reports.notebook_file import read_notebook
from outcomes.reports.page import render_page
from outcomes.reports.parameters import Value, check_parameters, read_parameters
from outcomes.reports.publication import prepare_folder, publish
from outcomes.reports.released import collect_views, count_dropped
from outcomes.reports.runs import Run, open_run
from outcomes.views.view import View

# parameters that a manifest may repeat: none that names a person or a place on a disk
_RECORDED = ("instrument", "variant", "timepoint", "reference", "audience", "k", "language")


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
        Beside the page: ``results.csv``, ``results.xlsx``, figures as PNG, and ``manifest.json``.
    manifest : Path
        Private: what the page was made from, in the run's folder.
    state : str
        ``published``.
    """

    name: str
    audience: str
    page: Path
    folder: Path
    manifest: Path
    state: str = "published"


def run_report(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    source: str | Path = "made-up-clinic",
    path: str | Path | None = None,
    out: str | Path = "reports/html",
    private_folder: str | Path = ".outcomes",
    limits: TimeLimits | None = None,
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
    notebook_path = find_notebook(name)
    values, origin, words = _check(notebook_path, {"source": source, "path": path or ""}, parameters or {})
    folder = prepare_folder(out)
    run = open_run(private_folder)
    made_from = _describe_making(notebook_path, values, run)
    try:
        notebook = execute_notebook(notebook_path, values, run, limits=limits, show_progress=show_progress)
        views = collect_views(notebook, run.views, str(values["audience"]), int(values["k"]))
        made_from["fingerprint"] = _find_fingerprint(views)
        page = build_page(notebook, views, values, origin, run.started, made_from["fingerprint"], words)
        html = render_page(page, words).encode("utf-8")
        made_from |= {"sha256": hashlib.sha256(html).hexdigest(), "n_dropped": count_dropped(notebook, views)}
        target = publish(folder, name_page(name, values, origin), html, build_exports(list(views.values())))
        made_from |= {"page": target.name, "state": "published"}
    finally:
        manifest = run.write_manifest(made_from)
    return Report(name, str(values["audience"]), target, target.with_suffix(""), manifest)


def _check(
    notebook_path: Path, place: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Value], Source | None, Words]:
    """Check whatever can be checked before anything runs."""
    schema = read_parameters(read_notebook(notebook_path))
    # a notebook that reads no records has no use for the place where they are
    wanted = {name: value for name, value in place.items() if name in schema}
    values = check_parameters(schema, {**wanted, **given})
    source = read_source(str(values["source"])) if "source" in values else None
    check_names(values, source)
    return values, source, read_words(str(values.get("language", "en")))


def _describe_making(notebook_path: Path, values: Mapping[str, Value], run: Run) -> dict[str, Any]:
    """Begin the manifest: what the run is made from; parameters that name people or places are left out."""
    return {
        "report": notebook_path.stem,
        "run": run.id,
        "started": run.started.isoformat(timespec="seconds"),
        "notebook_sha256": hashlib.sha256(notebook_path.read_bytes()).hexdigest(),
        "outcomes": outcomes.__version__,
        "python": platform.python_version(),
        "parameters": {name: value for name, value in values.items() if name in _RECORDED},
        "state": "failed",
    }


def _find_fingerprint(views: Mapping[str, View]) -> str:
    """Return the fingerprint of the records as it was released, empty where no view has one."""
    found = (str(view.provenance.get("fingerprint", "")) for view in views.values())
    return next((fingerprint for fingerprint in found if fingerprint), "")
