"""Every score of every instrument, and made-up tables for those that may not ship."""

from __future__ import annotations

import itertools
from pathlib import Path

from outcomes.facts import Instrument, list_instruments, read_instrument
from outcomes.facts.toml import has_table


def list_views() -> dict[str, tuple[str, str | None, Instrument]]:
    """Return every score of every instrument by name: its id, variant, and the instrument as that sees it."""
    views = {}
    for id in list_instruments():
        instrument = read_instrument(id)
        groups = [names if group == "score" else names[:1] for group, names in instrument.variants.items()]
        if not instrument.variant_required:
            views[id] = (id, None, instrument)
            groups = [list(instrument.subscales)] if instrument.subscales else []
        for parts in itertools.product(*groups) if groups else ():
            variant = "-".join(parts)
            views[f"{id}:{variant}"] = (id, variant, instrument.narrow(variant))
    return views


VIEWS = list_views()


def write_tables(folder: Path) -> Path:
    """Write a made-up table for each that may not ship: the score of a sum is 20 more."""
    for _, _, view in VIEWS.values():
        rule = view.scoring_rule
        if rule.rule == "lookup" and not has_table(f"conversions/{rule.table}"):
            sums = range(rule.n_items, 5 * rule.n_items + 1)
            lines = ["# made up", "raw_sum,t_score,se", *(f"{entry},{entry + 20}.0,2.5" for entry in sums)]
            (folder / f"{rule.table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
