"""Scores as clinics record them: another scale brought to the instrument's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.instrument_file import read_instrument
from outcomes.facts.scale import list_scales
from outcomes.facts.toml import suggest_name


def rescale(
    instrument: Instrument | str, values: ArrayLike, scale: str | None, *, reference: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Bring values that are recorded on another scale to the instrument's own.

    Parameters
    ----------
    instrument : Instrument or str
        The instrument or its id.
    values : array-like of float
        As recorded; NaN stays NaN.
    scale : str or None
        One of the instrument's ``scales``; None and ``own`` leave the values as they are.
    reference : array-like of float, optional
        For a scale that is relative to a measured length (``per``): that length.

    Returns
    -------
    numpy.ndarray
        ``factor * value + offset``, where relative ``factor * value / reference + offset``. Nothing is
        rounded or cut to the range.

    Raises
    ------
    FactsError
        When the instrument has no such scale, or the scale needs a reference.

    Examples
    --------
    >>> rescale("pgic7", [6.0], "seven_best").tolist()
    [2.0]
    """
    recorded = np.asarray(values, dtype=np.float64)
    if scale is None:
        return recorded
    if isinstance(instrument, str):
        instrument = read_instrument(instrument)
    known = list_scales(instrument)
    if scale not in known:
        raise FactsError(f"{instrument.name} has no scale {scale!r}; {suggest_name(scale, known)}")
    rule = known[scale]
    if rule.per:
        if reference is None:
            raise FactsError(f"{instrument.name}: scale {scale!r} needs the {rule.per}.")
        recorded = recorded / np.asarray(reference, dtype=np.float64)
    return rule.factor * recorded + rule.offset
