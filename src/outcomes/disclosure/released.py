"""`Release`: a result as one audience may see it; nothing else reaches a view."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.backing import Backing
from outcomes.facts import Words, read_words
from outcomes.result import COLUMNS

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
    method, estimand : str
    warnings, notes : tuple of str
        What a reader must know; `notes` are about this release.
    provenance : mapping
        Allow-listed.
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
    language : str
        In which its page is written, and ``display`` too.
    """

    name: str
    table: pd.DataFrame
    method: str
    warnings: tuple[str, ...]
    estimand: str
    provenance: Mapping[str, Any]
    comparable: bool | None
    audience: str
    k: int
    n_withheld: int
    notes: tuple[str, ...] = field(default=())
    backing: Backing | None = field(default=None, repr=False, compare=False)
    language: str = "en"

    @property
    def words(self) -> Words:
        """The catalogue of its language."""
        return read_words(self.language)

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
        texts = (self.method, *self.warnings, *self.notes)
        return shown + "".join(f"<p>{html.escape(str(self.words.write(text)))}</p>" for text in texts if text)
