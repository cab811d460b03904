"""Reports: a notebook and its parameters become one page that can be shared."""

from outcomes.reports.catalogue import find_notebook, list_reports
from outcomes.reports.engine import TimeLimits
from outcomes.reports.job import Job
from outcomes.reports.parameters import Parameter, describe_parameters, parse_texts, read_parameters
from outcomes.reports.report import Report, run_report

__all__ = [
    "Job",
    "Parameter",
    "Report",
    "TimeLimits",
    "describe_parameters",
    "find_notebook",
    "list_reports",
    "parse_texts",
    "read_parameters",
    "run_report",
]
