"""The comparison of therapies beside busy neighbours: as the package runs it, and with all threads.

``python benchmarks/busy_neighbour.py`` prints seconds and their ratio, which differ from run to run: no bound
is set. Beside it one neighbour for each processor does nothing but count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

FITS = 5


def measure() -> None:
    from outcomes import compare_over_time, select_cohort, simulate_clinic

    cohort = select_cohort(simulate_clinic(1200, seed=3))
    compare_over_time(cohort)
    begun = time.perf_counter()
    for _ in range(FITS):
        compare_over_time(cohort)
    print((time.perf_counter() - begun) / FITS)


def run(**decided: str) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "fit"],
        env=os.environ | decided, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    processors = os.cpu_count() or 1
    count = [sys.executable, "-c", "while True: pass"]
    for n_busy in (0, processors):
        neighbours = [subprocess.Popen(count) for _ in range(n_busy)]
        try:
            one, many = run(), run(OPENBLAS_NUM_THREADS=str(processors))
        finally:
            for neighbour in neighbours:
                neighbour.kill()
        threads = f"with {processors} threads {many:.3f} s"
        print(f"{n_busy} busy neighbours: {one:.3f} s, {threads} ({many / one:.1f} times)")


if __name__ == "__main__":
    measure() if sys.argv[1:] else main()
