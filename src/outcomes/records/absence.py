"""Why something is absent from records, and which patients were not asked a measure."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Listing, Name, read_instrument, read_schema
from outcomes.records.tables import Absence, Records

#: A region that may hold several, so that it says nothing against an instrument.
OPEN_REGION = "other"


def explain_column(records: Records, column: str) -> Absence:
    """Return why no episode has a value of a column of ``schema.toml``."""
    files = records.source.files
    return _explain(records, any(column in spec.columns or column in spec.constants for spec in files))


def explain_measures(records: Records, instruments: Collection[str], events: Collection[str] = ()) -> Absence:
    """Return why there is no score of some instruments, and no event of some kinds."""
    files = records.source.files
    scored = any(score.instrument in instruments for spec in files for score in spec.scores)
    named = any("instrument" in spec.columns for spec in files)
    happened = bool(events) and any(spec.rows == "event" for spec in files)
    return _explain(records, scored or named or happened)


def _explain(records: Records, is_mapped: bool) -> Absence:
    unread = any(records.unmapped.values()) or any(records.unread.values())
    return Absence.NOT_READ if unread and not is_mapped else Absence.NOT_RECORDED


def mark_not_asked(records: Records, instrument: str) -> np.ndarray:
    """Return which episodes an instrument was not asked of, shape (E,).

    Those with a complaint of a part of the body that it is not made for, and without any answer to it. Where
    the source says that it is kept for other regions, it is asked of everybody.
    """
    episodes, made_for = records.episodes, read_instrument(instrument).regions
    kept = records.source.other_regions.get(instrument) == "keep"
    if not made_for or kept or "region" not in episodes:
        return np.zeros(len(episodes), dtype=bool)
    table = records.assessments
    answered = episodes["episode_id"].isin(table.loc[table["instrument"] == instrument, "episode_id"])
    return is_foreign(episodes["region"], made_for) & ~answered.to_numpy(dtype=bool)


def is_foreign(region: pd.Series, regions: Sequence[str]) -> np.ndarray:
    """Return which complaints are known to be of none of some parts of the body."""
    return (region.notna() & ~region.isin([*regions, OPEN_REGION])).to_numpy(dtype=bool)


def name_regions(regions: Sequence[str]) -> Listing:
    """Return parts of the body as a sentence names them."""
    labels = read_schema()["episodes"]["region"].labels or {}
    return Listing(tuple(Name("levels.region", name, labels[name]) for name in regions))
