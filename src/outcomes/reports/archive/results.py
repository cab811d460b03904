"""The released numbers of a run, kept privately so that the next release can be set beside them."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pandas as pd

from outcomes.disclosure.released import RELEASE_COLUMNS
from outcomes.reports.publication import replace_file
from outcomes.reports.released import read_releases

_NAME = "results.json"


def collect_results(run_folder: Path) -> pd.DataFrame:
    """Return all released numbers behind the views that a run showed.

    Parameters
    ----------
    run_folder : Path
        Private folder of the run.

    Returns
    -------
    pandas.DataFrame
        One row per released estimate: ``analysis``, then the columns of a `Release` (those of a `Result`,
        ``shown`` and ``display``). Empty where the run showed nothing.
    """
    frames = [release.table.assign(analysis=release.name) for release in read_releases(run_folder)]
    columns = ["analysis", *RELEASE_COLUMNS]
    if not frames:
        return pd.DataFrame(columns=columns)
    # several views may show parts of one release, and write it several times
    return pd.concat(frames, ignore_index=True)[columns].drop_duplicates(ignore_index=True)


def keep_results(folder: Path, results: pd.DataFrame) -> Path:
    """Write released numbers into a run's folder of the archive, whole or not at all, for its owner only."""
    path = folder / _NAME
    text = results.to_json(orient="table", index=False, double_precision=15)
    replace_file(path, str(text).encode("utf-8"), mode=0o600)
    return path


def read_results(folder: Path) -> pd.DataFrame:
    """Read back what `keep_results` wrote; one row per released estimate."""
    text = (folder / _NAME).read_text(encoding="utf-8")
    return pd.read_json(StringIO(text), orient="table", precise_float=True)
