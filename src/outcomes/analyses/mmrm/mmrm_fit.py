"""`MmrmFit`: a fitted repeated-measures model and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from outcomes.analyses.mmrm.contrasts import (
    tabulate_contrasts,
    tabulate_joint_tests,
    tabulate_means,
    tabulate_slopes,
    tabulate_tests,
)
from outcomes.analyses.mmrm.fitted import FittedModel, write_summary
from outcomes.analyses.mmrm.predictions import list_residuals, predict_rows
from outcomes.analyses.mmrm.standard_errors import change_inference


@dataclass(frozen=True, repr=False)
class MmrmFit(FittedModel):
    """A fitted model; made by `outcomes.analyses.mmrm.fit`.

    Its numbers are described in `outcomes.analyses.mmrm.fitted.FittedModel`.
    """

    def marginal_means(self, by: str | Sequence[str] = "therapy", **options: Any) -> pd.DataFrame:
        """Return marginal means (LS means); see `outcomes.analyses.mmrm.contrasts.tabulate_means`."""
        return tabulate_means(self, by, **options)

    def contrasts(self, by: str = "therapy", **options: Any) -> pd.DataFrame:
        """Return differences of marginal means; see `outcomes.analyses.mmrm.contrasts.tabulate_contrasts`."""
        return tabulate_contrasts(self, by, **options)

    def slopes(self, over: str | Mapping[str, float], by: str = "therapy", **options: Any) -> pd.DataFrame:
        """Return change per unit of time and its differences; see `contrasts.tabulate_slopes`."""
        return tabulate_slopes(self, over, by, **options)

    def f_tests(self) -> pd.DataFrame:
        """Test the coefficients of each term jointly: ``term, num_df, den_df, statistic, p_value``.

        With treatment contrasts the test of a term that is part of an interaction is one at the reference
        levels.
        """
        return tabulate_tests(self)

    def joint_tests(self, by: str = "therapy", **options: Any) -> pd.DataFrame:
        """Test at each visit whether levels differ at all; see `contrasts.tabulate_joint_tests`."""
        return tabulate_joint_tests(self, by, **options)

    def with_inference(self, *, df: str | None = None, vcov: str | None = None) -> MmrmFit:
        """Return the fit with other errors or degrees of freedom; see `standard_errors.change_inference`."""
        return change_inference(self, df=df, vcov=vcov)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the mean of each row of a long frame; see `predictions.predict_rows`."""
        return predict_rows(self, frame)

    def residuals(self) -> pd.DataFrame:
        """Return residuals of all fitted rows; see `predictions.list_residuals`."""
        return list_residuals(self)

    def summary(self) -> str:
        """Return the fit as text, in the order of R's ``summary``."""
        return write_summary(self)

    def __repr__(self) -> str:
        """Return the summary."""
        return self.summary()
