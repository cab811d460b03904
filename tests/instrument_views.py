"""Every score of every instrument, and made-up tables for those that may not ship."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
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


def find_band(instrument: Instrument, score: float) -> str | None:
    """Return the label of the band of one score; None without bands or outside of them."""
    if not instrument.bands or score < instrument.bands[0]["low"]:
        return None
    for band in instrument.bands:
        if score < band["high"] if band.get("below") else score <= band["high"]:
            return str(band["label"])
    return None


def find_class(instrument: Instrument, scores: Mapping[str, float]) -> str | None:
    """Return the label of the class that a patient's scores make; None where a score is missing."""
    needed = {name for entry in instrument.classes for name in entry["at_least"]}
    if any(name not in scores or scores[name] != scores[name] for name in needed):
        return None
    for entry in instrument.classes:
        if all(scores[name] >= least for name, least in entry["at_least"].items()):
            return str(entry["label"])
    return None
