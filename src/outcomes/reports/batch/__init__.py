"""Batches: many pages at once, on this machine or on a cluster; one that fails never stops the others."""

from outcomes.reports.batch.cluster import open_cluster
from outcomes.reports.batch.outcome import Outcome
from outcomes.reports.batch.pool import WorkerPool
from outcomes.reports.batch.running import run_batch

__all__ = ["Outcome", "WorkerPool", "open_cluster", "run_batch"]
