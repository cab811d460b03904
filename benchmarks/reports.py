"""A batch of reports by forking from a warm parent, against papermill and nbconvert called in one process.

``python benchmarks/reports.py [N]`` prints the CPU seconds a report, measured in this run with N reports (24
when absent), and ends with 1 where a bound is broken or two engines make different pages. Each way runs in a
process of its own with all that it starts; the operating system sums their CPU seconds.

``floor`` is the content alone: the notebook's cells run in a warm process, and the page made of their views.
What a way needs beyond it is its overhead.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

N_REPORTS = 24
LEAST_TIMES_CPU, LEAST_TIMES_OVERHEAD = 2.5, 5.0
N_PATIENTS = 7_500  # four rows each: 30,000

#: Six figures, six tables, two models.
BENCH = (
    "from outcomes.analyses import *\nfrom outcomes.cohort import select_cohort\n"
    "from outcomes.disclosure import open_page, release\nfrom outcomes.records import read_records\n"
    "from outcomes.views import *",
    "records = read_records(source, path or None)\n"
    "cohort = select_cohort(records)\nwomen = select_cohort(records, where={'sex': 'female'})",
    "page = open_page(audience, k=k)\n"
    "change = release(summarise_change(cohort), page)\n"
    "second = release(summarise_change(women), page)\n"
    "flow = release(count_flow(cohort), page)\n"
    "baseline = release(describe_baseline(cohort), page)\n"
    "completeness = release(count_completeness(cohort), page)\n"
    "respondents = release(compare_respondents(cohort), page)\n"
    "responders = release(count_responders(cohort), page)\n"
    "distribution = release(trace_cumulative(cohort), page)\n"
    "effect_sizes = release(estimate_effect_sizes(cohort), page)\n"
    "contrasts = release(compare_at_timepoints(cohort), page)\n"
    "modelled = release(compare_over_time(cohort), page)",
    "## Figures",
    *(
        f"draw_{name}"
        for name in (
            "flow(flow)", "completeness(completeness)", "trajectory(change)", "trajectory(second)",
            "forest(contrasts)", "cumulative(distribution)",
        )
    ),
    "## Tables",
    *(
        f"tabulate_{name}"
        for name in (
            "baseline(baseline, completeness)", "nonresponse(respondents)", "change(change)",
            "change(second)", "responders(responders)", "effect_sizes(effect_sizes)",
        )
    ),
)  # fmt: skip
PARAMETERS = """\
source = "bench.toml"
path = ""
audience = "team"  # one of: team, stakeholder
k = 11
run = 0  # number of the report
"""


SOURCE = """
name = "bench"
label = "made-up rows"
made_up = true

[primary]
instrument = "nprs"
variant = "average"
timepoint = "month_6"
reference = "usual_care"
covariates = ["age_years", "sex"]

[[file]]
path = "scores.csv"
rows = "assessment"

[file.columns]
patient_id = "patient"
timepoint = "timepoint"
therapy = "therapy"
age_years = "age"
sex = "sex"

[[file.scores]]
instrument = "nprs"
variant = "average"
column = "score"
"""


def main() -> int:
    """Measure, print and judge."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else N_REPORTS
    root = Path(__file__).parents[1]
    broken = False
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        _build_project(project, root)
        for notebook, many in (("bench", n), ("therapy_comparison", max(2, n // 3))):
            spent = {way: _measure(way, notebook, many, project) for way in ("stock", "fork", "floor")}
            times = spent["stock"] / spent["fork"]
            overhead = {way: max(spent[way] - spent["floor"], 1e-9) for way in ("stock", "fork")}
            saved = overhead["stock"] / overhead["fork"]
            print(f"{notebook}: {many} reports on one worker, CPU seconds a report")
            for way, seconds in spent.items():
                print(
                    f"  {way:6} {seconds:6.2f}"
                    + (f"  overhead {overhead[way]:.2f}" if way in overhead else "")
                )
            told = (
                f"{saved:.1f} times less"
                if spent["fork"] > spent["floor"]
                else "lost in what a measure varies by"
            )
            print(f"  CPU {times:.2f} times less, overhead {told}")
            broken |= times < LEAST_TIMES_CPU if notebook == "bench" else saved < LEAST_TIMES_OVERHEAD
            same = _compare_pages(project, notebook)
            print(f"  pages of both engines {'equal' if same else 'DIFFERENT'}", flush=True)
            broken |= not same
    print("A bound is broken." if broken else "All bounds hold.")
    return int(broken)


def _build_project(project: Path, root: Path) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    (project / "notebooks").mkdir()
    shutil.copytree(root / "data" / "raw" / "made-up-clinic", project / "data" / "raw" / "made-up-clinic")
    cells = [new_markdown_cell("# Bench"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += [new_markdown_cell(text) if text.startswith("#") else new_code_cell(text) for text in BENCH]
    nbformat.write(new_notebook(cells=cells), project / "notebooks" / "bench.ipynb")
    _write_records(project)


def _write_records(project: Path) -> None:
    """Write 30,000 made-up rows of one score, and the source that reads them."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(1)
    patients = pd.DataFrame(
        {
            "patient": [f"P{number:05}" for number in range(N_PATIENTS)],
            "therapy": draw.choice(["strengthening", "manual_therapy", "usual_care"], N_PATIENTS),
            "age": draw.integers(20, 80, N_PATIENTS),
            "sex": draw.choice(["female", "male"], N_PATIENTS),
        }
    )
    start = draw.normal(6, 1.5, N_PATIENTS)
    visits = []
    for timepoint, gain in (("baseline", 0), ("week_6", 1), ("month_3", 2), ("month_6", 2.5)):
        score = np.clip(np.round(start - gain + draw.normal(0, 1.2, N_PATIENTS)), 0, 10).astype(int)
        visits.append(patients.assign(timepoint=timepoint, score=score))
    pd.concat(visits).to_csv(project / "scores.csv", index=False)
    (project / "bench.toml").write_text(SOURCE, encoding="utf-8")


def _measure(way: str, notebook: str, n: int, project: Path) -> float:
    """Return the CPU seconds a report of a way, all its processes included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, way, notebook, str(n)]
    told = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if way == "floor":  # of a process that was warm before: it counts for itself
        return float(json.loads(told.splitlines()[-1])) / n
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / n


def _list_parameters(notebook: str, n: int) -> list[dict[str, object]]:
    if notebook == "bench":
        return [{"audience": "team", "run": number, "source": "bench.toml"} for number in range(n)]
    return [
        {"audience": "team", "prepared_by": str(number), "source": "made-up-clinic"} for number in range(n)
    ]


def make_stock(notebook: str, n: int) -> None:
    """Make reports as papermill's and nbconvert's documentation says, in one process."""
    import papermill
    from nbconvert import HTMLExporter

    from outcomes.reports import find_notebook

    for number, parameters in enumerate(_list_parameters(notebook, n)):
        target = Path(f"stock-{number}.ipynb")
        executed = papermill.execute_notebook(
            find_notebook(notebook),
            target,
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )
        html, _ = HTMLExporter().from_notebook_node(executed)
        target.with_suffix(".html").write_text(html, encoding="utf-8")


def make_forked(notebook: str, n: int) -> None:
    """Make reports as `outcomes run` does."""
    from outcomes.reports import Job, WorkerPool, run_batch

    parameters = _list_parameters(notebook, n)
    with WorkerPool(1) as pool:
        outcomes = run_batch(pool, [Job(notebook, one, one["source"], engine="fork") for one in parameters])
    assert all(outcome.state == "published" for outcome in outcomes), [one.message for one in outcomes]


def make_floor(notebook: str, n: int) -> None:
    """Run the cells and make the page of their views in this process, once to warm up and then n times."""
    from datetime import UTC, datetime

    from outcomes.disclosure.page_context import name_run_folder
    from outcomes.facts import read_source, read_words
    from outcomes.reports.exports import build_exports
    from outcomes.reports.notebook_file import find_notebook, read_notebook
    from outcomes.reports.page import build_page, render_page
    from outcomes.reports.publication import publish
    from outcomes.reports.released import collect_views

    cells = read_notebook(find_notebook(notebook))
    begun = 0.0
    for number, parameters in enumerate([*_list_parameters(notebook, 1), *_list_parameters(notebook, n)]):
        if number == 1:
            begun = sum(os.times()[:2])
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= name_run_folder(Path(folder))
            names: dict[str, object] = {}
            for cell in cells.cells:
                if cell.cell_type == "code":
                    cell.outputs = _run_cell(cell.source, names)
                    if "parameters" in cell.metadata.get("tags", ()):
                        names.update(parameters)
            views = collect_views(cells, Path(folder) / "views", "team", 11)
            words, source = read_words(), read_source(str(parameters["source"]))
            page = build_page(cells, views, {"audience": "team"}, source, datetime.now(UTC), "", words)
            html = render_page(page, words).encode("utf-8")
            publish(Path(folder), "page", html, build_exports(list(views.values())))
    print(sum(os.times()[:2]) - begun)


def _run_cell(text: str, names: dict[str, object]) -> list[object]:
    """Run a cell's lines; return what its last one shows, if that is a view."""
    from nbformat.v4 import new_output

    tree = ast.parse(text)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    if not hasattr(value, "_repr_mimebundle_"):
        return []
    return [new_output("display_data", value._repr_mimebundle_())]


def _compare_pages(project: Path, notebook: str) -> bool:
    """Return whether both engines make the same page."""
    made = []
    (parameters,) = _list_parameters(notebook, 1)
    for engine in ("stock", "fork"):
        text = (
            "from outcomes.reports import run_report\n"
            f"print(run_report({notebook!r}, {parameters!r}, source={parameters['source']!r}, "
            f"engine={engine!r}, out={engine!r}).page)"
        )
        told = subprocess.run(
            [sys.executable, "-c", text], cwd=project, check=True, capture_output=True, text=True
        )
        made.append(Path(told.stdout.strip()).read_bytes())
    return made[0] == made[1]


WAYS = {"stock": make_stock, "fork": make_forked, "floor": make_floor}

if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in WAYS:
        WAYS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main())
