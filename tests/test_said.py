"""What is told after reading and may move a mean stands on the page too."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bad_inputs.cases import list_cases, make_file, make_source
from outcomes import read_records
from outcomes.errors import FRAME, Finding, OutcomesError
from outcomes.facts import Text, read_words

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


def test_a_finding_is_written_in_english_by_itself_and_in_a_language_by_its_catalogue():
    what = Text.of("findings.question.line", line="x", meaning="y")
    finding = Finding("RULE", "accept_with_warning", what, "a.csv", (2, 3), "ODI", 3, "mend it", what)
    assert str(finding) == read_words().write(finding)
    assert str(finding) == "a.csv, line 2, 3 ..., column 'ODI': RULE:   x  # y (3 times)\n  mend it"
    assert finding.describe()["said"] == "  x  # y" and finding.describe()["lines"] == (2, 3)
    assert dict(read_words().list("findings.frame")) == FRAME
    question = Finding("RULE", "ask", what, "a.csv", (2, 3), None, 3, what)
    assert str(question) == "Question about a.csv (RULE):\n    x  # y\n    x  # y"
