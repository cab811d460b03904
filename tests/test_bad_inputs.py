"""Every kind of bad input is met by the rule, the outcome and the exit code that the catalogue promises."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from bad_inputs.cases import BASE, list_cases, make_file, make_source
from outcomes.errors import Finding, OutcomesError
from outcomes.records import Records, read_records

_BY_ID = {"ids": lambda case: case["id"]}


def read_case(case: dict, tmp_path: Path, **changes) -> tuple[int, tuple[Finding, ...], Records | None, str]:
    """Read a case's file; return exit code, findings, records and message."""
    folder = tmp_path / "records"
    folder.mkdir()
    with ExitStack() as stack:
        path = make_file(case, folder, stack)
        source = make_source(case, path.name, **changes)
        run_date = case.get("options", {}).get("run_date", "2026-11-23")
        try:
            records = read_records(source, folder, run_date=run_date, private_folder=tmp_path / "private")
        except OutcomesError as error:
            return error.exit_code, error.findings, None, str(error)
        return 0, records.findings, records, "\n".join(map(str, records.findings))


@pytest.mark.parametrize("case", list_cases(), **_BY_ID)
def test_bad_input_meets_its_rule(case, tmp_path):
    exit_code, findings, records, message = read_case(case, tmp_path)
    assert exit_code == case["exit"], message
    found = [finding for finding in findings if finding.rule == case["rule"]]
    assert found, f"{case['rule']} is not among: {message}"
    assert case["outcome"] in {finding.outcome for finding in found}
    named = found[0]
    for part, given in {"file": named.file, "row": named.lines, "column": named.column}.items():
        assert given or part not in case["names"], f"{part} is not named: {named}"
    if records is not None:
        assert records.n_read == records.n_accepted + records.n_refused
        assert bool(records.n_refused) == case["outcome"].startswith("quarantine")


IDENTIFYING = [
    case
    for case in list_cases()
    if case["rule"].startswith(("PHI_", "KEY_", "FILENAME_IDENTIFIER")) and ("set" in case or "name" in case)
]


@pytest.mark.parametrize("case", IDENTIFYING, **_BY_ID)
def test_no_message_repeats_an_identifying_value(case, tmp_path):
    *_, message = read_case(case, tmp_path)
    values = [change["to"] for change in case.get("set", ())] + [case.get("name", "")]
    assert not any(value.strip() and value.strip() in message for value in values)


@pytest.mark.parametrize("case", [c for c in list_cases() if c["outcome"] == "quarantine_row"], **_BY_ID)
def test_a_refused_row_is_too_much_where_few_are_tolerated(case, tmp_path):
    exit_code, *_, message = read_case(case, tmp_path, max_refused_share=0.05)
    assert exit_code == 5, message


def test_the_base_file_is_accepted_without_a_refusal(tmp_path):
    exit_code, findings, records, message = read_case({"text": BASE}, tmp_path)
    assert exit_code == 0, message
    assert (records.n_read, records.n_accepted) == (6, 6)
    assert not [finding for finding in findings if finding.outcome.startswith(("refuse", "quarantine"))]
