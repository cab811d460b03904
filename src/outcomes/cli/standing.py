"""`outcomes status`: how each series stands, and whether somebody should look after it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import indent
from typing import Any

from outcomes.cli.screen import note, print_json, print_table, say
from outcomes.errors import ReportError
from outcomes.facts import find_project
from outcomes.reports.editions import read_states
from outcomes.reports.series import Standing, find_standing, read_series
from outcomes.reports.series.standing import read_beat

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_STATES = {
    "released": "released", "nothing_new": "nothing new", "failed": "FAILED", "never": "never run",
    "clock": "CLOCK IS WRONG",
}  # fmt: skip


def print_standing(
    declaration: Path | None, max_age: str | None, as_json: bool, private_folder: str | Path = ".outcomes"
) -> int:
    """Print how the series stand.

    Parameters
    ----------
    declaration : Path or None
        As `read_series` takes it.
    max_age : str or None
        Such as ``26h``, ``90m`` or ``8d``: how long ago the last run without a failure may be.
    as_json : bool
    private_folder : str or Path

    Returns
    -------
    int
        0 where all is well; 1 where a series failed, or the last run without a failure is too long ago.
    """
    now, private = datetime.now(UTC), find_project() / private_folder
    longest = read_age(max_age) if max_age else None
    standing = find_standing(read_series(declaration), private / "archive", now)
    beat = read_beat(private)
    succeeded = datetime.fromisoformat(beat["succeeded"]) if beat.get("succeeded") else None
    too_old = longest is not None and (succeeded is None or now - succeeded > longest)
    failed = [one.series for one in standing if not one.is_well]
    waiting = sum(state == "made" for state in read_states(private).values())
    if as_json:
        print_json(
            {
                "well": not failed and not too_old,
                "last_run": beat.get("ended") or None,
                "last_run_without_failure": beat.get("succeeded") or None,
                "too_old": too_old,
                "waiting_for_approval": waiting,
                "series": [vars(one) | {"well": one.is_well} for one in standing],
            }
        )
    else:
        rows = [_describe(one) for one in standing]
        print_table(rows, ["series", "state", "reason", "last release", "pages", "made", "next due"])
        for one in standing:
            if one.question:
                say("", f"{one.series} waits for an answer in its source:", indent(one.question, "  "))
        if waiting:
            say("", f"Pages for stakeholders that wait for approval: {waiting} (outcomes approve)")
        say("", f"Last run without a failure: {_say_moment(succeeded.isoformat()) if succeeded else 'never'}")
    if failed:
        note(f"Needs looking after: {', '.join(failed)}")
    if too_old:
        note(f"The last run without a failure is more than {max_age} ago; does the scheduler still call?")
    return int(bool(failed) or too_old)


def read_age(text: str) -> timedelta:
    """Read ``26h``, ``90m`` or ``8d``.

    Examples
    --------
    >>> read_age("26h")
    datetime.timedelta(days=1, seconds=7200)
    """
    match = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if not match:
        raise ReportError("--max-age takes minutes, hours or days, such as 90m, 26h or 8d.", exit_code=2)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _describe(one: Standing) -> dict[str, Any]:
    return {
        "series": one.series,
        "state": _STATES[one.state],
        "reason": one.reason,
        "last release": one.last,
        "pages": one.n_pages or None,
        "made": _say_moment(one.released),
        "next due": _say_moment(one.due) if one.due[:1].isdigit() else one.due,
    }


def _say_moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else ""
