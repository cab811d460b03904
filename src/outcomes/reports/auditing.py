"""The audit of a page before it is published: what its run released, read back with who stands behind it."""

from __future__ import annotations

from pathlib import Path

from outcomes.disclosure import Audit, audit_page
from outcomes.errors import DisclosureError
from outcomes.reports.released import read_releases


def audit_run(folder: Path, audience: str) -> Audit | None:
    """Audit all that the views of a run released; whatever goes wrong, nothing may be published.

    Parameters
    ----------
    folder : Path
        Of the run, with ``releases/`` and ``backing/``.
    audience : str
        A page for the team is not audited: None.

    Raises
    ------
    DisclosureError
        When the page gives something small away, or the audit could not be finished (exit code 7).
    """
    if audience != "stakeholder":
        return None
    try:
        releases = read_releases(folder)
        for release in releases:
            if release.backing is None:
                raise DisclosureError(
                    f"Who stands behind the numbers of the table {release.name!r} is not known, so the page "
                    "cannot be checked; nothing was published. Show only what `release` returns."
                )
        audit = audit_page(releases)
    except DisclosureError:
        raise
    except Exception as error:
        raise DisclosureError(
            "The numbers of the page could not be checked against each other "
            f"({type(error).__name__}), so nothing was published. Please report this."
        ) from error
    if not audit.passed:
        tables = " and ".join(f"'{name}'" for name in audit.tables)
        raise DisclosureError(
            f"Nothing was published: taken together, the tables {tables} would tell of a group of patients "
            "too small to be shown. Merge therapies or time points in them, show fewer of them on one page, "
            "or leave one of them out."
        )
    return audit
