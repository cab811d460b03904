"""The repeated-measures model against statsmodels and against a sort and pivot in pandas, to ten million
patients.

``python benchmarks/mmrm.py`` prints what this run measured, and ends with 1 where a bound is broken;
``--small`` leaves out the ten million. Every measurement is a process of its own with one BLAS thread, on
simulated patients: four therapies, four visits, 12 % of the visits missing, 24 columns.
"""

from __future__ import annotations

import json
import math
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FORMULA = "pain ~ therapy*visit + base*visit + region + age"
COMPARED, LARGE, LARGEST = 2_000, 1_000_000, 10_000_000
SIZES_OF_FIT = (2_000, 20_000, 200_000, 1_000_000)
LEAST_TIMES_FASTER, MOST_TIMES_PIVOT, MOST_EXPONENT, MOST_TIMES_FRAME, LIMIT_GB = 100.0, 8.0, 0.1, 2.0, 4.0
SEED = 20261123
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

THERAPIES, REGIONS = ("Aquatic", "Exercise", "Manual", "UsualCare"), ("East", "North", "South", "West")
SD = (1.6, 1.9, 2.1, 2.3)
CORRELATION = ((1, 0.72, 0.60, 0.52), (0.72, 1, 0.74, 0.63), (0.60, 0.74, 1, 0.77), (0.52, 0.63, 0.77, 1))


def simulate(n: int, first: int = 0):
    """Simulate a long frame of n patients whose numbers start at ``first``, visits in order."""
    import numpy as np
    import pandas as pd

    generator = _find_generator()
    drawn = generator(n, SEED + first) if generator else draw_patients(n, SEED + first)
    patient, visit = np.nonzero(drawn["obs"])
    return pd.DataFrame(
        {
            "id": first + patient, "therapy": np.array(THERAPIES)[drawn["ther"][patient]],
            "region": np.array(REGIONS)[drawn["region"][patient]], "age": drawn["age"][patient],
            "base": drawn["base"][patient], "visit": np.array(["V1", "V2", "V3", "V4"])[visit],
            "pain": drawn["y"][patient, visit],
        }
    )  # fmt: skip


def _find_generator() -> Callable[..., dict[str, Any]] | None:
    """Return the generator of the outside folder, with which other software was timed, where it is there."""
    folder = os.environ.get("OUTCOMES_SHARED")
    path = Path(folder) / "oracle" / "simgen.py" if folder else None
    return runpy.run_path(str(path))["gen"] if path and path.is_file() else None


def draw_patients(n: int, seed: int) -> dict[str, Any]:
    """Draw patients like those of the outside folder; visits are missing at random given the last score."""
    import numpy as np

    random = np.random.default_rng(seed)
    age = np.round(random.normal(52, 13, n).clip(18, 90), 1)
    region, therapy = random.choice(4, n, p=[0.3, 0.2, 0.28, 0.22]), random.integers(0, 4, n)
    base = np.round((6.2 + 0.015 * (age - 52) + random.normal(0, 1.5, n)).clip(0, 10), 2)
    root = np.linalg.cholesky(np.outer(SD, SD) * np.array(CORRELATION))
    score = 6.2 + np.array([-0.6, -1.1, -1.5, -1.7]) + random.standard_normal((n, 4)) @ root.T
    score += np.array([-0.5, -0.6, -0.55, 0])[therapy][:, None] + 0.012 * (age - 52)[:, None]
    score += (base - 6.2)[:, None] * np.array([0.8, 0.68, 0.6, 0.52])
    score = np.round(score + np.array([0, 0.15, -0.1, 0.05])[region][:, None], 2)
    seen, last = np.ones((n, 4), bool), base
    for visit in range(4):
        seen[:, visit] = random.random(n) > (0.03 + 0.06 * visit) * np.exp(0.08 * (last - 5))
        last = np.where(seen[:, visit], score[:, visit], last)
    seen[~seen.any(axis=1), 0] = True
    return {"age": age, "region": region, "base": base, "ther": therapy, "y": score, "obs": seen}


class PeakMemory:
    """Watches how far the process grows, in bytes, above what it held at the start."""

    def __enter__(self) -> PeakMemory:
        self.first = self.most = _measure_memory()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._follow, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()
        self.most = max(self.most, _measure_memory())

    def _follow(self) -> None:
        while not self._done.wait(0.005):
            self.most = max(self.most, _measure_memory())


def _measure_memory() -> int:
    """Return the resident memory of this process in bytes; 0 where it cannot be told."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _fit(table, **options):
    from outcomes.analyses.mmrm import fit

    fitted = fit(FORMULA, table, subject="id", visit="visit", **options)
    contrasts = fitted.contrasts()
    assert fitted.state == "ok" and contrasts["estimate"].notna().all()
    return fitted


def measure_small() -> dict[str, float]:
    """Measure CPU seconds at 2,000 patients: this model with Kenward-Roger, and statsmodels MixedLM."""
    import warnings

    from statsmodels.regression.mixed_linear_model import MixedLM

    table = simulate(COMPARED)
    table["time"] = table["visit"].str[1:].astype(float)
    _fit(simulate(100))
    best = []
    for _ in range(5):
        began = time.process_time()
        _fit(table, df="kenward-roger")
        best.append(time.process_time() - began)
    warnings.simplefilter("ignore")
    began = time.process_time()
    MixedLM.from_formula(FORMULA, table, groups="id", re_formula="~time").fit()
    return {"ours": min(best), "mixedlm": time.process_time() - began}


def measure_large() -> dict[str, float]:
    """Measure a million patients from a long frame to contrasts, beside a sort and pivot."""
    found: dict[str, float] = {}
    table = simulate(LARGE)
    _fit(simulate(100))
    for order in ("shuffled", "sorted"):
        held = table.sample(frac=1, random_state=1).reset_index(drop=True) if order == "shuffled" else table
        found["frame"] = float(held.memory_usage(deep=True).sum())
        with PeakMemory() as memory:
            began, cpu = time.perf_counter(), time.process_time()
            _fit(held)
            found[f"{order} wall"] = time.perf_counter() - began
            found[f"{order} cpu"] = time.process_time() - cpu
        found[f"{order} growth"] = float(memory.most - memory.first)
        began, cpu = time.perf_counter(), time.process_time()
        held.sort_values(["id", "visit"]).pivot(index="id", columns="visit", values="pain")
        found[f"{order} pivot wall"] = time.perf_counter() - began
        found[f"{order} pivot cpu"] = time.process_time() - cpu
    return found


def measure_fit_without_pass() -> dict[str, float]:
    """Measure the fit from sums alone, from 2,000 to a million patients."""
    from outcomes.analyses.mmrm.frame_pass import FramePass
    from outcomes.analyses.mmrm.layout import list_columns, parse_formula
    from outcomes.analyses.mmrm.model import fit_sums
    from outcomes.analyses.mmrm.passes import lay_out, sum_table
    from outcomes.analyses.mmrm.standard_errors import check_choices

    found, terms = {}, parse_formula(FORMULA)
    for size in SIZES_OF_FIT:
        source = FramePass(simulate(size), list_columns(terms, "id", "visit"), "id")
        layout, design, sums = sum_table(source, lay_out(source, terms, "id", "visit", None, None, None))
        best = []
        for _ in range(15):
            began = time.process_time()
            fit_sums(source, layout, design, sums, check_choices()).contrasts()
            best.append(time.process_time() - began)
        found[str(size)] = min(best)
    return found


def measure_largest(path: str) -> dict[str, float]:
    """Measure ten million patients in Parquet under the limit of memory."""
    with PeakMemory() as memory:
        began, cpu = time.perf_counter(), time.process_time()
        fitted = _fit(path, memory_limit_gb=LIMIT_GB)
        wall = time.perf_counter() - began
    return {
        "wall": wall, "cpu": time.process_time() - cpu, "peak": float(memory.most),
        "n_patients": fitted.n_patients, "n_rows": fitted.n_rows,
    }  # fmt: skip


def write_parquet(path: Path, n: int) -> None:
    """Write n patients as a Parquet file: ids spread over the whole file, rows shuffled in each million."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for first in range(0, n, 1_000_000):
        part = simulate(min(1_000_000, n - first), first=first).sample(frac=1, random_state=first)
        # A prime above the number of patients spreads ids without repeating one.
        part["id"] = part["id"] * 7_368_787 % 10_000_019
        table = pa.Table.from_pandas(part, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def run_apart(*arguments: str) -> dict[str, float]:
    """Run one measurement in a process of its own with one BLAS thread."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, **dict.fromkeys(THREADS, "1")},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def main(largest: int) -> int:
    """Measure everything, print it, and return 1 where a bound is broken."""
    small, large, bare = run_apart("small"), run_apart("large"), run_apart("bare")
    print(
        f"patients simulated by {'the generator of the outside folder' if _find_generator() else 'this file'}"
    )
    print(f"{COMPARED:,} patients: {small['ours']:.3f} s CPU, MixedLM {small['mixedlm']:.2f} s CPU")
    for order in ("shuffled", "sorted"):
        wall, cpu, pivot = (large[f"{order} {what}"] for what in ("wall", "cpu", "pivot wall"))
        growth, frame = large[f"{order} growth"] / 1e6, large["frame"] / 1e6
        print(f"{LARGE:,} patients, {order}: {wall:.2f} s ({cpu:.2f} s CPU), sort and pivot {pivot:.2f} s,")
        print(f"    growth of memory {growth:.0f} MB beside a frame of {frame:.0f} MB")
    times = ", ".join(f"{int(size):,}: {1000 * cpu:.1f} ms" for size, cpu in bare.items())
    print(f"fit and contrasts without the pass: {times}")
    first, last = SIZES_OF_FIT[0], SIZES_OF_FIT[-1]
    exponent = math.log(bare[str(last)] / bare[str(first)]) / math.log(last / first)
    faster = small["mixedlm"] / small["ours"]
    bounds = {
        "times less CPU than MixedLM, at least": (faster, faster >= LEAST_TIMES_FASTER, LEAST_TIMES_FASTER),
        "times a sort and pivot": _hold(
            large["shuffled wall"] / large["shuffled pivot wall"], MOST_TIMES_PIVOT
        ),
        "exponent of the fit": _hold(exponent, MOST_EXPONENT),
        "growth in frames": _hold(large["shuffled growth"] / large["frame"], MOST_TIMES_FRAME),
    }
    if largest:
        bounds["peak memory in GB at the largest"] = _hold(_measure_parquet(largest), LIMIT_GB)
    for name, (value, held, bound) in bounds.items():
        print(f"{name}: {value:.3g} (bound {bound:g}){'' if held else '  BROKEN'}")
    return int(not all(held for _, held, _ in bounds.values()))


def _hold(value: float, most: float) -> tuple[float, bool, float]:
    return value, value <= most, most


def _measure_parquet(n: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.parquet"
        write_parquet(path, n)
        found = run_apart("largest", str(path))
        size = path.stat().st_size / 1e6
    print(f"{found['n_patients']:,} patients, {found['n_rows']:,} rows in {size:.0f} MB of Parquet:")
    print(f"    {found['wall']:.1f} s ({found['cpu']:.1f} s CPU), peak {found['peak'] / 1e9:.2f} GB")
    return found["peak"] / 1e9


if __name__ == "__main__":
    measures = {
        "small": measure_small, "large": measure_large, "bare": measure_fit_without_pass, "largest":
        measure_largest,
    }  # fmt: skip
    if len(sys.argv) > 1 and sys.argv[1] in measures:
        print(json.dumps(measures[sys.argv[1]](*sys.argv[2:])))
    else:
        sys.exit(main(0 if "--small" in sys.argv else LARGEST))
