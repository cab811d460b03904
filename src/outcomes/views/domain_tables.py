"""All outcome domains at a glance, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Therapy, Timepoint, read_facts, read_words
from outcomes.views.domain_rows import (
    BASELINE,
    Measure,
    list_measures,
    list_unmeasured,
    pick_groups,
    pick_later,
    say_domain,
)
from outcomes.views.labels import read_labels
from outcomes.views.released_rows import explain_absence, write_interval, write_size
from outcomes.views.table import build_table_view
from outcomes.views.text import capitalise
from outcomes.views.view import View, build_empty_view


def tabulate_domains(
    domains: Release,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Tabulate every outcome domain at one time point.

    Parameters
    ----------
    domains : Release
        Of the analysis ``domains``.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the release names.

    Returns
    -------
    View
        One therapy: start, follow-up, improvement and how it reads, one row a measure. A few therapies: the
        improvement under each, one column a therapy; many: one row a measure and therapy. The caption names
        the domains that were not recorded or are not yet analysed.
    """
    labels = read_labels(domains, therapies=therapies, timepoints=timepoints)
    groups, measures, later = (
        pick_groups(domains, labels),
        list_measures(domains, labels),
        pick_later(domains),
    )
    if not groups or not measures:
        return build_empty_view("domains", "table", (domains,), explain_absence(domains))
    words = read_words()
    if 1 < len(groups) <= read_facts("appearance")["labels"]["most_columns"]:
        headings = {group: labels.title(group) for group in groups}
        rows = [_compare_groups(measure, groups, later, domains) for measure in measures]
        blocks: list[str] | None = [capitalise(say_domain(measure.domain)) for measure in measures]
    else:
        headings = {
            "n": words.say("views.table.patients"),
            "start": words.say("views.domains.start"),
            "later": words.say("views.domains.later", time=labels.time(later)),
            "improvement": words.say("views.table.improvement"),
            "reading": words.say("views.domains.reading"),
        }
        places = [(measure, group) for measure in measures for group in groups]
        rows = [_describe_group(measure, group, later, domains) for measure, group in places]
        blocks = [_name(measure) for measure, _ in places] if len(groups) > 1 else None
        if blocks:
            rows = [{**row, "row": labels.title(group)} for row, (_, group) in zip(rows, places, strict=True)]
    key = "caption_one" if len(groups) == 1 else "caption_several"
    caption = words.say(f"views.domains.{key}", time=labels.time(later))
    return build_table_view(
        "domains", (domains,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        groups=blocks, stub=words.say("views.domains.measure"), released=domains.table,
        caption=" ".join([caption, *list_unmeasured(domains, groups)]),
    )  # fmt: skip


def _name(measure: Measure) -> str:
    """Return domain and measure, such as ``Pain: NPRS (average), 0–10``."""
    return f"{capitalise(say_domain(measure.domain))}: {measure.name}"


def _describe_group(measure: Measure, group: str, later: str, domains: Release) -> dict[str, str]:
    """Return the row of a measure under one therapy."""
    start, score, gain = _pick_rows(measure, group, later)
    counted = gain if gain is not None else score
    return {
        "row": _name(measure),
        "n": write_size(counted, domains) if counted is not None else "",
        "start": str(start.display) if start is not None else "",
        "later": str(score.display) if score is not None else "",
        "improvement": write_interval(gain, domains) if gain is not None else "",
        "reading": _read_change(gain),
    }


def _compare_groups(measure: Measure, groups: Sequence[str], later: str, domains: Release) -> dict[str, str]:
    """Return the row of a measure with the improvement under each therapy; its mean where it has none."""
    cells = {"row": measure.name}
    for group in groups:
        _, score, gain = _pick_rows(measure, group, later)
        row = gain if measure.improves else score
        cells[group] = write_interval(row, domains) if row is not None else ""
    return cells


def _pick_rows(measure: Measure, group: str, later: str) -> tuple[Any, Any, Any]:
    """Return the mean at the start, the mean at the follow-up and the mean improvement of a group."""
    cells = measure.cells
    return (
        cells.get((group, "mean_score", BASELINE)),
        cells.get((group, "mean_score", later)),
        cells.get((group, "mean_improvement", later)),
    )


def _read_change(gain: Any) -> str:
    """Say whether an improvement is told from none by its own interval."""
    if gain is None or not gain.shown or pd.isna(gain.conf_low):
        return ""
    key = "better" if gain.conf_low > 0 else "worse" if gain.conf_high < 0 else "unclear"
    return read_words().say(f"views.domains.{key}")
