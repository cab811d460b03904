"""`outcomes check --reports`: whether what ``reports/reports.toml`` declares can be made."""

from __future__ import annotations

from outcomes.cli.screen import print_json, print_table, say
from outcomes.errors import ReportError
from outcomes.facts import find_project
from outcomes.records import Records, read_records
from outcomes.reports.series import DECLARATION, Series, check_series, read_series


def check_declared(as_json: bool) -> None:
    """Check the declaration, and print what will be made.

    Raises
    ------
    ReportError
        Listing everything that is wrong (exit code 2).
    """
    rows, findings = check_series(read_series(), read_declared)
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
