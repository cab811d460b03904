"""How a test declares a statistic that the package does not have: for as long as the test lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from outcomes.facts import read_facts, read_statistics


@contextmanager
def declare_statistic(id: str, block: Mapping[str, Any]) -> Iterator[None]:
    """Declare a statistic by the keys of a block of ``facts/statistics.toml``."""
    held = read_facts("statistics")
    held[id] = dict(block)
    read_statistics.cache_clear()
    try:
        yield
    finally:
        del held[id]
        read_statistics.cache_clear()
