"""How long the ledger of releases takes beside the page that it guards.

    python benchmarks/ledger.py

Two thousand patients, of whom some join each quarter; pages of 400 numbers, one a quarter for six years, each
compared with all before it, one by one and in combination. Prints for the first and the last page how long
opening, comparing and entering took, in seconds of the processor, and the size of the file.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from outcomes.disclosure import PageContext, release
from outcomes.disclosure.joint import ShownNumbers
from outcomes.disclosure.ledger import Edition, open_ledger
from outcomes.disclosure.ledger.earlier_cells import EarlierCells
from outcomes.result import Patients, Result, build_result

N_PATIENTS, N_EDITIONS, N_CELLS = 2_000, 24, 400
THERAPIES = ("a", "b", "c", "d")
TIMEPOINTS = ("baseline", "week_6", "month_3", "month_6")
#: Seconds within which one page should be compared and entered.
BOUND_SECONDS = 5.0


def build_page(n: int, rng: np.random.Generator) -> Result:
    """Return the numbers of a page of the first so many patients, those of later time points of fewer."""
    therapy = np.arange(N_PATIENTS) % len(THERAPIES)
    rows, support = [], []
    n_measures = N_CELLS // (len(TIMEPOINTS) * (len(THERAPIES) + 1))
    for late, timepoint in enumerate(TIMEPOINTS):
        seen = np.arange(max(0, n - 80 * late))
        for group in [*THERAPIES, "all"]:
            members = seen if group == "all" else seen[therapy[seen] == THERAPIES.index(group)]
            for measure in range(n_measures):
                row = {
                    "statistic": "mean_score",
                    "outcome": "odi",
                    "term": f"{measure}",
                    "timepoint": timepoint,
                }
                rows.append({**row, "group": group, "estimate": rng.normal(30, 5), "n": members.size})
                support.append({"all": members})
    patients = Patients(
        np.array([f"P{number}" for number in range(N_PATIENTS)], dtype=object),
        np.arange(N_PATIENTS, dtype="uint64"),
    )
    return build_result("change", rows, method="Mean.", support=support, patients=patients)


def make_edition(private: Path, number: int, result: Result) -> dict[str, float]:
    """Compare, enter and release one page; return the seconds of each step and how many numbers waited."""
    edition = Edition(f"run{number}", "r", "page", series="s", slot=f"{number:02d}", made="2026-01-01")
    times = [time.process_time()]
    with open_ledger(private) as ledger:
        times.append(time.process_time())
        page = PageContext(earlier=EarlierCells(ledger, edition), shown=ShownNumbers())
        released = release(result, page)
        times.append(time.process_time())
        ledger.enter(edition, [released])
        ledger.prepare(edition.id, "nobody", "2026-01-01")
        ledger.settle(edition.id)
        times.append(time.process_time())
    steps = dict(zip(("open", "compare", "enter"), np.diff(times).tolist(), strict=True))
    return {**steps, "held": int(released.table["as_of"].notna().sum()), "rows": len(released.table)}


def main() -> None:
    """Run and print."""
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        private = Path(folder) / ".outcomes"
        for number in range(N_EDITIONS):
            n = N_PATIENTS - 60 * (N_EDITIONS - 1 - number)
            found = make_edition(private, number, build_page(n, rng))
            if number in (0, N_EDITIONS - 1):
                steps = ", ".join(f"{step} {found[step]:.2f} s" for step in ("open", "compare", "enter"))
                print(f"edition {number + 1} of {found['rows']} numbers, {found['held']} held back: {steps}")
        size = (private / "ledger" / "ledger.sqlite").stat().st_size
        print(f"ledger of {N_EDITIONS} editions, {N_PATIENTS} patients: {size / 1e6:.1f} MB")
        whole = sum(found[step] for step in ("open", "compare", "enter"))
        print(f"the last page took {whole:.1f} s; bound {BOUND_SECONDS:.0f} s")


if __name__ == "__main__":
    main()
