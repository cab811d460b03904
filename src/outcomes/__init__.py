"""From anonymised treatment records to a defensible answer about therapies.

A source becomes records, a question picks a cohort from them, an analysis gives a result, disclosure
control releases it for an audience, a view shows it, and a report is a notebook whose released views become
one page. Names are loaded when they are first used, so that ``import outcomes`` costs nothing.

Examples
--------
>>> import outcomes
>>> outcomes.read_instrument("odi").short_name
'ODI'
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from outcomes.machine import threads as threads  # before numpy is loaded

__version__ = "0.1.0"

#: Module to the names that it offers; one line for a new one.
_OFFERED = {
    "outcomes.errors": ("OutcomesError",),
    "outcomes.facts": (
        "list_instruments",
        "list_sources",
        "read_instrument",
        "read_source",
        "read_therapies",
        "read_timepoints",
    ),
    "outcomes.records": ("Records", "read_records"),
    "outcomes.synthetic": ("simulate_clinic", "true_effects", "write_clinic"),
    "outcomes.cohort": ("Cohort", "read_filters", "select_cohort"),
    "outcomes.drafting": ("draft_source", "write_form"),
    "outcomes.result": ("Result",),
    "outcomes.analyses": (
        "bound_regression_to_mean",
        "check_comparability",
        "check_model",
        "compare_at_timepoints",
        "compare_over_time",
        "compare_respondents",
        "count_at_ends",
        "compare_sites",
        "count_completeness",
        "count_flow",
        "count_responders",
        "describe_baseline",
        "estimate_effect_sizes",
        "estimate_important_change",
        "estimate_measurement_error",
        "list_analyses",
        "monitor_periods",
        "run_analysis",
        "split_changes",
        "standardise_responders",
        "summarise_change",
        "summarise_data_quality",
        "summarise_domains",
        "trace_cumulative",
    ),
    "outcomes.disclosure": ("PageContext", "Release", "choose_detail", "open_page", "release"),
    "outcomes.views": (
        "draw_completeness",
        "draw_cumulative",
        "draw_domains",
        "draw_flow",
        "draw_forest",
        "draw_marginal_means",
        "draw_residuals",
        "draw_funnel",
        "draw_trajectory",
        "draw_trend",
        "say_answer",
        "say_comparison",
        "say_counting",
        "say_ends",
        "say_flow",
        "say_title",
        "say_trend",
        "say_limits",
        "say_methods",
        "say_model",
        "say_profile",
        "say_since_last",
        "say_sites",
        "tabulate_assessed",
        "tabulate_baseline",
        "tabulate_change",
        "tabulate_comparability",
        "tabulate_completeness",
        "tabulate_contrasts",
        "tabulate_criteria",
        "tabulate_domains",
        "tabulate_effect_sizes",
        "tabulate_instrument",
        "tabulate_joint_tests",
        "tabulate_marginal_means",
        "tabulate_nonresponse",
        "tabulate_patterns",
        "tabulate_reading",
        "tabulate_recorded",
        "tabulate_responders",
        "tabulate_sensitivity",
        "tabulate_shapes",
        "tabulate_periods",
        "tabulate_since_last",
        "tabulate_sites",
        "tabulate_standardised",
        "tabulate_visit_covariance",
    ),
    "outcomes.panel": ("open_panel",),
    "outcomes.reports": (
        "Job",
        "Report",
        "WorkerPool",
        "keep_release",
        "recall_release",
        "set_beside_last",
        "run_batch",
        "run_report",
    ),
}
_PLACES = {name: module for module, names in _OFFERED.items() for name in names}

__all__ = ["__version__", *sorted(_PLACES)]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module 'outcomes' has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)
