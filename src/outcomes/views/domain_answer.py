"""The answer of a therapy's profile in words: which domains got better, and which nobody recorded."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import read_words
from outcomes.views.domain_rows import (
    Measure,
    list_measures,
    list_unmeasured,
    pick_groups,
    pick_later,
    say_domain,
)
from outcomes.views.labels import WHOLE, read_labels
from outcomes.views.released_rows import explain_absence, explain_mark, list_merged, say_detail, write_ends
from outcomes.views.text import join_words, write_html, write_plain
from outcomes.views.view import View, build_view


def say_profile(domains: Release) -> View:
    """Say in which domains patients got better, where nothing is clear, and what is not recorded.

    Parameters
    ----------
    domains : Release
        Of the analysis ``domains``; of several therapies it is only said that they are set out.
    """
    words, labels = read_words(), read_labels(domains)
    groups, measures, later = (
        pick_groups(domains, labels),
        list_measures(domains, labels),
        pick_later(domains),
    )
    if not groups or not measures:
        texts = [explain_absence(domains)]
    elif len(groups) > 1:
        texts = [words.say("views.domains.lead_several", time=labels.time(later), n=len(measures))]
    else:
        group = groups[0]
        everybody = group == WHOLE or EVERY in list_merged(domains)
        therapy = words.say("views.domains.everybody") if everybody else labels.name(group)
        texts = _say_measures(measures, group, later, domains, therapy)
    texts += [text for text in (say_detail(domains), *list_unmeasured(domains, groups)) if text]
    pain = any(measure.domain == "pain" for measure in measures)
    texts.append(words.say(f"sentences.caution_{'pain' if pain else 'other'}"))
    text = " ".join(filter(None, [*texts, explain_mark(domains.table, " ".join(texts))]))
    return build_view(
        "profile",
        "sentence",
        (domains,),
        f'<p id="{{id}}">{write_html(text)}</p>',
        alt=write_plain(text),
    )


def _say_measures(
    measures: list[Measure], group: str, later: str, domains: Release, therapy: str
) -> list[str]:
    words = read_words()
    found: dict[str, list[str]] = {"better": [], "unclear": [], "worse": [], "withheld": []}
    for measure in measures:
        row = measure.cells.get((group, "mean_improvement", later))
        if row is not None:
            key = _read_row(row)
            say = _say_better if key in ("better", "worse") else _name_measure
            found[key].append(say(measure, row, domains))
    time = measures[0].labels.time(later)
    if found["better"]:
        texts = [
            words.say("views.domains.lead", time=time, therapy=therapy, domains=join_words(found["better"]))
        ]
    else:
        texts = [words.say("views.domains.lead_none", time=time, therapy=therapy)]
    texts += [
        words.say(f"views.domains.{key}_in", domains=join_words(found[key]))
        for key in ("unclear", "worse", "withheld")
        if found[key]
    ]
    return texts


def _read_row(row: Any) -> str:
    if not row.shown or pd.isna(row.conf_low):
        return "withheld"
    return "better" if row.conf_low > 0 else "worse" if row.conf_high < 0 else "unclear"


def _say_better(measure: Measure, row: Any, domains: Release) -> str:
    low, high = write_ends(row, domains)
    return read_words().say(
        "views.domains.in_domain", domain=say_domain(measure.domain), measure=measure.labels.measure,
        number=row.display, unit=measure.labels.instrument.unit, low=low, high=high,
    )  # fmt: skip


def _name_measure(measure: Measure, row: Any, domains: Release) -> str:
    return f"{say_domain(measure.domain)} ({measure.labels.measure})"
