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


#: Methods that take words from the catalogue by a key, to the place of the key among their arguments.
BY_KEY = {
    "note": 0,
    "refuse": 0,
    "refuse_cells": 0,
    "ask": 0,
    "doubt": 0,
    "refuse_values": 2,
    "note_values": 2,
}
#: What such a call says beside what fills the places of its sentences.
BESIDE = {"column", "place", "measure", "contradict", "whole", "answers", "confirmed", "outcome", "records"}
#: Sentences of a finding.
PARTS = ("what", "remedy", "said", "question")


def _list_functions() -> Iterator[tuple[ast.AST, list[ast.Call]]]:
    """Yield each function of the records with the calls in it."""
    for path in (ROOT / "src" / "outcomes" / "records").rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                yield function, [node for node in ast.walk(function) if isinstance(node, ast.Call)]


def _name_called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _find_places(key: str) -> set[str]:
    section, _, name = key.rpartition(".")
    template = read_words().list(section).get(name)
    assert template, f"words/en has no {key}"
    return meta.find_undeclared_variables(Environment().parse(template))


def test_every_sentence_of_a_finding_stands_in_the_catalogue_with_the_places_that_are_filled():
    """Rare findings too, which no other test meets."""
    built = [call for _, calls in _list_functions() for call in calls if _name_called(call) == "of"]
    keyed = [(call, str(getattr(call.args[0], "value", ""))) for call in built if call.args]
    sentences = [(call, key) for call, key in keyed if key.startswith("findings.")]
    assert len(sentences) > 80
    for call, key in sentences:
        assert _find_places(key) == {str(entry.arg) for entry in call.keywords}, key


def _list_keyed() -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield the key of each finding that is worded by one, what its call fills, and what it may fill.

    What stands in a mapping of the same function may be passed on.
    """
    for function, calls in _list_functions():
        mapped = {
            str(getattr(key, "value", ""))
            for node in ast.walk(function)
            for key in (node.keys if isinstance(node, ast.Dict) else ())
        }
        mapped |= {str(it.arg) for call in calls if _name_called(call) == "Values" for it in call.keywords}
        for call in calls:
            of_files = isinstance(call.func, ast.Attribute) and "findings" in ast.unparse(call.func.value)
            place = len(call.args) if of_files else BY_KEY.get(_name_called(call), len(call.args))
            key = call.args[place] if place < len(call.args) else None
            told = {str(entry.arg) for entry in call.keywords if entry.arg}
            if isinstance(key, ast.Constant) and "what" not in told | mapped:
                passed_on = any(entry.arg is None for entry in call.keywords)
                yield str(key.value), told - BESIDE, told | mapped if passed_on else told


def test_every_finding_that_is_worded_by_a_key_has_its_sentences_and_all_that_they_need():
    found = list(_list_keyed())
    assert len(found) > 50
    for key, filled, fillable in found:
        rule = key.partition(".")[0]
        sections = [read_words().list(f"findings.{name}") for name in (rule, key)]
        parts = {part: name for name, held in zip((rule, key), sections, strict=True) for part in held}
        places = [_find_places(f"findings.{parts[part]}.{part}") for part in PARTS if part in parts]
        assert "what" in parts, key
        needed = set().union(*places)
        assert filled <= needed <= fillable, key


def _list_sentences(section: Mapping[str, object], path: str) -> Iterator[str]:
    for name, held in section.items():
        if isinstance(held, Mapping):
            yield from _list_sentences(held, f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def _is_used(key: str, code: str) -> bool:
    """Whether a module names a sentence: by its key, by its rule, or by both of which the key is made."""
    rule, _, name = key.partition(".")
    case, _, part = name.rpartition(".")
    if f"findings.{key}" in code or f'"{key}"' in code:
        return True
    if re.search(rf'f"findings\.({rule}|{{rule}})\.\w*{{', code):
        return True
    if part not in PARTS:
        return f'f"findings.{{rule}}.{name}"' in code
    if not case:
        return f'"{rule}' in code or f'"findings.{rule}"' in code
    ends = (case, case.removeprefix("patient"), case.removeprefix("therapist"))
    is_made = any(re.search(rf'["\.]{case}"', code) or f'{{kind}}{end}"' in code for end in ends)
    by_rule = f'"{rule}.{case}"' in code or (f'"{rule}"' in code and f'{{rule}}.{case}"' in code)
    return by_rule or (f'f"{rule}.{{' in code and is_made)


def test_every_sentence_of_the_catalogue_is_used():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src" / "outcomes").rglob("*.py")]
    code = "\n".join(sources)
    rules = read_words().list("findings").items()
    named = [(rule, section) for rule, section in rules if isinstance(section, Mapping) and rule != "frame"]
    keys = [key for rule, section in named for key in _list_sentences(section, rule)]
    assert len(keys) > 200
    assert not [key for key in keys if not _is_used(key, code)]
