"""The audit of a page before it is published: what its run released, read back with who stands behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from outcomes.disclosure import RELEASE_COLUMNS, Audit, Release, audit_page
from outcomes.disclosure.backing import read_backing
from outcomes.errors import DisclosureError

_TEXTS = {"outcome", "statistic", "term", "level", "group", "versus", "timepoint", "unit", "state", "display"}


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
        audit = audit_page(read_releases(folder))
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


def read_releases(folder: Path) -> list[Release]:
    """Read back what the views of a run released, with its backing.

    Raises
    ------
    DisclosureError
        When a release is there without its backing.
    """
    releases = []
    for path in sorted((folder / "releases").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        try:
            backing = read_backing(folder / "backing", path.stem)
        except OSError:
            raise DisclosureError(
                f"Who stands behind the numbers of the table {content['analysis']!r} is not known, so the "
                "page cannot be checked; nothing was published. Show only what `release` returns."
            ) from None
        table = pd.DataFrame(content["table"]["data"], columns=list(RELEASE_COLUMNS))
        for column in RELEASE_COLUMNS:
            if column == "shown":
                table[column] = table[column].astype("bool")
            elif column not in _TEXTS:
                table[column] = pd.to_numeric(table[column]).astype("float64")
        releases.append(
            Release(
                content["analysis"], table, "", (), "", {}, None, content["audience"], content["k"], 0,
                backing=backing,
            )
        )  # fmt: skip
    return releases
