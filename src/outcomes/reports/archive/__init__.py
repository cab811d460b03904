"""The archive: what each release of a series said and what it was made from, kept privately.

Whoever needs the last release of a page looks here:

- within a notebook, `read_previous()` gives the last published release of the same page, or None;
- elsewhere, `find_last_release(archive, series, slice)` does.

Both return a `PastRelease`: its `Manifest`, its released numbers as one frame (`results()`), and its folder,
in which further private files of a release may be kept.

A page that says what changed keeps its records and headline numbers with `keep_release`; `recall_release`
gives those of its last release back.
"""

from outcomes.reports.archive.last_edition import set_beside_last
from outcomes.reports.archive.manifest import STATES, Manifest, read_manifest, write_manifest
from outcomes.reports.archive.results import collect_results, keep_results, read_results
from outcomes.reports.archive.snapshots import (
    ask_to_keep,
    forget_snapshots,
    keep_release,
    keep_snapshot,
    recall_release,
)
from outcomes.reports.archive.store import (
    PastRelease,
    find_last_release,
    find_release,
    hand_over,
    list_manifests,
    open_entry,
    read_previous,
)

__all__ = [
    "STATES",
    "Manifest",
    "PastRelease",
    "ask_to_keep",
    "collect_results",
    "find_last_release",
    "find_release",
    "forget_snapshots",
    "hand_over",
    "keep_release",
    "keep_results",
    "keep_snapshot",
    "list_manifests",
    "open_entry",
    "read_manifest",
    "read_previous",
    "read_results",
    "recall_release",
    "set_beside_last",
    "write_manifest",
]
