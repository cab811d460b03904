"""`Pane`: which analyses and views make each part of the panel, said once for showing it and for its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outcomes.panel.question import Question


@dataclass(frozen=True)
class Step:
    """An analysis of the cohort."""

    #: Public function of ``outcomes`` that takes a cohort.
    analysis: str
    #: Its further arguments.
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A view of released analyses."""

    #: Public function of ``outcomes`` that takes releases.
    view: str
    #: Names of the analyses, in the order of its arguments.
    steps: tuple[str, ...]
    #: Its further arguments.
    options: Mapping[str, Any] = field(default_factory=dict)


#: What always stands above and below the view in front.
ANSWER, NUMBERS = "answer", "numbers"
#: The description that can be given before therapies are compared.
DESCRIPTION = "description"
#: Drawn from the cohort itself, never from a release, and so for the team alone.
INDIVIDUALS = "individuals"


def list_steps(question: Question) -> dict[str, Step]:
    """Return the analyses that a question may need, by the name that its code gives to their release."""
    by_threshold = {"thresholds": question.threshold} if question.threshold else {}
    one_threshold = {"threshold": question.threshold} if question.threshold else {}
    return {
        "flow": Step("count_flow"),
        "baseline": Step("describe_baseline"),
        "completeness": Step("count_completeness"),
        "change": Step("summarise_change"),
        "responders": Step("count_responders", by_threshold),
        "distribution": Step("trace_cumulative"),
        "checks": Step("check_comparability"),
        "contrasts": Step("compare_over_time"),
        "shares": Step("standardise_responders", one_threshold),
        "domains": Step("summarise_domains"),
    }


def list_panes(question: Question) -> dict[str, tuple[Part, ...]]:
    """Return the parts of each pane by its id; those that can be brought to the front in their order."""
    marked = {"threshold": question.threshold} if question.threshold else {}
    compared = tuple(
        Part(view, ("contrasts",))
        for view in ("draw_forest", "draw_marginal_means", "tabulate_contrasts", "say_comparison")
    )
    panes = {
        DESCRIPTION: (Part("say_answer", ("change",)),),
        NUMBERS: (Part("tabulate_change", ("change",)),),
        "course": (Part("draw_trajectory", ("change",)),),
        "comparison": (
            Part("tabulate_comparability", ("checks",)),
            *(compared if question.adjusted else ()),
        ),
        "responders": (Part("tabulate_responders", ("responders",)),),
        "amounts": (Part("draw_cumulative", ("distribution",), marked),),
        "followed": (Part("draw_completeness", ("completeness",)),),
        "domains": (
            Part("draw_domains", ("domains",)),
            Part("tabulate_domains", ("domains",)),
        ),
        "included": (
            Part("draw_flow", ("flow",)),
            Part("tabulate_baseline", ("baseline", "completeness")),
        ),
    }
    if question.adjusted:
        panes[ANSWER] = (Part("say_answer", ("change", "contrasts", "shares", "checks")),)
    else:
        panes[ANSWER] = panes[DESCRIPTION]
    if question.audience == "team":
        panes[INDIVIDUALS] = ()
    return panes


def list_in_front(question: Question) -> tuple[str, ...]:
    """Return the ids of the panes that can be brought to the front."""
    return tuple(id for id in list_panes(question) if id not in (ANSWER, DESCRIPTION, NUMBERS))
