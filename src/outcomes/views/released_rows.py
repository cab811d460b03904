"""Rows of a release as views read them: with their intervals in words, and why there are none."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from outcomes.disclosure import Fate, Release, read_rules, write_value
from outcomes.facts import Words
from outcomes.facts.wording import Text
from outcomes.result import ALL, WITHOUT_ESTIMATE
from outcomes.views.labels import Labels

#: How the keys of the warnings begin that say why a whole release has no number, the first that holds.
_REASONS = ("detail.nothing_compared", "methods.comparability.one_", "methods.comparison.no_direction")
#: Those that say why it has no improvement, though it has scores.
_WITHOUT_IMPROVEMENT = ("methods.change.no_direction", "methods.change.no_baseline")


def list_rows(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table as named tuples."""
    return list(table.itertuples(index=False))


def show(row: Any, release: Release) -> str:
    """Write a row as it was released."""
    return str(row.display)


def write_size(row: Any, release: Release, column: str = "n") -> str:
    """Write the number of patients behind a row."""
    return write_value(row, column, release.audience, read_rules(release.k))


def write_interval(row: Any, release: Release) -> str:
    """Write an estimate with its interval: ``−9.3 (−12.0 to −6.6)``; without one, the estimate alone."""
    low, high = write_ends(row, release)
    if not low or not high:
        return str(row.display)
    return release.words.say("views.interval", estimate=row.display, low=low, high=high)


def write_ends(row: Any, release: Release) -> tuple[str, str]:
    """Write the two ends of a row's interval, the unit of a percentage only at the second."""
    rules = read_rules(release.k)
    low, high = (write_value(row, end, release.audience, rules) for end in ("conf_low", "conf_high"))
    return low.removesuffix(" %"), high


def own_groups(release: Release, labels: Labels) -> list[str]:
    """Return the groups of a release; everybody only where there are several others, shown or not."""
    groups = labels.order(release.table["group"].dropna())
    alone = len(groups) == 2 and groups[-1] == ALL and len(release.origin.therapies or ()) < 2
    return groups[:-1] if alone else groups


def sort_groups(table: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return rows in the order that their groups have on a page."""
    order = labels.order(table["group"])
    return table.iloc[table["group"].map(order.index).argsort(kind="stable")]


def write_texts(texts: Iterable[object], words: Words) -> list[str]:
    """Return sentences of a release in a page's language, those that are empty left out."""
    return [str(words.write(text)) for text in texts if text]


def has_warning(release: Release, key: str) -> bool:
    """Return whether a sentence of the catalogue, without places, is among the warnings of a release."""
    return any(isinstance(text, Text) and text.key == key for text in release.warnings)


def is_withheld(row: Any) -> bool:
    """Return whether a row is withheld, and no other reason stands in place of its number."""
    return str(row.fate) == Fate.WITHHELD


def is_bound(row: Any) -> bool:
    """Return whether a row gives no number but a bound in words, of today or of an earlier edition."""
    held = row.fate == Fate.HELD and not row.shown and row.state not in WITHOUT_ESTIMATE
    return bool(row.fate == Fate.FEW or held)


def say_cautions(release: Release) -> str:
    """Return those of the source's caveats that the numbers of a release are to be read with."""
    return " ".join(write_texts(release.origin.cautions or (), release.words))


def say_course(rows: pd.DataFrame, group: str, labels: Labels) -> str:
    """Say what the rows of a group show at each of its time points."""
    words, own = labels.words, rows[rows["group"] == group].set_index("timepoint")["display"]
    points = [
        words.say("views.trajectory_point", value=own[id], time=labels.time(id))
        for id in labels.order_times(own.index)
    ]
    return words.say("views.trajectory_course", group=labels.title(group), course=", ".join(points))


def list_days(table: pd.DataFrame) -> str:
    """Return the days of the earlier editions of which numbers stand in a release's rows; empty for none."""
    return ", ".join(sorted(set(table["as_of"].dropna()))) if "as_of" in table else ""


def explain_mark(table: pd.DataFrame, words: Words, text: str | None = None) -> str:
    """Say what the mark behind some numbers means; empty where none, or none in the text, has it."""
    days, mark = list_days(table), words.say("release.as_of_mark")
    if not days or (text is not None and mark not in text):
        return ""
    return words.say("release.held.marked", mark=mark, days=days)


def explain_absence(release: Release) -> str:
    """Say in words why a view of a release holds nothing; where numbers are withheld, no more than that."""
    words, rows = release.words, list_rows(release.table)
    scored = any(row.shown and row.statistic == "mean_score" for row in rows)
    for key in (*_REASONS, *(_WITHOUT_IMPROVEMENT if scored or not rows else ())):
        for text in release.warnings:
            if isinstance(text, Text) and text.key.startswith(key):
                return str(words.write(text))
    if release.comparable is False and release.name != "comparability":
        return words.say("release.not_compared")
    states = sorted({explain_state(row.state, words) for row in rows if row.state in WITHOUT_ESTIMATE})
    if any(row.fate == Fate.WITHHELD for row in rows) or (release.n_withheld and not states):
        return words.say("views.empty_withheld")
    if states and not any(row.shown for row in rows):
        return words.say("views.empty_state", why=words.join(states))
    return words.say("views.empty_nothing")


def explain_state(state: str, words: Words) -> str:
    """Return in plain words why a number was not estimated."""
    return words.say(f"sentences.not_estimated.{state}")


def list_merged(release: Release) -> list[str]:
    """Return the groups of therapies that count as one each; ``all`` where all of them do."""
    return list(release.origin.detail.merge) if release.origin.detail else []


def say_detail(release: Release) -> str:
    """Return in words what was made coarser for this audience, and why; empty where nothing was."""
    detail = release.origin.detail
    return " ".join(write_texts(detail.said, release.words)) if detail else ""
