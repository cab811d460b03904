"""The difference found at the start of a randomised source, compared with what chance usually brings."""

from typing import Any

from outcomes.disclosure import Fate, Release, write_number
from outcomes.views.labels import Labels
from outcomes.views.released_rows import list_rows


def find_chance(comparability: Release) -> tuple[Any, str, str] | None:
    """Return the difference at the start, ``usual`` or ``more``, and for the team what chance brings.

    None where one of the first two is not shown as it is today.
    """
    checks = {row.term: row for row in list_rows(comparability.where(statistic="check").table)}
    rows = [checks.get(term) for term in ("smd", "chance")]
    if any(row is None or row.fate != Fate.SHOWN for row in rows):
        return None
    limits = list_rows(comparability.where(statistic="smd_by_chance", shown=True).table)
    usual = write_number(limits[0].estimate, 2) if limits else ""
    return rows[0], "usual" if rows[1].estimate else "more", usual  # type: ignore[union-attr]


def say_allocation(comparability: Release, labels: Labels) -> str:
    """Say that therapy was allocated at random, and what was found at the start all the same."""
    found = find_chance(comparability)
    if found is None:
        return labels.words.say("sentences.comparable_randomised")
    row, key, usual = found
    covariate = labels.covariate(str(row.level))[0]
    said = {"found": row.display, "covariate": covariate, "usual": usual}
    return labels.words.say(f"sentences.comparable_randomised_{key}", **said)
