"""Which episodes are left after each step, so that every exclusion is counted once."""

from __future__ import annotations

import numpy as np
import pandas as pd


class Flow:
    """Episodes that are left, and the steps that excluded the others.

    Parameters
    ----------
    patient : array of int
        Code of the patient of each episode of the records, from 0 without gaps.
    reason : str
        What the first row says.
    """

    def __init__(self, patient: np.ndarray, reason: str) -> None:
        self._patient = patient
        self.kept = np.ones(len(patient), dtype=bool)
        self._steps: list[dict[str, object]] = []
        self._times: dict[str, int] = {}
        self._note("read", reason, np.zeros(len(patient), dtype=bool))

    def exclude(self, step: str, reason: str, which: np.ndarray) -> None:
        """Exclude episodes that are still in; a step that excludes none is written down as well.

        Several steps of one name, such as two filters, are told apart by a number.
        """
        out = which & self.kept
        self.kept = self.kept & ~out
        self._note(step, reason, out)

    def _note(self, step: str, reason: str, out: np.ndarray) -> None:
        left, behind = self._find_patients(self.kept), self._find_patients(out)
        gone = np.setdiff1d(behind, left, assume_unique=True)
        self._times[step] = self._times.get(step, 0) + 1
        times = self._times[step]
        self._steps.append(
            {
                "step": step if times == 1 else f"{step}_{times}",
                "reason": reason,
                "n_episodes": int(self.kept.sum()),
                "n_patients": len(left),
                "n_excluded_episodes": int(out.sum()),
                "n_excluded_patients": len(gone),
                "patients": behind,
                "patients_gone": gone,
            }
        )

    def _find_patients(self, which: np.ndarray) -> np.ndarray:
        """Return the distinct patients of some episodes, sorted."""
        return np.flatnonzero(np.bincount(self._patient[which]))

    def tabulate(self) -> pd.DataFrame:
        """Return one row per step in order."""
        return pd.DataFrame(self._steps)
