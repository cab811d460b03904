"""Scores as people write them: units, denominators, labels, letters and health states in one cell."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asked_files import read_table
from outcomes.errors import RecordsError
from outcomes.facts import list_instruments, read_instrument
from outcomes.facts.source import read_source
from outcomes.records import Records, read_records
from outcomes.records.columns.numbers import read_written
from outcomes.records.scoring import score_items
from written_records import make_block_reader

SHARED = Path(os.environ.get("OUTCOMES_SHARED", ""))
needs_shared = pytest.mark.skipif("OUTCOMES_SHARED" not in os.environ, reason="OUTCOMES_SHARED is not set")
LONG = {
    "patient_id": "id", "therapy": "therapy", "timepoint": "visit", "instrument": "measure", "score": "score",
}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Records]:
    """Read a table by one block of a source."""
    return make_block_reader(tmp_path)


@pytest.fixture
def read_column(read) -> Callable[..., tuple[list[float | None], Records]]:
    """Read one score a patient; gives the scores in the order of the patients, None where there is none."""

    def read_cells(instrument: str, cells: list[str], decimal: str = ".", **score: object):
        ids = [f"p{number:03d}" for number in range(len(cells))]
        table = pd.DataFrame({"id": ids, "therapy": "usual_care", "x": cells})
        block = {
            "path": "a.csv", "rows": "episode", "decimal": decimal,
            "columns": {"patient_id": "id", "therapy": "therapy"},
            "scores": [{"instrument": instrument, "timepoint": "baseline", "column": "x", **score}],
        }  # fmt: skip
        records = read(table, block)
        held = records.assessments.set_index("episode_id")["score"]
        return [float(held[id]) if id in held else None for id in ids], records

    return read_cells


@pytest.mark.parametrize(
    ("instrument", "cell", "score"),
    [
        ("nprs", "7/10", 7),
        ("nprs", "7 / 10", 7),
        ("nprs", "7 out of 10", 7),
        ("nprs", "7 von 10", 7),
        ("nprs", "7,5/10", 7.5),
        ("nprs", "70/100", 7),
        ("nprs", "70 mm", 7),
        ("nprs", "7 points", 7),
        ("nprs", "3 - moderate", 3),
        ("nprs", "3) moderate", 3),
        ("nprs", "3: moderate", 3),
        ("nprs", "3 = moderate", 3),
        ("nprs", "3- moderate", 3),
        ("nprs", "3-moderate", 3),
        ("nprs", "3.moderate", 3),
        ("nprs", "3、中度", 3),
        ("nprs", "3 – mäßig", 3),
        ("nprs", "７／１０", 7),
        ("nprs", "３）輕度", 3),
        ("nprs", "7 分", 7),
        ("nprs", "'7", 7),
        ("odi", "34 %", 34),
        ("odi", "34%", 34),
        ("odi", "34 Prozent", 34),
        ("odi", "34/100", 34),
        ("odi", "17/50", 34),
        ("odi", "17 of 50", 34),
        ("ndi", "42 %", 21),
        ("ndi", "42％", 21),
        ("ndi", "17/50", 17),
        ("ndi", "34/100", 17),
        ("vas100", "5,7 cm", 57),
        ("vas100", "5.7 cm", 57),
        ("vas100", "57 mm", 57),
        ("vas100", "5.7/10", 57),
        ("ohs", "20/48", 20),
        ("ohs", "40/60", 20),
        ("rmdq24", "12/24", 12),
        ("rmdq24", "50 %", 12),
        ("ftf_cm", "-3 cm", -3),
        ("ftf_cm", "120 mm", 12),
        ("sorensen_s", "95 s", 95),
        ("sorensen_s", "1.5 min", 90),
        ("lefs", "50 %", 40),
        ("quickdash", "33/55", 50),
    ],
)
def test_a_written_score_is_read_by_what_stands_behind_it(read_column, instrument, cell, score):
    scores, records = read_column(instrument, [cell, cell])
    assert scores == pytest.approx([score, score])
    assert [it.count for it in records.findings if it.rule == "SCORE_WRITTEN"] == [2]


@pytest.mark.parametrize(
    "cell",
    [
        "moderate", "5 (left)", "5 left", "~7", ">8", "7-8", "7 - 8", "7-", "1,234", "1,234 cm", "True",
        "7 apples", "7/110", "a", "b) mild", "7 7", "7²", "1½", "(left)", "x3",
    ],
)  # fmt: skip
def test_anything_else_stays_refused(read_column, cell):
    scores, records = read_column("nprs", ["5", cell])
    assert scores == [5.0, None]
    assert records.refused["rule"].tolist() in (["SCORE_NOT_NUMERIC"], ["SCORE_UNIT_UNKNOWN"])


@pytest.mark.parametrize(
    ("instrument", "cell"),
    [
        ("nprs", "7-Oct"), ("nprs", "3-May"), ("nprs", "2024-05-03"), ("nprs", "7/10/24"),
        ("nprs", "7.10.2024"), ("nprs", "7/11"), ("nprs", "3/5"), ("odi", "17/12"), ("odi", "3月5日"),
    ],
)  # fmt: skip
def test_a_date_is_no_written_score_and_is_named_as_a_date(read_column, instrument, cell):
    scores, records = read_column(instrument, ["6", cell, "4", "2"])
    assert scores == [6.0, None, 4.0, 2.0]
    assert records.refused["rule"].tolist() == ["SCORE_DATE"]


@pytest.mark.parametrize(
    ("instrument", "cell", "score"),
    [("nprs", "7/10", 7), ("nprs", "5.7/10", 5.7), ("vas100", "5.7/10", 57), ("ohs", "12/48", 12)],
)
def test_a_denominator_of_the_measure_makes_a_written_score_though_it_could_be_a_date(
    read_column, instrument, cell, score
):
    assert read_column(instrument, [cell] * 4)[0] == pytest.approx([score] * 4)


@pytest.mark.parametrize(
    ("cell", "decimal", "score"),
    [("5,7", ",", 5.7), ("5,7", ".", None), ("5.7/10", ",", 5.7), ("5,70 cm", ".", None)],
)
def test_decimal_marks_follow_the_declaration_where_nothing_tells(read_column, cell, decimal, score):
    assert read_column("nprs", ["5", cell], decimal)[0] == [5.0, score]


def test_a_unit_that_changes_numbers_is_said_and_one_that_does_not_is_only_logged(read_column):
    _, records = read_column("vas100", ["5,7 cm", "57 mm", "3.2 cm"])
    assert [str(it.said) for it in records.findings if it.said] == [
        "Scores of the VAS 0-100 that are written with their unit or denominator (cm) are converted by it."
    ]
    assert not [it for it in read_column("nprs", ["7/10", "4/10"])[1].findings if it.said]


def test_plain_numbers_beside_another_unit_are_asked_about_unless_declared(read_column):
    cells = ["42 %", "30 %", "20", "18"]
    assert read_column("odi", cells)[0] == [42, 30, 20, 18]
    with pytest.raises(RecordsError) as caught:
        read_column("ndi", cells)
    asked = next(it for it in caught.value.findings if it.outcome == "ask")
    assert "2 cells are written with '%'" in str(asked.what)
    assert read_column("ndi", cells, scale="percent")[0] == [21, 15, 10, 9]
    assert read_column("ndi", cells, scale="own")[0] == [21, 15, 20, 18]


def test_a_declared_scale_does_not_overrule_what_a_cell_says(read_column):
    assert read_column("vas100", ["5.7 cm", "57 mm", "6"], scale="cm")[0] == [57, 57, 60]


def test_a_long_file_reads_each_measure_by_its_own_scales(read):
    table = pd.DataFrame(
        {
            "id": ["a", "a", "a", "b"],
            "therapy": "usual_care",
            "visit": "baseline",
            "measure": ["NDI", "NPRS", "vas100", "ODI"],
            "score": ["42 %", "7/10", "5,7 cm", "17/50"],
        }
    )
    records = read(table, {"path": "a.csv", "rows": "assessment", "columns": LONG})
    scores = dict(zip(records.assessments["instrument"], records.assessments["score"], strict=True))
    assert scores == pytest.approx({"ndi": 21, "nprs": 7, "vas100": 57, "odi": 34})


class TestItems:
    def read_items(self, read, instrument: str, answers: list[list[str]], **score: object) -> Records:
        items = [f"q{number + 1}" for number in range(len(answers[0]))]
        table = pd.DataFrame(answers, columns=items).assign(
            id=[f"p{number:03d}" for number in range(len(answers))], therapy="usual_care"
        )
        block = {
            "path": "a.csv", "rows": "episode", "columns": {"patient_id": "id", "therapy": "therapy"},
            "scores": [{"instrument": instrument, "timepoint": "baseline", "items": items, **score}],
        }  # fmt: skip
        return read(table, block)

    @pytest.mark.parametrize(
        "form",
        [
            "{}",
            "{})",
            "{}.",
            "{} - some words",
            "{}- words",
            "{}-words",
            "({}) words",
            "{}. words",
            "{}、輕微",
            "{}: words",
            "lower",
            "wide",
        ],
    )
    def test_letters_count_from_the_answer_that_is_printed_first(self, read, form):
        rng = np.random.default_rng(1)
        lettered = [
            id for id in list_instruments()
            if read_instrument(id).scoring_rule.first_answer and not read_instrument(id).variant_required
        ]  # fmt: skip
        assert {"odi", "ndi", "oks", "quickdash", "phq9"} <= set(lettered)
        for id in lettered:
            rule = read_instrument(id).scoring_rule
            low, high = (int(ends[0]) for ends in rule.list_bounds(rule.n_items))
            items = rng.integers(low, high + 1, (3, rule.n_items))
            place = items - low if rule.first_answer == "lowest" else high - items
            first = {"lower": ord("a"), "wide": ord("\uff21")}.get(form, ord("A"))
            write = (form if "{" in form else "{}").format
            answers = [[write(chr(first + answer)) for answer in row] for row in place.tolist()]
            records = self.read_items(read, id, answers)
            assert records.assessments["score"].tolist() == pytest.approx(
                score_items(id, items).score.tolist()
            ), id
            counted = low if rule.first_answer == "lowest" else high
            said = [(it.measure, str(it.said)) for it in records.findings if it.said]
            name = read_instrument(id).short_name
            assert said == [(id, f"Answers to the {name} given as letters count from A = {counted} on.")]

    def test_letters_beyond_the_last_answer_and_without_a_rule_are_refused(self, read):
        assert self.read_items(read, "odi", [["G"] + ["A"] * 9]).assessments.empty
        records = self.read_items(read, "eq5d_5l", [["A"] * 5], variant="uk")
        assert records.assessments["score"].tolist() == [1.0]

    @pytest.mark.parametrize("form", ["{}", "{}- words", "{})", "({})", "{}."])
    def test_letters_of_a_form_without_a_known_order_are_asked_about_both_ways(self, read, form):
        items = np.random.default_rng(1).integers(1, 6, (12, 22))
        answers = [[form.format("ABCDE"[answer - 1]) for answer in row] for row in items.tolist()]
        with pytest.raises(RecordsError) as caught:
            self.read_items(read, "srs22r", answers, variant="total")
        asked = next(it for it in caught.value.findings if it.outcome == "ask")
        assert asked.rule == "ITEM_CODING" and str(asked.what).startswith("264 of 264 answers")
        lines = [line.split("  #")[0].strip() for line in str(asked.remedy).splitlines()[1:]]
        assert lines[0] == "item_codes = { A = 1, B = 2, C = 3, D = 4, E = 5 }"
        for line, expected in zip(lines, (items, 6 - items), strict=True):
            codes = tomllib.loads(line)["item_codes"]
            scores = self.read_items(read, "srs22r", answers, variant="total", item_codes=codes).assessments[
                "score"
            ]
            assert scores.tolist() == pytest.approx(
                score_items("srs22r", expected.astype(float), variant="total").score.tolist()
            )

    def test_declared_letters_hold_however_they_are_written(self, read):
        answers = [["A", "B- very mild", "c)", "D.", "(E)", "Ｆ", "a: none", "b - mild", "C、中度", "D"]]
        codes = {letter: place for place, letter in enumerate("ABCDEF")}
        records = self.read_items(read, "odi", answers, item_codes=codes)
        assert records.assessments["score"].tolist() == [2 * (0 + 1 + 2 + 3 + 4 + 5 + 0 + 1 + 2 + 3)]

    def test_numbers_with_the_text_of_the_answer(self, read):
        answers = [
            [f"{number % 6}) words of the answer" for number in range(10)],
            [f"{number % 6} - words" for number in range(10)],
        ]
        records = self.read_items(read, "odi", answers)
        assert records.assessments["score"].tolist() == [42.0, 42.0]
        assert [it.count for it in records.findings if it.rule == "SCORE_WRITTEN"] == [2]

    def test_codes_of_items_hold_for_numbers_with_text_too(self, read):
        answers = [[f"{number % 6 + 1}) words" for number in range(10)]]
        codes = {str(code): code - 1 for code in range(1, 7)}
        assert self.read_items(read, "odi", answers, item_codes=codes).assessments["score"].tolist() == [42.0]

    def test_a_denominator_of_an_item_is_its_highest_answer(self, read):
        assert self.read_items(read, "odi", [["3/5"] * 10]).assessments["score"].tolist() == [60.0]
        assert self.read_items(read, "odi", [["3/10"] * 10]).assessments.empty


class TestProfiles:
    @pytest.mark.parametrize(
        "write",
        [str, "-".join, " ".join, "'{}".format, "{}.0".format],
    )
    def test_a_health_state_in_one_cell_equals_its_items(self, read_column, write):
        rng = np.random.default_rng(1)
        for id, variant, most in (("eq5d_5l", "uk", 5), ("eq5d_3l", "uk", 3)):
            variants = read_instrument(id).variants
            variant = next(name for names in variants.values() for name in names)
            items = rng.integers(1, most + 1, (30, 5))
            cells = [write("".join(map(str, row))) for row in items.tolist()]
            scores, records = read_column(id, cells, variant=variant)
            assert scores == pytest.approx(score_items(id, items, variant=variant).score.tolist())
            assert any(
                "profiles of five digits are scored by the value set" in str(it.said)
                for it in records.findings
            )

    def test_a_state_with_a_level_that_there_is_not_is_refused(self, read_column):
        variant = next(iter(next(iter(read_instrument("eq5d_3l").variants.values()))))
        scores, records = read_column("eq5d_3l", ["11223", "11224", "1122", "0.5"], variant=variant)
        assert scores[1:3] == [None, None] and scores[3] == 0.5
        assert records.refused["rule"].tolist() == ["SCORE_RANGE", "SCORE_RANGE"]

    @needs_shared
    def test_the_shared_profiles_equal_their_items(self, tmp_path):
        folder = SHARED / "cases" / "reading" / "20-eq5d-in-one-cell"
        source = read_source(folder / "eqprof.toml")
        records = read_records(source, folder / "eqprof", private_folder=tmp_path / "private")
        table = pd.read_csv(folder / "eqprof" / "x.csv")
        for timepoint, letter in (("baseline", "b"), ("month_3", "m")):
            items = table[[f"{letter}{number}" for number in range(1, 6)]].to_numpy(dtype=float)
            held = records.assessments[records.assessments["timepoint"] == timepoint].set_index("episode_id")[
                "score"
            ]
            variant = source.files[0].scores[0].variant
            expected = score_items("eq5d_5l", items, variant=variant).score
            assert held[table["pid"]].tolist() == pytest.approx(expected.tolist())


def test_plain_numbers_are_left_as_they_are():
    texts = np.array(["7", "-3", "7.5", "1e3", "", "7,5"], dtype=object)
    written = read_written(texts)
    assert written.texts.tolist() == texts.tolist()
    assert not written.changed.any()


def test_a_column_of_variants_tells_the_measures_of_one_instrument_apart(tmp_path):
    """Its own code for a variant is read by the declaration; a word for none is refused."""
    lines = [
        "a,baseline,nprs,average,7", "a,baseline,nprs,worst,9", "a,baseline,odi,,40", "a,month_3,nprs,AVG,3",
        "a,month_3,nprs,usual,2", "b,baseline,nprs,,6", "b,baseline,ODI,,50",
    ]  # fmt: skip
    names = ["timepoint", "instrument", "variant", "score"]
    block = {
        "rows": "assessment",
        "columns": {"patient_id": "id", **{name: name for name in names}},
        "codes": {"variant": {"AVG": "average"}},
    }
    records = read_table(tmp_path, "\n".join(["id,timepoint,instrument,variant,score", *lines]), block)
    rows = records.assessments[["episode_id", *names]]
    found = [" ".join(map(str, row)) for row in rows.itertuples(index=False)]
    assert sorted(found) == [
        "a baseline nprs average 7.0", "a baseline nprs worst 9.0", "a baseline odi nan 40.0",
        "a month_3 nprs average 3.0", "b baseline nprs nan 6.0", "b baseline odi nan 50.0",
    ]  # fmt: skip
    assert list(records.refused["rule"]) == ["VARIANT_UNKNOWN"] and list(records.refused["line"]) == [6]
