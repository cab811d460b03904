"""Reports: a notebook and its parameters become one page that can be shared."""

from outcomes.reports.archive.snapshots import keep_release, recall_release, set_beside_last
from outcomes.reports.archive.store import read_previous
from outcomes.reports.batch import WorkerPool, run_batch
from outcomes.reports.engine import TimeLimits
from outcomes.reports.job import Job
from outcomes.reports.notebook_file import count_cells, find_notebook, list_reports
from outcomes.reports.parameters import describe_parameters, parse_texts, read_parameters
from outcomes.reports.report import Report, make_page, run_report

__all__ = [
    "Job",
    "Report",
    "TimeLimits",
    "WorkerPool",
    "count_cells",
    "describe_parameters",
    "find_notebook",
    "keep_release",
    "list_reports",
    "make_page",
    "parse_texts",
    "read_parameters",
    "read_previous",
    "recall_release",
    "run_batch",
    "run_report",
    "set_beside_last",
]
