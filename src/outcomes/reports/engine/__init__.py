"""Engines: a notebook is run from top to bottom, and nothing that it started outlives it."""

from outcomes.reports.engine.choice import ENGINES, choose_engine, execute_notebook, settle_engine
from outcomes.reports.engine.limits import TimeLimits

__all__ = ["ENGINES", "TimeLimits", "choose_engine", "execute_notebook", "settle_engine"]
