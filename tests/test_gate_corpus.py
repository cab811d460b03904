"""How much of a labelled corpus the gate refuses: what identifies for sure, and little else."""

from __future__ import annotations

from collections import Counter

import pytest

from gate_corpus.columns import LabelledColumn, list_harmless_columns, list_identifying_columns
from test_gate import gate

#: Rows of the file that a column stands in.
_EPISODES = ("therapist", "age_band", "age_years", "region")


def judge(column: LabelledColumn):
    rows = "episode" if column.name in _EPISODES else "assessment"
    return gate(column.values, header=column.header, name=column.name, rows=rows)


def is_refused(column: LabelledColumn) -> bool:
    return any(finding.outcome == "refuse_file" for finding in judge(column))


@pytest.fixture(scope="module")
def recall() -> dict[str, tuple[int, int]]:
    """Return how many of each kind were refused, and how many there are."""
    found, all_of = Counter(), Counter()
    for column in list_identifying_columns():
        kind = column.kind.split(":")[0]
        all_of[kind] += 1
        found[kind] += is_refused(column)
    return {kind: (found[kind], all_of[kind]) for kind in all_of}


def test_what_identifies_for_certain_is_always_refused(recall, capsys):
    with capsys.disabled():
        print(
            "\nrefused of columns that identify:", ", ".join(f"{k} {a}/{b}" for k, (a, b) in recall.items())
        )
    assert sum(number for _, number in recall.values()) >= 300
    for kind in (
        "header",
        "number",
        "e-mail",
        "phone",
        "links",
        "dates",
        "places",
        "ages",
        "age",
        "free text",
    ):
        refused, number = recall[kind]
        assert refused == number, kind


def test_names_are_nearly_always_refused(recall):
    refused, number = recall["name"]
    assert refused >= 0.95 * number


def test_harmless_columns_are_hardly_ever_refused(capsys):
    columns = list_harmless_columns()
    refused = [column for column in columns if is_refused(column)]
    with capsys.disabled():
        print(f"\nrefused of harmless columns: {len(refused)}/{len(columns)}")
    assert len(columns) >= 300
    assert len(refused) <= 0.01 * len(columns), [(column.kind, column.header) for column in refused]


def test_no_message_repeats_what_was_planted():
    for column in list_identifying_columns():
        if column.kind.startswith(("header", "age", "free text", "name")):
            continue
        planted = set(column.values) - {"A", "B", "C"}
        planted = {text for text in planted if not text.startswith(("T0", "T1", "P0", "40-", "50-", "60-"))}
        said = "\n".join(map(str, judge(column)))
        assert not any(text.strip() in said for text in planted), column.kind
