"""The few lines of `outcomes` that make the same thing as a part of the panel."""

from __future__ import annotations

from outcomes.panel.panes import INDIVIDUALS, Part, list_panes, list_steps
from outcomes.panel.question import Question
from outcomes.records import Records


def write_code(records: Records, question: Question, pane: str) -> str:
    """Write Python that shows the views of a pane; it runs as it stands in a notebook of the project.

    Parameters
    ----------
    records : Records
    question : Question
    pane : str
        Id; see `outcomes.panel.panes.list_panes`.
    """
    parts = list_panes(question)[pane]
    steps = list_steps(question)
    needed = list(dict.fromkeys(name for part in parts for name in part.steps))
    names = {"read_records", "select_cohort", *(part.view for part in parts)}
    names |= {"choose_detail"} if question.audience != "team" else set()
    names |= {"open_page", "release", *(steps[name].analysis for name in needed)} if needed else set()
    lines = [*_write_imports(sorted(names), pane, len(parts)), ""]
    lines += [f"records = read_records({_write_place(records)})"]
    lines += [
        f"cohort = select_cohort({', '.join(['records', *_write_options(question.describe_cohort())])})"
    ]
    if question.audience != "team":
        lines.append(f"cohort = choose_detail(cohort, {question.audience!r})")
    if needed:
        lines.append(f"page = open_page({question.audience!r})")
    for name in needed:
        step = steps[name]
        made = f"{step.analysis}({', '.join(['cohort', *_write_options(step.options)])})"
        lines.append(f"{name} = release({made}, page)")
    return "\n".join([*lines, _write_views(parts, pane)])


def _write_imports(names: list[str], pane: str, n_views: int) -> list[str]:
    lines = ["from IPython.display import display"] if n_views > 1 else []
    lines.append(f"from outcomes import {', '.join(names)}")
    if pane == INDIVIDUALS:
        lines.append("from outcomes.views.individual import draw_individuals")
    return lines


def _write_views(parts: tuple[Part, ...], pane: str) -> str:
    if pane == INDIVIDUALS:
        return "draw_individuals(cohort)"
    views = [f"{part.view}({', '.join([*part.steps, *_write_options(part.options)])})" for part in parts]
    return views[0] if len(views) == 1 else f"display({', '.join(views)})"


def _write_options(options: object) -> list[str]:
    return [f"{name}={value!r}" for name, value in dict(options).items()]  # type: ignore[call-overload]


def _write_place(records: Records) -> str:
    path = records.path.as_posix() if records.path else ""
    return ", ".join(repr(part) for part in (records.place, path) if part)
