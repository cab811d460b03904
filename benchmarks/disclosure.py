"""How long it takes to withhold what would follow from a page's numbers together, and to audit the page.

The default comparison of therapies of the made-up clinic is analysed once, as its notebook does. Timed are
the analyses, their releases and the audit of all of them; printed too is what that costs the reader: the
cells withheld beyond those of few patients.

Run from anywhere: `python benchmarks/disclosure.py`.
"""

from __future__ import annotations

import time

from outcomes import read_records, select_cohort
from outcomes.analyses import (
    bound_regression_to_mean,
    check_comparability,
    compare_over_time,
    compare_respondents,
    count_at_ends,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    estimate_effect_sizes,
    standardise_responders,
    summarise_change,
    trace_cumulative,
)
from outcomes.disclosure import PageContext, audit_page, release
from outcomes.disclosure.joint import ShownNumbers

#: Most processor seconds that suppression and audit of the page may take together.
LIMIT = 5.0
#: Most cells, of those that k patients stand behind, that may be withheld.
MOST_WITHHELD = 0.15
ANALYSES = (
    count_flow, describe_baseline, count_completeness, compare_respondents, summarise_change,
    count_responders, count_at_ends, trace_cumulative, estimate_effect_sizes, bound_regression_to_mean,
    check_comparability,
    compare_over_time, standardise_responders,
)  # fmt: skip


def main() -> int:
    """Print the times and the cost; return 1 where a limit is missed."""
    begun, worked = time.perf_counter(), time.process_time()
    cohort = select_cohort(read_records("made-up-clinic"), instrument="odi")
    results = [analyse(cohort) for analyse in ANALYSES]
    analysed, analysing = time.perf_counter(), time.process_time()
    page = PageContext(shown=ShownNumbers())
    releases = [release(result, page) for result in results]
    released, releasing = time.perf_counter(), time.process_time()
    audit = audit_page(releases)
    ended, auditing = time.perf_counter(), time.process_time()
    cells = sum(len(entry.table) for entry in releases)
    share = audit.n_extra / (cells - audit.n_primary)
    processor = auditing - analysing
    print(
        f"disclosure: analyses {analysed - begun:.1f} s (processor {analysing - worked:.1f} s), releases "
        f"{released - analysed:.1f} s ({releasing - analysing:.1f} s), audit {ended - released:.1f} s "
        f"({auditing - releasing:.1f} s): {(ended - analysed) / (ended - begun):.0%} of the page's numbers "
        f"(limit {LIMIT:g} s of processor)"
    )
    print(
        f"disclosure: {cells} cells, {audit.n_primary} of few withheld, {audit.n_extra} more "
        f"({share:.1%}, limit {MOST_WITHHELD:.0%}), {audit.n_unsized} without their number of patients, "
        f"audit passed: {audit.passed}"
    )
    return int(processor > LIMIT or share > MOST_WITHHELD or not audit.passed)


if __name__ == "__main__":
    raise SystemExit(main())
