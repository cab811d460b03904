"""The guard of a stakeholder page while it is made: compared with the ledger, audited, and entered there."""

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

if TYPE_CHECKING:
    from outcomes.reports.job import Job, Run

# what a release record repeats of its edition
_OF_EDITION = ("page_sha256", "report", "series", "slot", "due", "slice", "profile", "k")
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
        # in how much less detail the page is, so that more can be shown
        less = [said for one in origins if one.detail for said in one.detail.said]
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
            **{name: getattr(edition, name) for name in _OF_EDITION},
            files=files,
            title=title,
            about=about,
            n_numbers=len(numbers),
            n_withheld=int((numbers["fate"] == "withheld").sum()),
            n_held=int((numbers["fate"] == "held").sum()),
            merged=list(dict.fromkeys(str(read_words().write(said)) for said in less)),
            audit="passed" if audit.passed else "failed",
            made_on=edition.made,
            outcomes=outcomes.__version__,
        )
        return {**exports, RECORD_NAME: encode_release(record)}


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
def guard_edition(job: "Job", run: "Run", page: Path, k: int) -> Iterator[Guard]:
    """Hold the ledger while a page for stakeholders is made, and let its notebook look into it.

    Pages for stakeholders are made one at a time: each is compared with those before it.
    """
    private, project = run.private, find_project()
    place = page.parent.parent / page.name if job.series else page
    # its place in the project, whole where it lies outside
    name = (place.relative_to(project) if place.is_relative_to(project) else place).as_posix()
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
            page=name,
            k=k,
            made=run.started.date().isoformat(),
            due=job.due or run.started.date().isoformat(),
        )
        hand_ledger(private, edition, run.folder)
        yield Guard(ledger, edition)
