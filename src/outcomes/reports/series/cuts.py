"""By what a stakeholder's report may be cut: only by what the project's declaration names."""

from __future__ import annotations

from collections.abc import Collection

from outcomes.cohort import read_filters
from outcomes.facts import find_project
from outcomes.reports.series.declaration import DECLARATION, Series, read_series


def find_refused_cuts(source: str, columns: Collection[str]) -> tuple[str, ...]:
    """Return the columns by which a stakeholder's report of a source may not be cut.

    A free choice of patients would let anyone ask for ever smaller groups, so that a page for stakeholders is
    cut only as some report for stakeholders in ``reports/reports.toml`` is: by what it makes a page for each
    of, and by the filters among its parameters.

    Parameters
    ----------
    source : str
        Name of the source.
    columns : collection of str
        By which a report would be cut; ``therapy`` where some therapies only are looked at.

    Returns
    -------
    tuple of str
        Those of the columns that the nearest report for stakeholders is not cut by; empty where one is cut
        by all of them.

    Raises
    ------
    ReportError
        When the declaration is wrong (exit code 2).
    """
    wanted = set(columns)
    if not wanted:
        return ()
    declared = read_series() if (find_project() / DECLARATION).is_file() else {}
    allowed = [
        _list_cuts(series)
        for series in declared.values()
        if series.audience == "stakeholder" and series.source == source
    ]
    refused = [wanted - cuts for cuts in allowed] or [wanted]
    return tuple(sorted(sorted(refused, key=len)[0]))


def _list_cuts(series: Series) -> set[str]:
    named = {"site", "region", "therapy"} & {name for name, value in series.parameters.items() if value}
    named |= {"therapy"} if series.parameters.get("therapies") else set()
    named |= {series.for_each} if series.for_each else set()
    return named | set(read_filters(series.parameters.get("only", ())))
