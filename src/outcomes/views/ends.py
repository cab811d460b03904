"""How many patients score at an end of the measure, where it cannot show more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outcomes.disclosure import Release
from outcomes.facts import read_facts, read_words
from outcomes.views.labels import WHOLE, Labels, read_labels
from outcomes.views.released_rows import list_rows
from outcomes.views.text import capitalise, join_words, write_html
from outcomes.views.view import View, build_view


def say_ends(ends: Release) -> View:
    """Say at which times many patients had the lowest or the highest score there is.

    Parameters
    ----------
    ends : Release
        Of the analysis ``floor_ceiling``.

    Returns
    -------
    View
        Sentences: the shares that are higher than an accepted limit (see ``psychometrics.toml``); for a
        measurement that stops at some value every share that stopped there, and what that means. Where no
        share may be shown, that no number is given here.
    """
    text = " ".join(_say(ends, read_labels(ends)))
    return build_view("ends", "sentence", (ends,), f'<p id="{{id}}">{write_html(text)}</p>', alt=text)


def _say(ends: Release, labels: Labels) -> Iterator[str]:
    words, instrument = read_words(), labels.instrument
    if instrument.censored_at is not None:
        limit = f"{instrument.censored_at:g}"
        yield words.say("sentences.ends_censored", measure=labels.measure, limit=limit, unit=instrument.unit)
    shown = ends.where(group=WHOLE, shown=True).table
    if shown.empty:
        yield words.say("sentences.ends_withheld")
        return
    most = read_facts("psychometrics")["floor_ceiling"]["most_share"]
    said = []
    for end in ("floor", "ceiling"):
        stops = instrument.censored_at is not None and end == _find_stop(labels)
        rows = [
            row
            for row in list_rows(shown[shown["statistic"] == f"share_at_{end}"])
            if row.estimate > most or (stops and row.estimate > 0)
        ]
        if rows:
            shares = join_words([_say_share(row, labels) for row in rows])
            value = f"{rows[0].x:g}".replace("-", "−")
            value += "" if instrument.unit == "points" else f" {instrument.unit}"
            said.append(words.say(f"sentences.ends_{end}", shares=shares, value=value))
    if said:
        yield capitalise(" ".join([*said, words.say("sentences.ends_meaning")]))
    else:
        yield words.say("sentences.ends_few", most=f"{100 * most:g} %")


def _say_share(row: Any, labels: Labels) -> str:
    return read_words().say("sentences.ends_share", share=row.display, time=labels.time(row.timepoint))


def _find_stop(labels: Labels) -> str:
    """Return at which end a measurement stops."""
    return "ceiling" if labels.instrument.censored_at == labels.instrument.maximum else "floor"
