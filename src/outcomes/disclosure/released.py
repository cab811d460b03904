"""`Release`: a result as one audience may see it; nothing else reaches a view."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from outcomes.disclosure.backing import Backing
from outcomes.facts import read_words
from outcomes.result import COLUMNS, Origin, Said

#: Columns of a release: those of a result, whether the number is shown, how it is written, and, where it is
#: that of an earlier edition, the day (ISO) of it.
RELEASE_COLUMNS = (*COLUMNS, "shown", "display", "as_of")


@dataclass(frozen=True)
class Release:
    """A result as one audience may see it.

    Parameters
    ----------
    name : str
        Name of the analysis.
    table : pandas.DataFrame
        One row per estimate: the columns of a result with numbers rounded or withheld, ``shown`` (whether
        the row carries a number) and ``display`` (the estimate in words: ``31.0``, ``75 %``, ``withheld``,
        ``fewer than 11 (under 4 %)``, or why it could not be estimated), and ``as_of``: the day (ISO) of the
        earlier edition whose row stands here, marked in ``display``, because the new one would tell of a few
        patients; missing in all other rows.
    method, estimand : Text, or tuple of Text
    warnings, notes : tuple of Text
        What a reader must know; `notes` are about this release.
    origin : Origin
        What the audience may know of what it was made from.
    comparable : bool or None
    audience : str
        ``stakeholder`` or ``team``.
    k : int
        Smallest number of patients behind a shown number.
    n_withheld : int
        Rows whose number is withheld or was removed.
    backing : Backing or None
        Private: who stands behind each row, for the audit of a page and the ledger of releases; none for the
        team's.
    """

    name: str
    table: pd.DataFrame
    method: Said
    warnings: tuple[Said, ...]
    estimand: Said
    origin: Origin
    comparable: bool | None
    audience: str
    k: int
    n_withheld: int
    notes: tuple[Said, ...] = field(default=())
    backing: Backing | None = field(default=None, repr=False, compare=False)

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table, one row per estimate."""
        return self.table.copy()

    def where(self, **equals: object) -> Release:
        """Return the rows whose columns equal the given values (a list means any of them)."""
        keep = np.ones(len(self.table), dtype=bool)
        for column, value in equals.items():
            wanted = list(value) if isinstance(value, (list, tuple, set)) else [value]
            keep &= self.table[column].isin(wanted).to_numpy()
        backing = self.backing and self.backing.at(np.flatnonzero(keep))
        return replace(self, table=self.table[keep].reset_index(drop=True), backing=backing)

    def __repr__(self) -> str:
        """Return name, audience and sizes."""
        shown = int(self.table["shown"].sum())
        sizes = f"{shown} of {len(self.table)} rows shown, k = {self.k}"
        return f"Release({self.name!r} for {self.audience}: {sizes})"

    def _repr_html_(self) -> str:
        shown = self.table.dropna(axis="columns", how="all").to_html(index=False, na_rep="", escape=True)
        texts = (str(read_words().write(text)) for text in (self.method, *self.warnings, *self.notes))
        return shown + "".join(f"<p>{html.escape(text)}</p>" for text in texts if text)
