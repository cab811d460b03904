"""The choices of the panel as a report: its parameters, and its making while the panel stays usable."""

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from outcomes.cohort import write_filters
from outcomes.errors import OutcomesError, ReportError
from outcomes.facts import Words, find_project
from outcomes.panel.choice import FULL, say_notice
from outcomes.panel.offers import label_filter
from outcomes.panel.question import PanelQuestion
from outcomes.records import Records
from outcomes.reports.job import Job
from outcomes.reports.notebook_file import count_cells
from outcomes.reports.report import make_page
from outcomes.reports.series.declaration import find_refused_cuts

REPORT = "therapy_comparison"
_SHARED = ("site", "region")


def list_parameters(question: PanelQuestion, language: str = "en") -> dict[str, Any]:
    """Return a question as parameters of the report; what is not chosen is absent."""
    filters = {column: values for column, values in question.filters.items() if values}
    alone = {key: filters[key][0] for key in filters if key in _SHARED and len(filters[key]) == 1}
    rest = {column: values for column, values in filters.items() if column not in alone}
    chosen = {
        "instrument": question.measure.instrument,
        "variant": question.measure.variant,
        "timepoint": question.primary,
        "timepoints": question.describe_cohort().get("timepoints"),
        "therapies": list(question.therapies),
        "threshold": question.threshold,
        **alone,
        "only": write_filters(rest),
        "audience": question.audience,
        "language": "" if language == "en" else language,
    }
    return {name: value for name, value in chosen.items() if value}


def check_cuts(records: Records, question: PanelQuestion, words: Words) -> None:
    """Refuse a stakeholder's report that is cut by more than the project's declaration allows."""
    if question.audience != "stakeholder":
        return
    cut = {column for column, values in question.filters.items() if values}
    cut |= {"therapy"} if question.therapies else set()
    refused = find_refused_cuts(records.source.name, cut)
    if refused:
        names = ", ".join(label_filter(column, words).lower() for column in refused)
        raise ReportError(words.say("panel.cut_refused", cuts=names), exit_code=2)


class ReportButton:
    """A button that makes the report of a question, how far it is, and where its page lies."""

    def __init__(self, records: Records, words: Words, ask: Callable[[], PanelQuestion]) -> None:
        self._records, self._words, self._ask = records, words, ask
        self.button = widgets.Button(description=words.say("panel.as_report"), layout=FULL)
        self.progress = widgets.IntProgress(layout={"width": "100%", "display": "none"})
        self.said = widgets.HTML()
        self.button.on_click(lambda _: self.start())
        self.box = widgets.VBox([self.button, self.progress, self.said])
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Make the report in the background; what went wrong is said in words."""
        question = self._ask()
        try:
            check_cuts(self._records, question, self._words)
        except OutcomesError as error:
            say_notice(self.said, str(error), "alert")
            return
        self.button.disabled = True
        self.progress.layout.display = ""
        self.progress.value, self.progress.max = 0, count_cells(REPORT)
        say_notice(self.said, self._words.say("panel.making"))
        self._thread = threading.Thread(target=self._make, args=(question,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until a report that was started is made or has failed."""
        if self._thread is not None:
            self._thread.join()

    def _make(self, question: PanelQuestion) -> None:
        records = self._records
        parameters = list_parameters(question, self._words.language)
        known: dict[str, Any] = {"records_sha256": records.fingerprint, "n_read": records.n_read}
        job = Job(REPORT, parameters, records.place, records.path, **known)
        try:
            page, project = make_page(job, self._show_cell).page.resolve(), find_project().resolve()
        except OutcomesError as error:
            say_notice(self.said, str(error), "alert")
        else:
            place = page.relative_to(project) if page.is_relative_to(project) else page
            say_notice(self.said, self._words.say("panel.made", page=place.as_posix()))
        finally:
            self.button.disabled = False
            self.progress.layout.display = "none"

    def _show_cell(self, index: int) -> None:
        self.progress.value = index
