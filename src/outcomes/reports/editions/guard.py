"""The guard of a stakeholder page while it is made: compared with the ledger, audited, and entered there."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import outcomes
from outcomes.disclosure import RELEASE_COLUMNS, Audit, Release
from outcomes.disclosure.ledger import Edition, Ledger, open_ledger
from outcomes.disclosure.page_context import hand_ledger
from outcomes.facts import find_project, read_words
from outcomes.machine.lock import hold_lock
from outcomes.reports.editions.released_pages import (
    EDITIONS_LOCK,
    RECORD_NAME,
    ReleaseRecord,
    encode_release,
    find_newest_known,
    hash_list,
    recover_editions,
)
from outcomes.result import Origin

if TYPE_CHECKING:
    from outcomes.reports.job import Job, Run

# how long a page waits until those before it have been compared with the ledger
_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Guard:
    """Holds the ledger while a page for stakeholders is made."""

    ledger: Ledger
    #: What is known of the page before it is made.
    edition: Edition

    def enter(
        self,
        title: str,
        html: bytes,
        exports: Mapping[str, bytes],
        releases: Sequence[Release],
        audit: Audit,
        about: Mapping[str, Any],
    ) -> dict[str, bytes]:
        """Enter the page in the ledger, and return the files beside it with the release record among them."""
        origins = [release.origin for release in releases]
        files = {name: hashlib.sha256(content).hexdigest() for name, content in exports.items()}
        edition = dataclasses.replace(
            self.edition,
            page_sha256=hashlib.sha256(html).hexdigest(),
            files_sha256=hash_list(files),
            profile=next(filter(None, (one.disclosure_profile for one in origins)), "standard"),
        )
        self.ledger.enter(edition, releases)
        numbers = _list_numbers(releases)
        record = ReleaseRecord(
            page=Path(edition.page).name,
            page_sha256=edition.page_sha256,
            files=files,
            title=title,
            report=edition.report,
            series=edition.series,
            slot=edition.slot,
            due=edition.due,
            slice=edition.slice,
            about=about,
            profile=edition.profile,
            k=edition.k,
            n_numbers=len(numbers),
            n_withheld=int((numbers["fate"] == "withheld").sum()),
            n_held=int((numbers["fate"] == "held").sum()),
            merged=list(dict.fromkeys(said for one in origins for said in _list_merged(one))),
            audit="passed" if audit.passed else "failed",
            made_on=edition.made,
            outcomes=outcomes.__version__,
        )
        return {**exports, RECORD_NAME: encode_release(record)}


def _name_page(page: Path) -> str:
    """Return the ledger's name of a page: its place in the project, whole where it lies outside."""
    project = find_project()
    return (page.relative_to(project) if page.is_relative_to(project) else page).as_posix()


def _list_merged(origin: Origin) -> Sequence[str]:
    """Return the sentences that say in how much less detail a page is, so that more can be shown."""
    return [str(read_words().write(said)) for said in origin.detail.said] if origin.detail else []


def _list_numbers(releases: Sequence[Release]) -> pd.DataFrame:
    """Return every row of the page once with its fate; several views may show the same rows."""
    frames = [
        release.table.assign(analysis=release.name, fate=list(release.backing.fates))
        for release in releases
        if release.backing is not None
    ]
    columns = ["analysis", *RELEASE_COLUMNS, "fate"]
    return pd.concat(frames)[columns].drop_duplicates() if frames else pd.DataFrame(columns=columns)


@contextmanager
def guard_edition(job: Job, run: Run, page: Path, k: int) -> Iterator[Guard]:
    """Hold the ledger while a page for stakeholders is made, and let its notebook look into it.

    Pages for stakeholders are made one at a time: each is compared with those before it.
    """
    private = run.private
    with (
        hold_lock(private, EDITIONS_LOCK, _WAIT_SECONDS),
        open_ledger(private, newest_known=find_newest_known()) as ledger,
    ):
        recover_editions(ledger)
        edition = Edition(
            id=run.id,
            report=job.report,
            series=job.series,
            slot=job.slot,
            slice=dict(job.slice),
            page=_name_page(page.parent.parent / page.name if job.series else page),
            k=k,
            made=run.started.date().isoformat(),
            due=job.due or run.started.date().isoformat(),
        )
        hand_ledger(private, edition, run.folder)
        yield Guard(ledger, edition)
