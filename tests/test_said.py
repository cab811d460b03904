"""What is told after reading and may move a mean stands on the page too."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bad_inputs.cases import list_cases, make_file, make_source
from outcomes import read_records
from outcomes.errors import OutcomesError

#: Findings that move no mean, each with the reason.
MOVE_NOTHING = {
    "K_ANONYMITY": "counts who is alike",
    "GATE_EXCEPTION": "a person reviewed it",
    "BASELINE_MISSING": "the flow of each page counts who has no score at the start",
    "SESSIONS_ORDER": "about numbers of sessions",
    "DECIMAL_COMMA": "the cells themselves are refused and counted",
    "BLOCK_NOT_READ": "other files of the source, not those that were read",
}


@pytest.mark.parametrize("case", list_cases(), ids=lambda case: case["id"])
def test_what_is_only_to_know_moves_no_mean_or_stands_on_the_page(case, tmp_path):
    with ExitStack() as stack:
        path = make_file(case, tmp_path, stack)
        try:
            records = read_records(
                make_source(case, path.name), path, private_folder=tmp_path / "private",
                run_date=case.get("options", {}).get("run_date", "2026-11-23"),
            )  # fmt: skip
        except OutcomesError:
            return  # nothing was read, so nothing can be wrong on a page
    silent = {
        finding.rule
        for finding in records.findings
        if finding.outcome == "accept_with_warning" and not finding.said
    }
    assert silent <= set(MOVE_NOTHING)
