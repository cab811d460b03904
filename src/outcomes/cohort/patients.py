"""The patients of records: their ids by code, and a digest of what was recorded of each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from outcomes.cohort.positions import locate_episodes
from outcomes.cohort.remembering import remember
from outcomes.cohort.snapshot import OF_THE_DAY, TABLES
from outcomes.records.tables import Records
from outcomes.result import Patients


@remember
def list_patients(records: Records) -> Patients:
    """List the patients of records in the order of their codes.

    Parameters
    ----------
    records : Records

    Returns
    -------
    Patients
        A patient's digest depends on the rows of the four tables, not on their order.

    Examples
    --------
    >>> from outcomes import read_records
    >>> patients = list_patients(read_records("made-up-clinic"))
    >>> len(patients.ids) == len(patients.digests)
    True
    """
    codes, ids = pd.factorize(records.episodes["patient_id"])
    digests = np.zeros(len(ids), dtype="uint64")
    for number, name in enumerate(TABLES):
        table = getattr(records, name).drop(columns=OF_THE_DAY, errors="ignore")
        place = locate_episodes(table["episode_id"], records.episodes["episode_id"])
        hashed = pd.util.hash_pandas_object(table, index=False).to_numpy("uint64")
        # an odd factor for each table, so that a row counts differently in another
        np.add.at(digests, codes[place], hashed * np.uint64(2 * number + 1))
    return Patients(np.asarray(ids, dtype=object), digests)
