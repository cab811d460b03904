"""Control charts: limits from a baseline, and the rules by which a point is a signal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Signal:
    """A point that chance alone hardly explains.

    Parameters
    ----------
    point : int
        Position of the point at which the rule is fulfilled.
    rule : str
        ``beyond_limits``, ``near_limit``, ``shift`` or ``trend``.
    better : bool
        Whether it lies on the side of more improvement.
    points : tuple of int
        Positions of all the points that make it.
    """

    point: int
    rule: str
    better: bool
    points: tuple[int, ...]


def find_signals(z: Sequence[float], values: Sequence[float], rules: Mapping[str, Any]) -> list[Signal]:
    """Find the signals of a control chart.

    Parameters
    ----------
    z : sequence of float
        Distance of each point from the centre in standard errors; positive is better.
    values : sequence of float
        The points.
    rules : mapping
        ``standard_errors`` of the limits; ``shift``, ``trend``, ``near`` and ``near_of`` as in
        ``facts/monitoring.toml``.

    Returns
    -------
    list of Signal
        By point, then by rule.

    Examples
    --------
    >>> rules = {"standard_errors": 3, "shift": 7, "trend": 7, "near": 2, "near_of": [2, 3]}
    >>> [(s.point, s.rule, s.better) for s in find_signals([0.1, -3.2, 0.4], [5.0, 1.0, 5.2], rules)]
    [(1, 'beyond_limits', False)]
    """
    found = [*_find_beyond(z, rules), *_find_near(z, rules)]
    found += _find_runs(np.sign(z), int(rules["shift"]), "shift", 0)
    found += _find_runs(np.sign(np.diff(values)), int(rules["trend"]) - 1, "trend", 1)
    order = ("beyond_limits", "near_limit", "shift", "trend")
    return sorted(found, key=lambda signal: (signal.point, order.index(signal.rule)))


def _find_beyond(z: Sequence[float], rules: Mapping[str, Any]) -> Iterator[Signal]:
    for place, value in enumerate(z):
        if abs(value) > rules["standard_errors"]:
            yield Signal(place, "beyond_limits", value > 0, (place,))


def _find_near(z: Sequence[float], rules: Mapping[str, Any]) -> Iterator[Signal]:
    """Find points that complete so many of so many in a row near the same limit."""
    needed, window = rules["near_of"]
    for place in range(len(z)):
        last = range(max(0, place - window + 1), place + 1)
        for side in (1, -1):
            near = tuple(i for i in last if side * z[i] > rules["near"])
            if place in near and len(near) >= needed:
                yield Signal(place, "near_limit", side > 0, near)


def _find_runs(signs: np.ndarray, length: int, rule: str, offset: int) -> Iterator[Signal]:
    """Find the points at which a run of one sign is long enough; a zero ends a run."""
    run = 0
    for place, sign in enumerate(signs):
        run = run + 1 if place and sign == signs[place - 1] and sign != 0 else int(sign != 0)
        if run >= length:
            last = place + offset
            yield Signal(last, rule, bool(sign > 0), tuple(range(last - length + 1 - offset, last + 1)))
