"""Scores as clinics record them brought to the instrument's own scale, and tables that turn sums into scores.

The tables are those of the package, or the user's own copies.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outcomes.errors import FactsError
from outcomes.facts.instrument import Instrument
from outcomes.facts.instrument_file import read_instrument
from outcomes.facts.scale import Scale, list_scales
from outcomes.facts.toml import find_project, has_table, read_table, suggest_name
from outcomes.facts.wording import Text, Value

Floats: TypeAlias = NDArray[np.float64]

#: Columns of a table; the standard error may be absent.
_SUM, _SCORES, _ERROR = "raw_sum", ("score", "t_score"), "se"


@dataclass(frozen=True, eq=False)
class Conversion:
    """Score of each possible sum."""

    #: The smallest sum.
    lowest: int
    #: One entry per sum, from the smallest on; NaN where the table gives no standard error.
    score: Floats = field(repr=False)
    std_error: Floats = field(repr=False)

    def look_up(self, total: Floats) -> tuple[Floats, Floats]:
        """Return scores and standard errors of sums; nothing is interpolated, and NaN stays NaN."""
        place = np.clip(np.nan_to_num(total) - self.lowest, 0, len(self.score) - 1).astype(np.int64)
        known = ~np.isnan(total)
        return np.where(known, self.score[place], np.nan), np.where(known, self.std_error[place], np.nan)


def read_conversion(
    instrument: Instrument, lowest: int, highest: int, folder: Path | str | None = None
) -> Conversion:
    """Read the table of an instrument whose rule is ``lookup``."""
    name = str(instrument.scoring_rule.table)
    if has_table(f"conversions/{name}"):
        return _check(read_table(f"conversions/{name}"), f"{name}.csv", instrument, lowest, highest)
    path = (Path(folder) if folder is not None else find_project() / "data" / "tables") / f"{name}.csv"
    if not path.is_file():
        shown = path if folder is not None else f"data/tables/{name}.csv"
        said: dict[str, Value] = {
            "instrument": instrument.name,
            "place": str(shown),
            "low": lowest,
            "high": highest,
        }
        raise FactsError(Text.of("scoring.table.not_shipped", **said))
    columns = _read_own(path, path.stat().st_mtime_ns)
    return _check(columns, path.name, instrument, lowest, highest)


@cache
def _read_own(path: Path, changed_ns: int) -> Mapping[str, Sequence[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FactsError(Text.of("scoring.table.encoding", file=path.name)) from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.reader(lines))
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise FactsError(Text.of("scoring.table.shape", file=path.name))
    return dict(zip(map(str.strip, rows[0]), zip(*rows[1:], strict=True), strict=True))


def _check(
    columns: Mapping[str, Sequence[str]], name: str, instrument: Instrument, lowest: int, highest: int
) -> Conversion:
    score_column = next((column for column in _SCORES if column in columns), None)
    if _SUM not in columns or score_column is None:
        raise FactsError(Text.of("scoring.table.columns", file=name, found=", ".join(columns)))
    sums, score = (_read_numbers(columns[column], name, column) for column in (_SUM, score_column))
    if not np.array_equal(sums, np.arange(lowest, highest + 1)):
        raise FactsError(Text.of("scoring.table.sums", file=name, low=lowest, high=highest))
    steps = np.diff(score)
    wrong = np.flatnonzero(np.sign(steps) != np.sign(score[-1] - score[0]))
    if len(wrong):
        first, second = (f"{sums[place]:g}" for place in (wrong[0], wrong[0] + 1))
        raise FactsError(Text.of("scoring.table.turns", file=name, first=first, second=second))
    if score.min() < instrument.minimum or score.max() > instrument.maximum:
        ends = {"low": f"{instrument.minimum:g}", "high": f"{instrument.maximum:g}"}
        raise FactsError(Text.of("scoring.table.range", file=name, instrument=instrument.name, **ends))
    errors = (
        _read_numbers(columns[_ERROR], name, _ERROR) if _ERROR in columns else np.full(len(score), np.nan)
    )
    return Conversion(lowest, score, errors)


def _read_numbers(texts: Sequence[str], name: str, column: str) -> Floats:
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        raise FactsError(Text.of("scoring.table.numbers", file=name, column=column)) from None
    if not np.isfinite(numbers).all():
        raise FactsError(Text.of("scoring.table.finite", file=name, column=column))
    return numbers


def rescale(
    instrument: Instrument | str, values: ArrayLike, scale: str | None, *, reference: ArrayLike | None = None
) -> Floats:
    """Bring values that are recorded on another scale to the instrument's own.

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
        said = {"scale": repr(scale), "known": suggest_name(scale, known)}
        raise FactsError(Text.of("scoring.scale.unknown", instrument=instrument.name, **said))
    rule = known[scale]
    if rule.per:
        if reference is None:
            said = {"scale": repr(scale), "per": rule.per}
            raise FactsError(Text.of("scoring.scale.reference", instrument=instrument.name, **said))
        recorded = recorded / np.asarray(reference, dtype=np.float64)
    if rule.by_table:
        return _look_up(instrument, recorded, rule)
    return rule.factor * recorded + rule.offset


def _look_up(instrument: Instrument, sums: Floats, rule: Scale) -> Floats:
    """Return the scores of sums by the instrument's table; infinity where the table has no such sum."""
    known = (sums >= rule.low) & (sums <= rule.high) & (sums == np.floor(sums))
    table = read_conversion(instrument, int(rule.low), int(rule.high))
    score = table.look_up(np.where(known, sums, np.nan))[0]
    return np.where(known | np.isnan(sums), score, np.inf)
