"""`outcomes approve`: a person lets pages for stakeholders leave, or takes them back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from outcomes.cli.screen import print_json, print_table, say
from outcomes.disclosure.ledger import Edition
from outcomes.errors import ReportError
from outcomes.facts import find_project
from outcomes.reports.editions import (
    approve_editions,
    find_place,
    find_waiting,
    list_waiting,
    read_record,
    refuse_editions,
)
from outcomes.reports.site import write_released_site

_COLUMNS = ["report", "slot", "about", "page", "numbers", "withheld", "held", "made"]


def print_waiting(as_json: bool, private_folder: str | Path = ".outcomes") -> None:
    """Print what waits for approval, with what its release record says of it."""
    rows = [_describe(edition) for edition in list_waiting(find_project() / private_folder)]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, _COLUMNS)
        say("", "Open each page and look at it, then: outcomes approve REPORT --by NAME")
        say("A page that was made by hand goes by its place instead of a REPORT.")
    else:
        say("Nothing waits for approval.")


def settle_waiting(
    what: Sequence[str], by: str, refuse: bool, as_json: bool, private_folder: str | Path = ".outcomes"
) -> None:
    """Approve or refuse what waits, and write the index of released pages anew.

    Parameters
    ----------
    what : sequence of str
        Ids of series, or places of pages.
    by : str
        Who approves.
    refuse : bool
        Whether the pages are taken back instead.
    as_json : bool
    private_folder : str or Path

    Raises
    ------
    OutcomesError
        As `find_waiting` and `approve_editions`.
    """
    if not refuse and not by.strip():
        raise ReportError("Say who approves: outcomes approve ... --by NAME", exit_code=2)
    private, now = find_project() / private_folder, datetime.now(UTC)
    editions = find_waiting(private, what)
    if refuse:
        refuse_editions(editions, private=private)
        say(*(f"taken back: {_spell(find_place(edition))}" for edition in editions))
        return
    placed = approve_editions(editions, by=by, private=private, now=now)
    write_released_site(now)
    pages = [_spell(page) for page in placed.values()]
    if as_json:
        print_json(
            [{**_describe(edition), "released": page} for edition, page in zip(editions, pages, strict=True)]
        )
    else:
        say(*(f"released: {page}" for page in pages))


def _describe(edition: Edition) -> dict[str, object]:
    record = read_record(find_place(edition))
    return {
        "report": edition.series or edition.report,
        "slot": edition.slot,
        "about": ", ".join(edition.slice.values()),
        "page": _spell(find_place(edition)),
        "numbers": record.n_numbers if record else None,
        "withheld": record.n_withheld if record else None,
        "held": record.n_held if record else None,
        "made": edition.made,
    }


def _spell(page: Path) -> str:
    project = find_project()
    return (page.relative_to(project) if page.is_relative_to(project) else page).as_posix()
