"""The made-up clinic as files, in the form that ``facts/sources/made-up-clinic.toml`` describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from outcomes.errors import ReportError
from outcomes.facts import read_facts, read_source
from outcomes.synthetic.clinic import Clinic, draw_clinic
from outcomes.synthetic.tables import name_rows, tabulate_episodes, tabulate_events, tabulate_sessions


def write_clinic(
    folder: str | Path,
    n_episodes: int = 1200,
    *,
    seed: int = 20261123,
    confounding: str = "moderate",
    drop_out: bool = True,
) -> tuple[Path, ...]:
    """Write the files of a made-up clinic, which `outcomes.records.read_records` reads as ``made-up-clinic``.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist; files of the same names are replaced.
    n_episodes, seed, confounding, drop_out
        As in `simulate_clinic`, whose records these files hold.

    Returns
    -------
    tuple of Path
        ``episodes.csv``, ``assessments.csv`` (one row per episode and day), ``sessions.csv``, ``events.csv``.

    Raises
    ------
    ReportError
        When the folder cannot be written to.
    """
    clinic = draw_clinic(n_episodes, seed, confounding, drop_out)
    tables = {
        "episodes": _lay_out_episodes(clinic),
        "assessments": _lay_out_assessments(clinic),
        "sessions": _date_rows(clinic, tabulate_sessions(clinic))[
            ["episode_id", "date", "therapy", "minutes"]
        ],
        "events": _date_rows(clinic, tabulate_events(clinic))[["episode_id", "date", "event", "severity"]],
    }
    tables["sessions"]["minutes"] = tables["sessions"]["minutes"].astype("Int64")
    try:
        return tuple(_write_table(Path(folder), name, table) for name, table in tables.items())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReportError(f"The made-up clinic cannot be written: {reason}.", exit_code=9) from None


def _write_table(folder: Path, name: str, table: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    return path


def _lay_out_episodes(clinic: Clinic) -> pd.DataFrame:
    spec = read_source("made-up-clinic").files[0]
    declined = spec.exclude[0]
    episodes = tabulate_episodes(clinic)
    table = pd.DataFrame({header: episodes[column] for column, header in spec.columns.items()})
    table["age_years"] = table["age_years"].astype("Int64")
    table["previous_episodes"] = np.where(clinic.people.previous_episodes, "yes", "no")
    table["start_date"] = table["start_date"].dt.strftime("%Y-%m-%d")
    table[declined.column] = np.where(clinic.people.declined, declined.values[0], "given")
    return table


def _lay_out_assessments(clinic: Clinic) -> pd.DataFrame:
    """Return one row per episode and day: the visits, and the days on which only pain was asked."""
    specs = read_source("made-up-clinic").files[1].scores
    episode, visit = np.nonzero(clinic.attendance.seen)
    columns = {"episode": episode, "day": clinic.attendance.day[episode, visit]}
    for spec in specs:
        if spec.items:
            items = clinic.items[spec.instrument][episode, visit]
            columns |= {header: items[:, number] for number, header in enumerate(spec.items)}
        else:
            columns[str(spec.column)] = clinic.scores[spec.instrument][episode, visit]
    extra_episode, which = np.nonzero(clinic.attendance.extra_seen)
    extra = {
        "episode": extra_episode,
        "day": clinic.attendance.extra_day[extra_episode, which],
        "nprs_average": clinic.scores["nprs"][extra_episode, 0],
    }
    table = pd.concat([pd.DataFrame(columns), pd.DataFrame(extra)], ignore_index=True)
    table = table.sort_values(["episode", "day"], kind="stable", ignore_index=True)
    table["episode_id"] = name_rows("E", table["episode"].to_numpy(), len(clinic.people))
    headers = [name for name in columns if name not in ("episode", "day")]
    decimals = {
        name: facts["decimals"]
        for name, facts in read_facts("made_up_clinic")["scores"].items()
        if "decimals" in facts
    }
    whole = [name for name in headers if not decimals.get(name)]
    return _date_rows(clinic, table.astype(dict.fromkeys(whole, "Int64")))[["episode_id", "date", *headers]]


def _date_rows(clinic: Clinic, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the date of each row's day."""
    start = clinic.people.start[table["episode_id"].cat.codes.to_numpy()]
    date = pd.to_datetime(start + table["day"].to_numpy(dtype=np.int64), unit="D")
    return table.assign(date=date.strftime("%Y-%m-%d"))
