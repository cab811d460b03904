"""The archive: what each release of a series said and what it was made from, kept privately."""

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
    "read_previous",
    "recall_release",
    "set_beside_last",
    "write_manifest",
]
