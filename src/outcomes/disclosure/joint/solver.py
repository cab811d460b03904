"""`Solver`: one linear programme, asked again and again with other goals and bounds."""

from __future__ import annotations

import time
from collections.abc import Sequence

import highspy
import numpy as np
from scipy.sparse import csc_array, csr_array

from outcomes.errors import DisclosureError

#: Of the search for whole numbers, counted and not timed, so that a slow machine finds the same.
_MOST_NODES = 200
_GAP = 0.01
#: HiGHS's number for the primal simplex method: only that goes on from the last answer when the goal changes.
_PRIMAL = 4


class OutOfTime(DisclosureError):
    """A search that was not finished within its limit; nothing is shown on its account."""


class Solver:
    """A programme that HiGHS keeps, so that each question starts from the answer to the one before.

    Parameters
    ----------
    rows : sparse array
    row_bounds, bounds : arrays of shape (n, 2)
        Least and greatest value of each row and of each unknown.
    deadline : float
        Of the monotonic clock, in seconds.
    """

    def __init__(self, rows: csr_array, row_bounds: np.ndarray, bounds: np.ndarray, deadline: float) -> None:
        self._deadline = deadline
        self._n = rows.shape[1]
        programme = highspy.HighsLp()
        programme.num_row_, programme.num_col_ = rows.shape
        programme.row_lower_, programme.row_upper_ = row_bounds[:, 0].copy(), row_bounds[:, 1].copy()
        programme.col_lower_, programme.col_upper_ = bounds[:, 0].copy(), bounds[:, 1].copy()
        programme.col_cost_ = np.zeros(self._n)
        columns = csc_array(rows)
        programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        programme.a_matrix_.start_ = columns.indptr
        programme.a_matrix_.index_ = columns.indices
        programme.a_matrix_.value_ = columns.data.astype("float64")
        self._highs = highspy.Highs()
        # one thread, so that the way to an answer is always the same; no presolving, which would start anew
        for name, value in (
            ("output_flag", False), ("threads", 1), ("presolve", "off"), ("simplex_strategy", _PRIMAL),
        ):  # fmt: skip
            self._highs.setOptionValue(name, value)
        self._highs.passModel(programme)

    def bound(self, bounds: np.ndarray) -> None:
        """Set the least and greatest value of each unknown."""
        self._highs.changeColsBounds(self._n, np.arange(self._n), bounds[:, 0].copy(), bounds[:, 1].copy())

    def bound_rows(self, bounds: np.ndarray) -> None:
        """Set the least and greatest value of each row."""
        for row, (low, high) in enumerate(bounds):
            self._highs.changeRowBounds(row, low, high)

    def make_whole(self, unknowns: Sequence[int]) -> None:
        """Ask for whole numbers of some unknowns from now on; the search may end a hundredth too dear."""
        n = len(unknowns)
        kinds = np.full(n, int(highspy.HighsVarType.kInteger), dtype="uint8")
        self._highs.changeColsIntegrality(n, np.asarray(unknowns), kinds)
        for name, value in (("presolve", "on"), ("mip_rel_gap", _GAP), ("mip_max_nodes", _MOST_NODES)):
            self._highs.setOptionValue(name, value)

    def minimise(self, costs: np.ndarray) -> np.ndarray | None:
        """Return the cheapest values; None where there are none, infinite ones where nothing limits them.

        Raises
        ------
        OutOfTime
            When the deadline passes: what was found so far would depend on how fast the machine is.
        """
        left = self._deadline - time.monotonic()
        if left > 0:
            self._highs.changeColsCost(self._n, np.arange(self._n), costs)
            # its clock runs on from question to question
            self._highs.setOptionValue("time_limit", self._highs.getRunTime() + left)
            self._highs.run()
        status = self._highs.getModelStatus()
        if left <= 0 or time.monotonic() > self._deadline or status == highspy.HighsModelStatus.kTimeLimit:
            raise OutOfTime("The numbers could not be checked against each other within the time limit.")
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return np.where(costs < 0, np.inf, np.where(costs > 0, -np.inf, 0.0))
        solution = self._highs.getSolution()
        return np.array(solution.col_value) if solution.value_valid else None
