"""What happened, in words: the course of each therapy, without comparing."""

from __future__ import annotations

from typing import Any

from outcomes.disclosure import Release
from outcomes.facts import read_words
from outcomes.views.comparing import pick_time
from outcomes.views.labels import WHOLE, Labels
from outcomes.views.released_rows import explain_absence, list_rows, write_ends, write_size
from outcomes.views.text import capitalise, join_words


def describe_groups(change: Release, labels: Labels) -> str:
    """Describe the course of every therapy that may be shown; where none may, of all together."""
    groups = [group for group in labels.order(change.table["group"].dropna()) if group != WHOLE]
    said = {group: _say_course(change, group, labels) for group in groups}
    courses = [text for text in said.values() if text]
    words = read_words()
    if not courses:
        whole = _say_course(change, WHOLE, labels)
        return f"{words.say('sentences.together')} {whole}" if whole else explain_absence(change)
    time = labels.time(str(pick_time(change, "mean_improvement", labels)))
    absent = [labels.name(group) for group, text in said.items() if not text]
    if absent:
        courses.append(words.say("sentences.not_shown", groups=join_words(absent)))
    return f"{words.say('sentences.description', measure=labels.measure, time=time)} {' '.join(courses)}"


def describe_course(change: Release, labels: Labels) -> str:
    """Describe in a full sentence the course of the only therapy, or of all together."""
    groups = [group for group in labels.order(change.table["group"].dropna()) if group != WHOLE]
    for group in [*groups[:1], WHOLE]:
        found = _find_course(change, group, labels)
        if found:
            key = f"sentences.course{_name_missing(found)}"
            return read_words().say(key, measure=labels.measure, **found)
    return explain_absence(change)


def _say_course(change: Release, group: str, labels: Labels) -> str:
    found = _find_course(change, group, labels)
    key = f"sentences.course_{'whole' if group == WHOLE else 'of'}{_name_missing(found)}"
    return (
        read_words().say(key, measure=labels.measure, group=capitalise(labels.name(group)), **found)
        if found
        else ""
    )


def _name_missing(found: dict[str, str]) -> str:
    return "" if "first" in found else "_gain"


def _say_patients(row: Any, change: Release) -> str:
    """Say how many patients stand behind a row, or that their number may not be told."""
    words, n = read_words(), write_size(row, change)
    return words.say("sentences.patients", n=n) if n else words.say("sentences.patients_uncounted")


def _find_course(change: Release, group: str, labels: Labels) -> dict[str, str]:
    """Return the numbers of a course from the start to the primary time point; the improvement at least.

    Empty where the improvement may not be shown; without the scores where one of these may not.
    """
    time = pick_time(change, "mean_improvement", labels)
    held: dict[Any, Any] = {
        (row.statistic, row.timepoint): row for row in list_rows(change.where(group=group, shown=True).table)
    }
    start = next(iter(labels.order_times(change.table["timepoint"].dropna())), None)
    wanted = [("mean_score", start), ("mean_score", time), ("mean_improvement", time)]
    first, last, gain = (held.get(key) for key in wanted)
    if gain is None:
        return {}
    low, high = write_ends(gain, change)
    scores = {"first": first.display, "last": last.display} if first and last else {}
    return scores | {
        "gain": gain.display, "low": low, "high": high, "patients": _say_patients(gain, change),
        "time": labels.time(str(time)), "unit": labels.instrument.unit,
    }  # fmt: skip
