"""Declared reports: whether they can be made, how they stand, and letting their pages leave.

These are `outcomes check --reports`, `outcomes status` and `outcomes approve`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import indent

from outcomes.cli.screen import note, print_json, print_table, say, shorten_place
from outcomes.disclosure.ledger import Edition
from outcomes.errors import ReportError
from outcomes.facts import find_project
from outcomes.records import Records, read_records
from outcomes.reports.editions.approval import (
    approve_editions,
    find_waiting,
    list_waiting,
    read_states,
    refuse_editions,
)
from outcomes.reports.editions.released_pages import find_place, read_record
from outcomes.reports.series.declaration import DECLARATION, Series, read_series
from outcomes.reports.series.slices import check_series
from outcomes.reports.series.slots import SeriesStatus, list_statuses, read_last_run
from outcomes.reports.site import write_released_site

_PRIVATE = ".outcomes"
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_WAITING = ["report", "slot", "about", "page", "numbers", "withheld", "held", "made"]


def check_declared(as_json: bool) -> None:
    """Check the declaration, and print what will be made, or everything that is wrong (exit code 2)."""
    declared = read_series()
    if any(series.audience != "team" for series in declared.values()):
        read_states(find_project() / _PRIVATE)  # refuses a damaged ledger
    rows, findings = check_series(declared, read_declared)
    if as_json:
        print_json({"series": rows, "findings": [str(finding) for finding in findings]})
    else:
        print_table(rows, ["series", "notebook", "audience", "pages", "period", "cadence"])
    if findings:
        raise ReportError(f"{DECLARATION.name} cannot be made as it stands:", findings, exit_code=2)
    if not as_json:
        say("", "All of it can be made.")
        if any(row["audience"] != "team" for row in rows):
            say("Pages for stakeholders wait for `outcomes approve` when they are made.")


def read_declared(series: Series) -> Records:
    """Read the records of a series; places are meant from the project's folder."""
    source = find_project() / series.source
    place = find_project() / series.path if series.path else None
    return read_records(source if source.is_file() else series.source, place)


def print_status(declaration: Path | None, max_age: str | None, as_json: bool) -> int:
    """Print how the series stand; return 1 where one failed or no run went well within ``max_age``."""
    now, private = datetime.now(UTC), find_project() / _PRIVATE
    longest = read_age(max_age) if max_age else None
    waiting = sum(state == "made" for state in read_states(private).values())
    declared = read_series(declaration)
    statuses = list_statuses(declared, private / "archive", now)
    last_run = read_last_run(private)
    succeeded = datetime.fromisoformat(last_run["succeeded"]) if last_run.get("succeeded") else None
    too_old = longest is not None and (succeeded is None or now - succeeded > longest)
    failed = [one.series for one in statuses if not one.is_well]
    if as_json:
        print_json(
            {
                "well": not failed and not too_old,
                "last_run": last_run.get("ended") or None,
                "last_run_without_failure": last_run.get("succeeded") or None,
                "too_old": too_old,
                "waiting_for_approval": waiting,
                "series": [vars(one) | {"well": one.is_well} for one in statuses],
            }
        )
    else:
        _print_statuses(statuses, declared)
        if waiting:
            say("", f"Pages for stakeholders that wait for approval: {waiting} (outcomes approve)")
        say("", f"Last run without a failure: {_say_moment(succeeded.isoformat()) if succeeded else 'never'}")
    if failed:
        note(f"Needs looking after: {', '.join(failed)}")
    if too_old:
        note(f"The last run without a failure is more than {max_age} ago; does the scheduler still call?")
    return int(bool(failed) or too_old)


def _print_statuses(statuses: Sequence[SeriesStatus], declared: Mapping[str, Series]) -> None:
    rows = []
    for one in statuses:
        words = declared[one.series].words
        rows.append(
            {
                "series": one.series,
                "state": words.say(f"series.status.{one.state}"),
                "reason": one.reason,
                "last release": one.last,
                "pages": one.n_pages or None,
                "made": _say_moment(one.released),
                "next due": _say_moment(one.due) if one.due[:1].isdigit() else one.due,
            }
        )
    print_table(rows, ["series", "state", "reason", "last release", "pages", "made", "next due"])
    for one in statuses:
        if one.question:
            words = declared[one.series].words
            say("", words.say("series.status.question", series=one.series), indent(one.question, "  "))


def read_age(text: str) -> timedelta:
    """Read ``26h``, ``90m`` or ``8d``.

    >>> read_age("26h")
    datetime.timedelta(days=1, seconds=7200)
    """
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if not match:
        raise ReportError("--max-age takes minutes, hours or days, such as 90m, 26h or 8d.", exit_code=2)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _say_moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else ""


def print_waiting(as_json: bool) -> None:
    """Print what waits for approval, with what its release record says of it."""
    rows = [_describe(edition) for edition in list_waiting(find_project() / _PRIVATE)]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, _WAITING)
        say("", "Open each page and look at it, then: outcomes approve REPORT --by NAME")
        say("A page that was made by hand goes by its place instead of a REPORT.")
    else:
        say("Nothing waits for approval.")


def settle_waiting(what: Sequence[str], by: str, refuse: bool, as_json: bool) -> None:
    """Approve or refuse what waits, named by ids of series or places of pages; write the index anew."""
    if not refuse and not by.strip():
        raise ReportError("Say who approves: outcomes approve ... --by NAME", exit_code=2)
    private, now = find_project() / _PRIVATE, datetime.now(UTC)
    editions = find_waiting(private, what)
    if refuse:
        refuse_editions(editions, private=private)
        say(*(f"taken back: {shorten_place(find_place(one), find_project())}" for one in editions))
        return
    placed = approve_editions(editions, by=by, private=private, now=now)
    write_released_site(now)
    pages = [shorten_place(page, find_project()) for page in placed.values()]
    if as_json:
        described = map(_describe, editions)
        print_json([{**one, "released": page} for one, page in zip(described, pages, strict=True)])
    else:
        say(*(f"released: {page}" for page in pages))


def _describe(edition: Edition) -> dict[str, object]:
    record = read_record(find_place(edition))
    return {
        "report": edition.series or edition.report,
        "slot": edition.slot,
        "about": ", ".join(edition.slice.values()),
        "page": shorten_place(find_place(edition), find_project()),
        "numbers": record.n_numbers if record else None,
        "withheld": record.n_withheld if record else None,
        "held": record.n_held if record else None,
        "made": edition.made,
    }
