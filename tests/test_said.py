"""What is told after reading and may move a mean stands on the page too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from bad_inputs.cases import list_cases, make_file, make_source
from outcomes import read_records
from outcomes.errors import FRAME, Finding, OutcomesError
from outcomes.facts import Text, read_words

ROOT = Path(__file__).parents[1]
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


def _list_built() -> Iterator[tuple[str, set[str]]]:
    """Yield the key and the places of each sentence of a finding that a module builds with both in full."""
    for path in (ROOT / "src" / "outcomes" / "records").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "of":
                key = node.args[0] if node.args else None
                if isinstance(key, ast.Constant) and str(key.value).startswith("findings."):
                    yield str(key.value), {str(entry.arg) for entry in node.keywords}


def test_every_sentence_of_a_finding_stands_in_the_catalogue_with_the_places_that_are_filled():
    """Rare findings too, which no other test meets."""
    built = list(_list_built())
    assert len(built) > 150
    for key, filled in built:
        section, _, name = key.rpartition(".")
        template = read_words().list(section).get(name)
        assert template, f"words/en has no {key}"
        assert meta.find_undeclared_variables(Environment().parse(template)) == filled, key


def test_every_sentence_of_the_catalogue_is_used():
    """A sentence stands in a module by its whole key, or by its section and the end of its key."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src" / "outcomes").rglob("*.py")]
    code = "\n".join(sources)
    unused = [
        f"{rule}.{name}"
        for rule, section in read_words().list("findings").items()
        for name in (section if isinstance(section, Mapping) and rule != "frame" else ())
        if f"findings.{rule}.{name}" not in code
        and not re.search(rf'f"findings\.({rule}|{{rule}})\.\w*{{', code)
        and not re.search(rf'f"findings\.{{rule}}\.{name}"', code)
    ]
    assert not unused
