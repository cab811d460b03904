"""Doubts about scores that are kept: asked, said on the page or named, by how far they may move a mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clinic_files import extend, list_asked, list_rules, read_clinic, score
from outcomes.records.scoring import score_items

BLOCK: dict[str, Any] = {
    "path": "*.csv",
    "rows": "episode",
    "columns": {"patient_id": "id", "therapy": "therapy", "site": "clinic"},
}


@pytest.fixture
def read(tmp_path):
    return lambda table, *blocks, **source: read_clinic(tmp_path, {"a.csv": table}, *blocks, **source)


def write_block(instrument: str, **more: Any) -> dict[str, Any]:
    return {
        **BLOCK,
        "scores": [
            {"instrument": instrument, "timepoint": time, "column": column, **more}
            for time, column in (("baseline", "x0"), ("month_3", "x3"))
        ],
    }


def make_sites(sizes: dict[str, int], low: float, high: float, step: float, gain: float) -> pd.DataFrame:
    """Return patients of several sites who change by ``gain`` on average, on the grid of a measure."""
    random, n = np.random.default_rng(1), sum(sizes.values())
    start = random.uniform(low + (high - low) * 0.3, low + (high - low) * 0.7, n)
    later = np.clip(start + gain + random.normal(0, (high - low) / 10, n), low, high)
    return pd.DataFrame(
        {
            "id": [f"P{i:04}" for i in range(n)],
            "therapy": np.where(np.arange(n) % 2, "manual_therapy", "usual_care"),
            "clinic": np.repeat(list(sizes), list(sizes.values())),
            "x0": np.round(start / step) * step,
            "x3": np.round(later / step) * step,
        }
    )


def turn_round(table: pd.DataFrame, clinic: str, total: float) -> pd.DataFrame:
    here = table["clinic"] == clinic
    return table.assign(**{name: table[name].where(~here, total - table[name]) for name in ("x0", "x3")})


def list_said(records) -> list[str]:
    return [str(finding.said) for finding in records.findings if finding.said]


SIZES = {"North": 40, "South": 40, "West": 30}


class TestReversedSites:
    @pytest.mark.parametrize(
        ("instrument", "high", "step", "gain"),
        [("nprs", 10, 1, -2), ("lefs", 80, 1, 15), ("ndi", 50, 1, -10)],
    )
    def test_a_site_that_moves_against_all_others_is_asked_about_and_may_be_confirmed(
        self, read, instrument, high, step, gain
    ):
        table = turn_round(make_sites(SIZES, 0, high, step, gain), "West", high)
        (asked,) = list_asked(lambda: read(table, write_block(instrument)))
        assert asked.rule == "SCORE_DIRECTION_SUSPECT" and str(asked.what).endswith(
            "is its scale reversed there?"
        )
        assert 'confirmed = ["direction"]' in str(asked.remedy)
        assert asked.column is None, "the scores of two columns"
        records = read(table, write_block(instrument, confirmed=["direction"]))
        assert list_rules(records, "answered") == {"SCORE_DIRECTION_SUSPECT"}
        assert any("at one site against all others" in said for said in list_said(records))

    def test_the_question_names_the_column_where_one_holds_the_scores(self, read):
        wide = turn_round(make_sites(SIZES, 0, 10, 1, -2), "West", 10)
        names = {"x0": "baseline", "x3": "month_3"}
        long = wide.rename(columns=names).melt(
            ["id", "therapy", "clinic"], var_name="visit", value_name="pain"
        )
        block = {
            **write_block("nprs"),
            "rows": "assessment",
            "scores": [{"instrument": "nprs", "column": "pain"}],
        }
        block["columns"] = {**block["columns"], "timepoint": "visit"}
        (asked,) = list_asked(lambda: read(long, block))
        assert (asked.rule, asked.column) == ("SCORE_DIRECTION_SUSPECT", "pain")

    def test_the_line_of_the_question_reads_the_site_on_its_own_scale(self, read):
        plain = make_sites(SIZES, 0, 100, 1, 15)
        table = turn_round(plain, "West", 100)
        block = write_block("koos", variant="pain")
        (asked,) = list_asked(lambda: read(table, block))
        assert 'only = { column = "clinic", values = ["<that site>"] }' in str(asked.remedy)
        assert 'scale = "problems_100"' in str(asked.remedy) and "without = the same" in str(asked.remedy)
        west = {"column": "clinic", "values": ["West"]}
        turned = {**write_block("koos", variant="pain", scale="problems_100"), "only": west}
        records = read(table, {**block, "without": west}, turned)
        assert (records.n_read, records.n_accepted, len(records.episodes)) == (110, 110, 110)
        means = records.assessments.groupby("timepoint", observed=True)["score"].mean()
        assert means.tolist() == pytest.approx([plain["x0"].mean(), plain["x3"].mean()])

    def test_a_site_too_small_to_move_a_mean_is_named_and_not_asked_about(self, read):
        table = turn_round(make_sites({"North": 800, "South": 800, "West": 12}, 0, 10, 1, -2), "West", 10)
        records = read(table, write_block("nprs"))
        assert "SCORE_DIRECTION_SUSPECT" in list_rules(records, "accept_with_warning")
        assert not list_said(records)

    def test_sites_that_move_alike_ask_nothing(self, read):
        assert not list_said(read(make_sites(SIZES, 0, 10, 1, -2), write_block("nprs")))


class TestEqualScores:
    def test_equal_scores_of_a_site_are_asked_about_and_may_be_confirmed(self, read):
        table = make_sites({"North": 40, "South": 40, "West": 30}, 0, 10, 1, -2)
        table.loc[table["clinic"] == "West", ["x0", "x3"]] = 5
        asked = list_asked(lambda: read(table, write_block("nprs")))
        (asked,) = [it for it in asked if it.rule == "SCORE_CONSTANT"]
        assert str(asked.what).startswith("all 60 scores of the NPRS at one site are the same: ")
        assert 'confirmed = ["copied"]' in str(asked.remedy)
        records = read(table, write_block("nprs", confirmed=["copied", "constant"]))
        assert any(said.endswith("are the same; they count as measured.") for said in list_said(records))

    def test_a_measure_whose_usual_answer_is_one_asks_nothing(self, read):
        table = make_sites({"North": 40}, 0, 10, 1, -2).assign(x3=4)
        block = write_block("nprs")
        block["scores"] = [block["scores"][0], score("month_3", "x3", "pgic7", scale="one_best")]
        read(table, block)


class TestSteps:
    def test_scores_between_steps_are_said_where_many_are_and_only_named_where_few_are(self, read):
        table = make_sites({"North": 100}, 0, 10, 1, -2).drop(columns="clinic")
        block = write_block("nprs")
        block["columns"] = {"patient_id": "id", "therapy": "therapy"}
        for n_between, said in ((5, False), (30, True)):
            between = table.assign(x0=table["x0"] + np.where(np.arange(100) < n_between, 0.5, 0))
            records = read(between, block)
            assert "SCORE_GRID" in list_rules(records, "accept_with_warning")
            assert any("between its steps count as recorded" in it for it in list_said(records)) == said


class TestTotals:
    ITEMS = tuple(f"q{number}" for number in range(1, 11))

    def read_totals(self, read, total: np.ndarray, items: np.ndarray, **more: Any):
        table = pd.DataFrame(items, columns=list(self.ITEMS)).assign(
            id=[f"P{i}" for i in range(len(items))], therapy="usual_care", total=total
        )
        block = extend(BLOCK, columns={}) | {
            "columns": {"patient_id": "id", "therapy": "therapy"},
            "scores": [{"instrument": "odi", "timepoint": "baseline", "items": list(self.ITEMS),
                        "column": "total", **more}],
        }  # fmt: skip
        return read(table, block)

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        items = np.random.default_rng(1).integers(0, 6, (40, 10))
        return items, score_items("odi", items.astype(float)).score

    def test_a_total_on_another_scale_is_named_in_the_question(self, read):
        items, odi = self.draw()
        (asked,) = list_asked(lambda: self.read_totals(read, odi / 2, items))
        assert asked.rule == "SCORE_TOTAL_DIFFERS" and str(asked.what).endswith("which of both is right?")
        assert 'scale = "raw_0_50"' in str(asked.remedy)
        records = self.read_totals(read, odi / 2, items, scale="raw_0_50")
        assert not list_said(records)
        assert sorted(records.assessments["score"]) == sorted(odi)

    def test_items_may_be_confirmed_against_their_totals(self, read):
        items, odi = self.draw()
        other = (odi + 20) % 100
        list_asked(lambda: self.read_totals(read, other, items))
        records = self.read_totals(read, other, items, confirmed=["total"])
        assert sorted(records.assessments["score"]) == sorted(odi)
        assert list_rules(records, "answered") == {"SCORE_TOTAL_DIFFERS"}
        assert any("the items count" in said for said in list_said(records))

    def test_a_few_totals_are_said_by_how_far_they_lie_off(self, read):
        items, odi = self.draw()
        for gap, said in ((2, False), (40, True)):
            total = odi.copy()
            total[:4] = np.where(total[:4] > 50, total[:4] - gap, total[:4] + gap)
            records = self.read_totals(read, total, items)
            assert bool(list_said(records)) == said
        blank = items.astype(float)
        blank[:3] = np.nan
        records = self.read_totals(read, odi, blank)
        assert list_said(records) == ["Where the items of the ODI give no score, its recorded total counts."]


class TestSharedRows:
    def test_rows_that_no_block_reads_are_counted_and_said(self, read):
        table = make_sites({"North": 20, "South": 20, "": 3}, 0, 10, 1, -2)
        north = write_block("nprs") | {"only": {"column": "clinic", "values": ["north"]}}
        south = write_block("nprs") | {"only": {"column": "clinic", "values": ["South"]}}
        records = read(table, north, south)
        (left,) = [it for it in records.findings if it.rule == "ROWS_LEFT"]
        assert (left.count, records.n_read, len(records.episodes)) == (3, 40, 40)
        assert "left out" in str(left.said)
        blank = write_block("nprs") | {"only": [{"column": "clinic", "values": [""]}]}
        records = read(table, north, south, blank)
        assert (records.n_read, len(records.episodes)) == (43, 43)
        assert not [it for it in records.findings if it.rule == "ROWS_LEFT"]

    def test_one_time_point_on_another_scale(self, read):
        wide = make_sites({"North": 40}, 0, 100, 1, -15)
        lines = pd.concat([
            wide.assign(visit="baseline", score=wide["x0"]),
            wide.assign(visit="3 months", score=wide["x3"] / 10),
        ])  # fmt: skip
        columns = {"patient_id": "id", "therapy": "therapy", "timepoint": "visit"}
        block = {"path": "*.csv", "rows": "assessment", "columns": columns,
                 "scores": [{"instrument": "vas100", "column": "score"}]}  # fmt: skip
        later = {"column": "visit", "values": ["3 months"]}
        in_cm = {
            **block,
            "only": later,
            "scores": [{"instrument": "vas100", "column": "score", "scale": "cm"}],
        }
        records = read(lines, {**block, "without": later}, in_cm)
        means = records.assessments.groupby("timepoint", observed=True)["score"].mean()
        assert means.tolist() == pytest.approx([wide["x0"].mean(), wide["x3"].mean()])
