"""Which analyses and views make each pane, said once for showing it and for its code."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import outcomes
from outcomes.cohort import Cohort, select_cohort
from outcomes.disclosure import Release, choose_detail, open_page, release
from outcomes.panel.question import PanelQuestion
from outcomes.records import Records
from outcomes.views.individual import Drawing, draw_individuals
from outcomes.views.view import View


@dataclass(frozen=True)
class AnalysisStep:
    """An analysis of the cohort."""

    #: Public function of ``outcomes`` that takes a cohort.
    analysis: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewStep:
    """A view of released analyses."""

    #: Public function of ``outcomes`` that takes releases.
    view: str
    #: Names of the analyses, in the order of its arguments.
    steps: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


#: What always stands above and below the view in front.
ANSWER, NUMBERS = "answer", "numbers"
#: The description that can be given before therapies are compared.
DESCRIPTION = "description"
#: Drawn from the cohort itself, never from a release, and so for the team alone.
INDIVIDUALS = "individuals"


def list_steps(question: PanelQuestion) -> dict[str, AnalysisStep]:
    """Return the analyses of a question, by the name that its code gives to their release.

    They are in the order in which `therapy_comparison` releases them: a page for stakeholders protects its
    numbers together. What only the panel shows comes last.
    """
    by_threshold = {"thresholds": question.threshold} if question.threshold else {}
    one_threshold = {"threshold": question.threshold} if question.threshold else {}
    return {
        "flow": AnalysisStep("count_flow"),
        "baseline": AnalysisStep("describe_baseline"),
        "change": AnalysisStep("summarise_change"),
        "completeness": AnalysisStep("count_completeness"),
        "respondents": AnalysisStep("compare_respondents"),
        "responders": AnalysisStep("count_responders", by_threshold),
        "ends": AnalysisStep("count_at_ends"),
        "distribution": AnalysisStep("trace_cumulative"),
        "effect_sizes": AnalysisStep("estimate_effect_sizes"),
        "regression": AnalysisStep("bound_regression_to_mean"),
        "checks": AnalysisStep("check_comparability"),
        "contrasts": AnalysisStep("compare_over_time"),
        "shares": AnalysisStep("standardise_responders", one_threshold),
        "domains": AnalysisStep("summarise_domains"),
    }


def list_released(question: PanelQuestion, names: Collection[str]) -> list[str]:
    """Return the steps that are released for some of them; for stakeholders all that the page has before."""
    steps = list(list_steps(question))
    last = max((steps.index(name) for name in names), default=-1)
    return [name for name in steps[: last + 1] if name in names or question.audience != "team"]


def list_panes(question: PanelQuestion) -> dict[str, tuple[ViewStep, ...]]:
    """Return the parts of each pane by its id; those that can be brought to the front in their order."""
    marked = {"threshold": question.threshold} if question.threshold else {}
    compared = tuple(
        ViewStep(view, ("contrasts",))
        for view in (
            "draw_forest",
            "draw_marginal_means",
            "tabulate_contrasts",
            "say_comparison",
            "say_methods",
        )
    )
    panes = {
        DESCRIPTION: (ViewStep("say_answer", ("change",)),),
        NUMBERS: (ViewStep("tabulate_change", ("change",)),),
        "course": (ViewStep("draw_trajectory", ("change",)),),
        "comparison": (
            ViewStep("tabulate_comparability", ("checks",)),
            *(compared if question.adjusted else ()),
        ),
        "responders": (
            ViewStep("tabulate_responders", ("responders",)),
            *((ViewStep("tabulate_standardised", ("shares",)),) if question.adjusted else ()),
        ),
        "amounts": (ViewStep("draw_cumulative", ("distribution",), marked),),
        "followed": (ViewStep("draw_completeness", ("completeness",)),),
        "domains": (ViewStep("draw_domains", ("domains",)), ViewStep("tabulate_domains", ("domains",))),
        "included": (
            ViewStep("draw_flow", ("flow",)),
            ViewStep("tabulate_baseline", ("baseline", "completeness")),
        ),
    }
    if question.adjusted:
        panes[ANSWER] = (ViewStep("say_answer", ("change", "contrasts", "shares", "checks")),)
    else:
        panes[ANSWER] = panes[DESCRIPTION]
    if question.audience == "team":
        panes[INDIVIDUALS] = ()
    return panes


def list_in_front(question: PanelQuestion) -> tuple[str, ...]:
    """Return the ids of the panes that can be brought to the front."""
    return tuple(id for id in list_panes(question) if id not in (ANSWER, DESCRIPTION, NUMBERS))


class PanelAnswer:
    """The answer to a question; whatever was worked out once is kept."""

    def __init__(self, records: Records, question: PanelQuestion, language: str = "en") -> None:
        self.records = records
        self.question = question
        self._page = open_page(question.audience, language=language)
        self._releases: dict[str, Release] = {}
        self._panes: dict[str, tuple[View | Drawing, ...]] = {}

    @cached_property
    def cohort(self) -> Cohort:
        """The patients that the question is about."""
        cohort = select_cohort(self.records, **self.question.describe_cohort())
        return choose_detail(cohort, self.question.audience)

    def release(self, name: str) -> Release:
        """Return an analysis of the cohort as the question's audience may see it."""
        steps = list_steps(self.question)
        for needed in list_released(self.question, [name]):
            if needed not in self._releases:
                step = steps[needed]
                analyse = getattr(outcomes, step.analysis)
                self._releases[needed] = release(analyse(self.cohort, **step.options), self._page)
        return self._releases[name]

    def show(self, pane: str) -> tuple[View | Drawing, ...]:
        """Return the views of a pane."""
        if pane not in self._panes:
            views: list[View | Drawing] = (
                [draw_individuals(self.cohort, self._page.language)] if pane == INDIVIDUALS else []
            )
            for part in list_panes(self.question)[pane]:
                releases = [self.release(name) for name in part.steps]
                views.append(getattr(outcomes, part.view)(*releases, **part.options))
            self._panes[pane] = tuple(views)
        return self._panes[pane]

    def is_ready(self, pane: str) -> bool:
        """Return whether a pane was worked out already."""
        return pane in self._panes


def write_code(records: Records, question: PanelQuestion, pane: str) -> str:
    """Write Python that shows the views of a pane; it runs as it stands in a notebook of the project."""
    parts = list_panes(question)[pane]
    steps = list_steps(question)
    needed = list_released(question, {name for part in parts for name in part.steps})
    names = {"read_records", "select_cohort", *(part.view for part in parts)}
    names |= {"choose_detail"} if question.audience != "team" else set()
    names |= {"open_page", "release", *(steps[name].analysis for name in needed)} if needed else set()
    place = [repr(part) for part in (records.place, records.path.as_posix() if records.path else "") if part]
    lines = ["from IPython.display import display"] if len(parts) > 1 else []
    lines.append(f"from outcomes import {', '.join(sorted(names))}")
    if pane == INDIVIDUALS:
        lines.append("from outcomes.views.individual import draw_individuals")
    lines += ["", f"records = {_write_call('read_records', place)}"]
    lines.append(f"cohort = {_write_call('select_cohort', ['records'], question.describe_cohort())}")
    if question.audience != "team":
        lines.append(f"cohort = choose_detail(cohort, {question.audience!r})")
    if needed:
        lines.append(f"page = open_page({question.audience!r})")
    for name in needed:
        made = _write_call(steps[name].analysis, ["cohort"], steps[name].options)
        lines.append(f"{name} = release({made}, page)")
    views = ["draw_individuals(cohort)"] if pane == INDIVIDUALS else []
    views += [_write_call(part.view, part.steps, part.options) for part in parts]
    return "\n".join([*lines, views[0] if len(views) == 1 else _write_call("display", views)])


def _write_call(name: str, arguments: Sequence[str], options: Mapping[str, Any] | None = None) -> str:
    named = [f"{key}={value!r}" for key, value in (options or {}).items()]
    return f"{name}({', '.join([*arguments, *named])})"
