"""Every kind of bad input is met by the rule, the outcome and the exit code that the catalogue promises."""

from __future__ import annotations

import contextlib
import csv
import io
from contextlib import ExitStack
from pathlib import Path

import pytest

import series_project
from bad_inputs.cases import BASE, list_cases, make_file, make_source
from outcomes.errors import Finding, OutcomesError
from outcomes.facts import read_source
from outcomes.records import Records, read_records
from outcomes.reports.series.declaration import read_series
from outcomes.reports.series.slices import check_series

_SHORTEST = 2  # signs of a value that is searched in messages
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
    case for case in list_cases() if case["rule"].startswith(("PHI_", "KEY_", "FILENAME_IDENTIFIER"))
]


@pytest.mark.parametrize("case", IDENTIFYING, **_BY_ID)
def test_no_message_repeats_an_identifying_value(case, tmp_path):
    _, findings, _, message = read_case(case, tmp_path)
    values = [change["to"] for change in case.get("set", ())] + [case.get("name", "")]
    named = {finding.column for finding in findings if finding.rule == case["rule"]}
    with contextlib.suppress(UnicodeDecodeError, FileNotFoundError):
        rows = list(csv.DictReader(io.StringIO((tmp_path / "records" / "visits.csv").read_text("utf-8"))))
        values += [row[column] or "" for row in rows for column in named if column in row]
    values = [value.strip() for value in values if len(value.strip()) > _SHORTEST]
    assert not [value for value in values if value in message]


@pytest.mark.parametrize("case", list_cases("privacy", "keys", "score"), **_BY_ID)
def test_the_same_input_gives_the_same_words(case, tmp_path):
    said = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        said.append(read_case(case, tmp_path / folder)[3])
    assert said[0] == said[1]


@pytest.mark.parametrize("case", list_cases("config"), **_BY_ID)
def test_a_wrong_configuration_is_refused_by_what_is_wrong(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "source" in case:
        path = tmp_path / "source.toml"
        path.write_text(case["source"], encoding="utf-8")
        with pytest.raises(OutcomesError) as caught:
            read_source(path)
        exit_code, message = caught.value.exit_code, f"{path.name}: {caught.value}"
    else:
        series_project.build_project(tmp_path, n_episodes=20)
        series_project.declare(tmp_path, case["reports"])
        try:
            _, findings = check_series(read_series(), series_project._read)
            exit_code, message = 2, "\n".join(map(str, findings))
            assert all(finding.outcome == "refuse_file" for finding in findings)
        except OutcomesError as error:
            exit_code, message = error.exit_code, str(error)
    assert exit_code == case["exit"]
    for piece in case["says"]:
        assert piece in message, message


@pytest.mark.parametrize("case", [c for c in list_cases() if c["outcome"] == "quarantine_row"], **_BY_ID)
def test_a_refused_row_is_too_much_where_few_are_tolerated(case, tmp_path):
    exit_code, *_, message = read_case(case, tmp_path, max_refused_share=0.05)
    assert exit_code == 5, message


def test_the_base_file_is_accepted_without_a_refusal(tmp_path):
    exit_code, findings, records, message = read_case({"text": BASE}, tmp_path)
    assert exit_code == 0, message
    assert (records.n_read, records.n_accepted) == (6, 6)
    assert not [finding for finding in findings if finding.outcome.startswith(("refuse", "quarantine"))]
