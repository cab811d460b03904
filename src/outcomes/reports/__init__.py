"""Reports: a notebook and its parameters become one page that can be shared."""

from outcomes.reports.catalogue import find_notebook, list_reports
from outcomes.reports.engine import Report, run_report
from outcomes.reports.execution import TimeLimits
from outcomes.reports.parameters import Parameter, parse_texts, read_parameters

__all__ = [
    "Parameter",
    "Report",
    "TimeLimits",
    "find_notebook",
    "list_reports",
    "parse_texts",
    "read_parameters",
    "run_report",
]
