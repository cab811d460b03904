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

from outcomes.machine import threads as threads  # before numpy is loaded
from outcomes.machine.offered import offer_lazily

__version__ = "0.1.0"

#: Module to the names that it offers.
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
    "outcomes.synthetic": (
        "simulate_clinic",
        "true_courses",
        "true_effects",
        "true_harms",
        "true_recurrence",
        "write_clinic",
    ),
    "outcomes.cohort": ("Cohort", "read_filters", "select_cohort"),
    "outcomes.drafting": ("draft_source", "write_form"),
    "outcomes.result": ("Result",),
    "outcomes.analyses": ("list_analyses", "run_analysis"),
    "outcomes.disclosure": ("PageContext", "Release", "choose_detail", "open_page", "release"),
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
#: Packages of which every module offers what its ``__all__`` says: the folder is the registry.
_FOLDERS = ("outcomes.analyses", "outcomes.views")

__getattr__, __dir__ = offer_lazily(__name__, _OFFERED, _FOLDERS)
