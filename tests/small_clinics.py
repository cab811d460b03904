"""Made-up clinics of so many patients and so few therapies, as files that are read like any other."""

from __future__ import annotations

import csv
from pathlib import Path

from outcomes import write_clinic


def write_small_clinic(folder: Path, n_patients: int, therapies: list[str], seed: int = 7) -> Path:
    """Write the files of a clinic that gives only some therapies; its patients are spread over the years."""
    write_clinic(folder, n_episodes=12 * n_patients + 100, seed=seed)
    episodes = _read(folder / "episodes.csv")
    own = [row for row in episodes if row["therapy"] in therapies]
    every = list(dict.fromkeys(row["patient_id"] for row in own))
    patients = set(every[:: len(every) // n_patients][:n_patients])
    kept = {row["episode_id"] for row in own if row["patient_id"] in patients}
    for path in folder.glob("*.csv"):
        _write(path, [row for row in _read(path) if row["episode_id"] in kept])
    return folder


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
