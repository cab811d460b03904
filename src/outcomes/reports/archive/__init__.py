"""The archive: what each release of a series said and what it was made from, kept privately.

Whoever needs the last release of a page looks here:

- within a notebook, `read_previous()` gives the last published release of the same page, or None;
- elsewhere, `find_last_release(archive, series, slice)` does.

Both return a `PastRelease`: its `Manifest`, its released numbers as one frame (`results()`), and its folder,
in which further private files of a release may be kept.

A page that says what changed keeps its records and headline numbers with `keep_release`; `recall_release`
gives those of its last release back.
"""

from outcomes.reports.archive.snapshots import (
    ask_to_keep,
    forget_snapshots,
    keep_release,
    keep_snapshot,
    recall_release,
    set_beside_last,
)
from outcomes.reports.archive.store import (
    Manifest,
    PastRelease,
    find_last_release,
    find_release,
    hand_over,
    keep_manifest,
    list_manifests,
    name_reason,
    prune_runs,
    read_manifest,
    read_previous,
    write_manifest,
)

__all__ = [
    "Manifest",
    "PastRelease",
    "ask_to_keep",
    "find_last_release",
    "find_release",
    "forget_snapshots",
    "hand_over",
    "keep_manifest",
    "keep_release",
    "keep_snapshot",
    "list_manifests",
    "name_reason",
    "prune_runs",
    "read_manifest",
    "read_previous",
    "recall_release",
    "set_beside_last",
    "write_manifest",
]
