"""Read, gate, score and check a million assessments, against pandas reading the same text.

``python benchmarks/read_records.py`` prints the ratios measured in this run, and ends with 1 where a bound
is broken. Each reading happens in a process of its own, so that peaks of memory do not mix.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SMALL, LARGE = 100_000, 1_000_000
PATIENTS_PER_ASSESSMENT = 0.17
MOST_TIMES_WALL, MOST_TIMES_MEMORY, MOST_EXPONENT = 8.0, 4.0, 1.1
REPEATS = {SMALL: 7, LARGE: 3}  # a small reading is short, so that other work on the machine weighs more

SOURCE = """
name = "benchmark"
label = "a made-up long file"
made_up = true

[[file]]
path = "*.csv"
rows = "assessment"

[file.columns]
patient_id = "patient_id"
date = "visit_date"
timepoint = "timepoint"
therapy = "therapy"
site = "clinic"
age_band = "age_band"
sex = "sex"
sessions_to_date = "sessions"
instrument = "instrument"
score = "score"
"""


def write_long_file(path: Path, n_rows: int) -> None:
    """Write a long file: five labelled visits of one or two instruments a patient."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(20261123)
    n_patients = round(n_rows * PATIENTS_PER_ASSESSMENT)
    visits = pd.Series(["baseline", "week_6", "month_3", "month_6", "month_12"])
    days = np.array([0, 42, 91, 183, 365])
    patient, place = np.divmod(np.arange(n_patients * 10), 10)
    # Two instruments at the visits, the second at the first visit only, until the rows are enough.
    kept = (place < 5) | (place == 5)
    patient, place = patient[kept][:n_rows], place[kept][:n_rows]
    visit = place % 5
    instrument = np.where(place < 5, "ODI", "NPRS")
    therapies = np.array(["strengthening", "manual_therapy", "combined_pt", "usual_care"])
    start = np.datetime64("2021-01-04") + rng.integers(0, 1400, n_patients)
    bands = np.array(["30-39", "40-49", "50-59", "60-69", "70-79"])
    score = np.where(
        place < 5, 2 * rng.integers(5, 40, len(patient)) - 2 * visit, rng.integers(3, 11, len(patient))
    )
    pd.DataFrame(
        {
            "patient_id": [f"P{number:06d}" for number in patient],
            "visit_date": (start[patient] + days[visit]).astype(str),
            "timepoint": visits.to_numpy()[visit],
            "therapy": therapies[rng.integers(0, 4, n_patients)[patient]],
            "clinic": np.array([f"C{number:02d}" for number in range(12)])[
                rng.integers(0, 12, n_patients)[patient]
            ],
            "age_band": bands[rng.integers(0, 5, n_patients)[patient]],
            "sex": np.array(["F", "M"])[rng.integers(0, 2, n_patients)[patient]],
            "sessions": 3 * visit,
            "instrument": instrument,
            "score": np.maximum(score, 0),
        }
    ).to_csv(path, index=False)


class PeakMemory:
    """Watches how far the process grows, in bytes, above what it held at the start."""

    def __enter__(self) -> PeakMemory:
        self._first = self._most = _measure_memory()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._follow, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()

    def _follow(self) -> None:
        while not self._done.wait(0.005):
            self._most = max(self._most, _measure_memory())

    @property
    def growth(self) -> int:
        return max(self._most, _measure_memory()) - self._first


def _measure_memory() -> int:
    """Return the resident memory of this process in bytes."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    import os

    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def read_with_pandas(path: Path) -> dict[str, float]:
    import pandas as pd

    pd.read_csv(path, nrows=10)
    began = time.perf_counter()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    wall = time.perf_counter() - began
    return {"wall": wall, "frame": float(frame.memory_usage(deep=True).sum())}


def read_with_outcomes(path: Path) -> dict[str, float]:
    from outcomes.facts import read_source
    from outcomes.records import read_records

    toml = path.parent / "benchmark.toml"
    toml.write_text(SOURCE, encoding="utf-8")
    source = read_source(toml)
    warm_up = path.parent / "warm-up.csv"
    warm_up.write_text("".join(path.open(encoding="utf-8").readlines(4096)), encoding="utf-8")
    read_records(source, warm_up, private_folder=path.parent / "private")
    with PeakMemory() as memory:
        began = time.perf_counter()
        records = read_records(source, path, private_folder=path.parent / "private")
        wall = time.perf_counter() - began
    return {"wall": wall, "growth": float(memory.growth), "n_accepted": float(records.n_accepted)}


def run_apart(reader: str, path: Path) -> dict[str, float]:
    """Run one reading in a process of its own and return what it measured."""
    done = subprocess.run(
        [sys.executable, __file__, reader, str(path)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        wall: dict[tuple[str, int], float] = {}
        for size in (SMALL, LARGE):
            path = Path(folder) / f"long-{size}" / "long.csv"
            path.parent.mkdir()
            write_long_file(path, size)
            for reader in ("pandas", "outcomes"):
                runs = [run_apart(reader, path) for _ in range(REPEATS[size])]
                wall[reader, size] = min(run["wall"] for run in runs)
                if reader == "pandas":
                    frame = max(run["frame"] for run in runs)
                else:
                    growth = min(run["growth"] for run in runs)
                    assert runs[0]["n_accepted"] == size, "the file of the benchmark is clean"
            print(
                f"{size:>9,} assessments: pandas {wall['pandas', size]:.2f} s, "
                f"outcomes {wall['outcomes', size]:.2f} s, "
                f"frame {frame / 1e6:.0f} MB, growth {growth / 1e6:.0f} MB"
            )
    measured = {
        "times the wall of pandas": (wall["outcomes", LARGE] / wall["pandas", LARGE], MOST_TIMES_WALL),
        "times the memory of the frame": (growth / frame, MOST_TIMES_MEMORY),
        "growth exponent": (
            math.log(wall["outcomes", LARGE] / wall["outcomes", SMALL]) / math.log(LARGE / SMALL),
            MOST_EXPONENT,
        ),
    }
    for name, (value, bound) in measured.items():
        print(f"{name}: {value:.2f} (bound {bound:g}){'' if value <= bound else '  BROKEN'}")
    return int(any(value > bound for value, bound in measured.values()))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        readers = {"pandas": read_with_pandas, "outcomes": read_with_outcomes}
        print(json.dumps(readers[sys.argv[1]](Path(sys.argv[2]))))
    else:
        sys.exit(main())
