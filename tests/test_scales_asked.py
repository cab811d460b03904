"""On which scale scores are recorded: asked where headers, cells or numbers show another, quiet elsewhere."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outcomes.errors import OutcomesError, RecordsError
from outcomes.facts import Instrument, list_instruments, list_scales, read_instrument
from outcomes.facts.source import build_source
from outcomes.records import Records, read_records
from outcomes.records.conversion import rescale
from outcomes.records.scale_evidence import _chance, _find_tail, judge_scale
from outcomes.records.scoring import score_items
from outcomes.synthetic import write_clinic
from written_records import make_block_reader

SHARED = Path(os.environ.get("OUTCOMES_SHARED", ""))
needs_shared = pytest.mark.skipif("OUTCOMES_SHARED" not in os.environ, reason="OUTCOMES_SHARED is not set")

#: Questionnaires with a scale beside their own, subscales by themselves.
PROMS = [
    name
    for id in list_instruments()
    for name in (
        [f"{id}:{part}" for part in read_instrument(id).subscales]
        if read_instrument(id).variant_required
        else [id]
    )
    if read_instrument(id).kind == "prom"
    and read_instrument(id).scales
    and not read_instrument(id).scale_required
    and not id.startswith(("eq5d", "sf12", "rand36", "promis"))
]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Records]:
    """Read a table by one block of a source."""
    return make_block_reader(tmp_path)


def wide_block(instrument: str, start: str = "start", later: str = "later", **more: object) -> dict:
    return {
        "path": "a.csv",
        "rows": "episode",
        "columns": {"patient_id": "id", "therapy": "therapy"},
        "scores": [
            {"instrument": instrument, "timepoint": "baseline", "column": start, **more},
            {"instrument": instrument, "timepoint": "month_3", "column": later, **more},
        ],
    }


def wide_table(start: list, later: list, names: tuple[str, str] = ("start", "later")) -> pd.DataFrame:
    n = len(start)
    therapy = np.where(np.arange(n) % 2, "manual_therapy", "usual_care")
    return pd.DataFrame(
        {"id": [f"p{i:03d}" for i in range(n)], "therapy": therapy, names[0]: start, names[1]: later}
    )


def means(records: Records) -> list[float]:
    table = records.assessments
    return [
        round(float(table.loc[table["timepoint"] == at, "score"].mean()), 2) for at in ("baseline", "month_3")
    ]


def ask(read_it: Callable[[], Records]) -> str:
    """Return the one question about scales that reading ends with."""
    with pytest.raises(RecordsError) as caught:
        read_it()
    asked = [finding for finding in caught.value.findings if finding.outcome == "ask"]
    assert [finding.rule for finding in asked] == ["SCORE_SCALE"], str(caught.value)
    assert str(asked[0].what).endswith("?")
    return str(asked[0])


def list_lines(question: str) -> list[str]:
    return [line.split("  #")[0].strip() for line in question.splitlines() if "  # " in line]


def draw_course(
    name: str, rng: np.random.Generator, n: int, middle: float = 0.5, spread: float = 0.18
) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores of patients who get better, whole items where the instrument has items."""
    instrument = read_instrument(name)
    start = np.clip(middle + spread * rng.normal(size=n), 0.02, 0.98)
    later = np.clip(0.6 * start + 0.4 * middle - 0.17 + 0.12 * rng.normal(size=n), 0, 1)
    return tuple(_observe(instrument, severity, rng) for severity in (start, later))


def _observe(instrument: Instrument, severity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rule = instrument.scoring_rule
    if rule.rule == "single":
        share = severity if instrument.direction == "higher_worse" else 1 - severity
        scores = instrument.minimum + share * (instrument.maximum - instrument.minimum)
        return np.round(scores / (instrument.step or 1)) * (instrument.step or 1)
    low, high = (np.array(ends) for ends in rule.list_bounds(rule.n_items))
    turned = rule.list_reversed(rule.n_items)
    upward = (instrument.direction == "higher_worse") != (len(turned) == rule.n_items)
    share = (severity if upward else 1 - severity)[:, None]
    share = np.clip(share + rng.normal(0, 0.15, (len(severity), rule.n_items)), 0, 1)
    items = np.round(low + share * (high - low))
    for number in turned if len(turned) < rule.n_items else ():
        items[:, number - 1] = low[number - 1] + high[number - 1] - items[:, number - 1]
    return score_items(instrument, items).score


def record(instrument: Instrument, scores: np.ndarray, scale: str) -> np.ndarray:
    """Return scores as they are recorded on a scale."""
    rule = list_scales(instrument)[scale]
    decimals = 0 if rule.high > 10 else 1 if rule.high > 1 else 3
    recorded = np.round((scores - rule.offset) / rule.factor, decimals)
    return recorded.astype(int) if decimals == 0 else recorded


class TestSharedCases:
    @needs_shared
    def test_ndi_in_percent_is_asked_by_its_header_and_halved(self):
        folder = SHARED / "cases" / "reading" / "16-ndi-in-percent"
        text = (folder / "ndi100d.toml").read_text(encoding="utf-8")
        question = ask(lambda: _read_text(text, folder / "ndi100d"))
        assert "'NDI % start' names another scale" in question
        assert 'scale = "percent"' in question and 'scale = "own"' in question
        assert means(_read_text(_scale(text, "percent"), folder / "ndi100d")) == [15.25, 11.12]
        own = _read_text(_scale(text, "own"), folder / "ndi100d")
        assert means(own) == [30.5, 22.23]
        answered = [finding for finding in own.findings if finding.outcome == "answered"]
        assert {finding.measure for finding in answered} == {"ndi"}
        assert all("recorded as 0 to 50, although it looks like percent" in str(it.said) for it in answered)

    @needs_shared
    def test_old_oxford_scores_are_named_before_any_is_called_missing(self):
        folder = SHARED / "cases" / "reading" / "19-oxford-12-to-60"
        text = (folder / "ohs_old.toml").read_text(encoding="utf-8")
        with pytest.raises(RecordsError) as caught:
            _read_text(text, folder / "ohs_old")
        assert "missing" not in str(caught.value)
        assert "13 of 160 scores lie outside 0 to 48" in str(caught.value)
        assert 'scale = "legacy_12_60"' in str(caught.value)
        table = pd.read_csv(folder / "ohs_old" / "x.csv")
        expected = [round(float((60 - table[header]).mean()), 2) for header in ("odi0", "odi3")]
        assert means(_read_text(_scale(text, "legacy_12_60"), folder / "ohs_old")) == expected

    @needs_shared
    @pytest.mark.parametrize(
        ("file", "instrument", "scale", "factor"),
        [
            ("silent-fraction.csv", "odi", "proportion", 100),
            ("silent-ndi-percent.csv", "ndi", "percent", 0.5),
        ],
    )
    def test_a_silent_scale_is_asked_and_right_when_answered(self, read, file, instrument, scale, factor):
        table = pd.read_csv(SHARED / "cases" / "spreadsheets" / file)
        start, later = table.columns[2:]
        table["therapy"] = table["therapy"].replace({"strengthening exercise": "strengthening"})
        block = wide_block(instrument, start, later)
        question = ask(lambda: read(table, block))
        assert list_lines(question)[0] == f'scale = "{scale}"'
        records = read(table, wide_block(instrument, start, later, scale=scale))
        expected = [round(float(table[header].mean() * factor), 2) for header in (start, later)]
        assert means(records) == expected

    @needs_shared
    def test_traps_hold_a_raw_sum_and_centimetres(self, read):
        table = pd.read_csv(SHARED / "cases" / "spreadsheets" / "traps.csv")
        table["id"], table["therapy"] = table["patient"], "usual care"
        odi = wide_block("odi", "ODI score baseline", "ODI score 6 weeks")
        assert list_lines(ask(lambda: read(table, odi)))[0] == 'scale = "raw_0_50"'
        vas = wide_block("vas100", "VAS baseline", "VAS 6 weeks")
        assert list_lines(ask(lambda: read(table, vas)))[0] == 'scale = "cm"'

    @needs_shared
    @pytest.mark.parametrize(
        ("file", "id", "scale"), [("odi50.csv", "odi", "raw_0_50"), ("ohsold.csv", "ohs", "legacy_12_60")]
    )
    def test_headers_of_clinics_name_their_scale(self, read, file, id, scale):
        table = pd.read_csv(SHARED / "cases" / "reading" / "15-header-words-and-scales" / file)
        start, later = table.columns[2:]
        table = table.rename(columns={"Patient": "id", "Therapy": "therapy"})
        assert list_lines(ask(lambda: read(table, wide_block(id, start, later))))[0] == f'scale = "{scale}"'


def _read_text(text: str, folder: Path) -> Records:
    source = build_source(tomllib.loads(text), "case.toml")
    return read_records(source, folder, private_folder=Path(os.environ["PYTEST_PRIVATE"]))


def _scale(text: str, scale: str) -> str:
    return re.sub(r"(\[\[file\.scores\]\]\n)", rf'\1scale = "{scale}"\n', text)


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_PRIVATE", str(tmp_path / "private"))


class TestHeaders:
    @pytest.mark.parametrize(
        ("instrument", "header", "scale"),
        [
            ("ndi", "NDI % start", "percent"),
            ("ndi", "NDI（％）", "percent"),
            ("ndi", "NDI Prozent", "percent"),
            ("ndi", "NDI 0-100", "percent"),
            ("odi", "ODI /50", "raw_0_50"),
            ("odi", "ODI out of 50", "raw_0_50"),
            ("odi", "odi_0_50", "raw_0_50"),
            ("odi", "ODI 0-1", "proportion"),
            ("ohs", "OHS 12–60", "legacy_12_60"),
            ("vas100", "VAS cm", "cm"),
            ("vas100", "VAS (0-10)", "cm"),
            ("nprs", "pain 0-100", "scale_0_100"),
            ("phq9", "PHQ-9 (9-36)", "coded_from_1"),
            ("quickdash", "QuickDASH raw", "sum"),
            ("ftf_cm", "FTF mm", "mm"),
            ("sva_mm", "SVA in cm", "cm"),
            ("sorensen_s", "Sorensen (min)", "minutes"),
            ("rmdq24", "RMDQ %", "percent"),
            ("lefs", "LEFS % at start", "percent"),
        ],
    )
    def test_a_header_that_names_another_scale_is_a_doubt_by_itself(self, instrument, header, scale):
        evidence = judge_scale(read_instrument(instrument), [5.0, 6.0], headers=[header])
        assert (evidence.suspected, evidence.certain) == (scale, True)

    @pytest.mark.parametrize(
        ("instrument", "header"),
        [
            ("odi", "ODI %"),
            ("nprs", "pain 0-10"),
            ("ndi", "start: NDI 0-50"),
            ("ndi", "NDI /50"),
            ("vas100", "VAS mm"),
            ("odi", "ODI 6/52"),
            ("odi", "ODI 3/12"),
            ("vas100", "VAS 0-100"),
            ("ohs", "OHS 0-48"),
            ("odi", "odi_2024-01-05"),
            ("nprs", "NRS (0 to 10)"),
            ("odi", "ODI at 12-60 weeks"),
            ("sorensen_s", "Sorensen (s)"),
            ("ftf_cm", "FTF [cm]"),
        ],
    )
    def test_a_header_that_repeats_the_own_scale_is_none(self, instrument, header):
        assert judge_scale(read_instrument(instrument), [5.0, 6.0], headers=[header]).suspected is None

    def test_each_column_has_its_own_header(self, read):
        names = ("ODI % start", "ODI /50 later")
        block = wide_block("odi", *names)
        question = ask(lambda: read(wide_table([40, 42], [10, 12], names), block))
        assert "ODI /50 later" in question and "ODI % start" not in question
        block["scores"][1]["scale"] = "raw_0_50"
        assert means(read(wide_table([40, 42], [10, 12], names), block)) == [41.0, 22.0]

    def test_a_long_file_is_asked_by_the_name_of_its_measure(self, read):
        table = pd.DataFrame(
            {
                "id": ["a", "b"],
                "therapy": "usual_care",
                "visit": "month_3",
                "measure": "NDI %",
                "score": [40, 20],
            }
        )
        block = {
            "path": "a.csv", "rows": "assessment", "codes": {"instrument": {"NDI %": "ndi"}},
            "columns": {
                "patient_id": "id", "therapy": "therapy", "timepoint": "visit", "instrument": "measure",
                "score": "score",
            },
        }  # fmt: skip
        assert list_lines(ask(lambda: read(table, block))) == [
            '[file.scales] ndi = "percent"', '[file.scales] ndi = "own"',
        ]  # fmt: skip
        scores = read(table, {**block, "scales": {"ndi": "percent"}}).assessments["score"]
        assert sorted(scores) == [10.0, 20.0]


def test_one_time_point_of_a_long_file_is_asked_about(read):
    start, later = draw_course("odi", np.random.default_rng(2), 60, middle=0.6)
    ids, visits = [f"p{i:03d}" for i in range(60)] * 2, ["baseline"] * 60 + ["month_3"] * 60
    scores = [*start, *record(read_instrument("odi"), later, "raw_0_50")]
    table = pd.DataFrame(
        {"id": ids, "therapy": "usual_care", "visit": visits, "measure": "odi", "score": scores}
    )
    block = {
        "path": "a.csv", "rows": "assessment",
        "columns": {
            "patient_id": "id", "therapy": "therapy", "timepoint": "visit", "instrument": "measure",
            "score": "score",
        },
    }  # fmt: skip
    assert "at one time point" in ask(lambda: read(table, block))


class TestNumbers:
    """Values drawn on each scale: asked, or evidently the own; exact when declared."""

    #: Of these, numbers alone often do not tell: sums that only start one item higher.
    QUIET = ("coded_from_1", "sum_10_60", "raw_10_60", "problems_100")

    @pytest.mark.parametrize("name", PROMS)
    def test_scores_on_another_scale_are_asked_about(self, name):
        rng = np.random.default_rng(5)
        instrument = read_instrument(name)
        for scale, rule in list_scales(instrument).items():
            if scale == "own" or rule.per or rule.by_table:
                continue
            asked = 0
            for _ in range(10):
                recorded = [record(instrument, part, scale) for part in draw_course(name, rng, 250)]
                effect = _find_effect(instrument, *recorded)
                values, counts = np.unique(np.concatenate(recorded), return_counts=True)
                evidence = judge_scale(instrument, values, counts, effect=effect)
                asked += scale in evidence.readings
            assert asked >= (2 if scale in self.QUIET else 9), (scale, asked)

    @pytest.mark.parametrize("name", [name for name in PROMS if ":" not in name])
    def test_a_declared_scale_gives_the_scores_exactly(self, read, name):
        rng, instrument = np.random.default_rng(6), read_instrument(name)
        start, later = draw_course(name, rng, 30)
        for scale, rule in list_scales(instrument).items():
            if rule.per or rule.by_table:
                continue
            recorded = [(part - rule.offset) / rule.factor for part in (start, later)]
            records = read(wide_table(*map(list, recorded)), wide_block(name, scale=scale))
            assert means(records) == [round(float(part.mean()), 2) for part in (start, later)]
            assert not [it for it in records.findings if it.outcome == "answered"], scale

    @pytest.mark.parametrize("name", ["koos_jr", "hoos_jr"])
    def test_sums_before_the_table_are_asked_and_looked_up(self, read, name):
        items = np.random.default_rng(1).binomial(4, 0.5, (60, read_instrument(name).scoring_rule.n_items))
        sums, scores = items.sum(axis=1), score_items(name, items.astype(float)).score
        table = wide_table(list(sums[:30]), list(sums[30:]))
        assert list_lines(ask(lambda: read(table, wide_block(name))))[0] == 'scale = "sum"'
        assert means(read(table, wide_block(name, scale="sum"))) == [
            round(float(part.mean()), 2) for part in (scores[:30], scores[30:])
        ]

    def test_a_question_is_asked_once_for_all_columns_and_answered_in_their_blocks(self, read):
        start, later = (
            record(read_instrument("odi"), it, "raw_0_50")
            for it in draw_course("odi", np.random.default_rng(1), 40)
        )
        question = ask(lambda: read(wide_table(list(start), list(later)), wide_block("odi")))
        assert "in its [[file.scores]]: 'start', 'later'" in question
        assert re.search(r"all 80 scores lie within 0 to 50; \d+ lie between the steps of 2", question)

    def test_one_column_on_another_scale_is_asked_about_alone(self, read):
        start, later = draw_course("odi", np.random.default_rng(2), 60, middle=0.6)
        table = wide_table(list(start), list(record(read_instrument("odi"), later, "raw_0_50")))
        question = ask(lambda: read(table, wide_block("odi")))
        assert "in one column" in question and "'start'" not in question

    def test_one_site_on_another_scale_is_asked_about(self, read):
        start, later = draw_course("odi", np.random.default_rng(3), 90, middle=0.6)
        table = wide_table(list(start), list(later))
        table["site"] = np.repeat(["north", "south", "west"], 30)
        west = table["site"] == "west"
        table.loc[west, ["start", "later"]] //= 2
        block = wide_block("odi")
        block["columns"]["site"] = "site"
        assert "at one site" in ask(lambda: read(table, block))

    def test_some_scores_as_a_share_among_others_in_percent_are_asked_about(self, read):
        start, later = draw_course("odi", np.random.default_rng(4), 60)
        start[:12] /= 100
        question = ask(lambda: read(wide_table(list(start), list(later)), wide_block("odi")))
        assert "12 of 120 scores lie between the steps of 2, all within 0 to 1" in question
        assert "correct the file" in question

    def test_own_is_an_answer_and_is_printed_where_numbers_speak_against_it(self, read):
        start, later = (it / 2 for it in draw_course("odi", np.random.default_rng(1), 40))
        table = wide_table(list(start), list(later))
        records = read(table, wide_block("odi", scale="own"))
        assert means(records) == [round(float(start.mean()), 2), round(float(later.mean()), 2)]
        said = [str(finding.said) for finding in records.findings if finding.outcome == "answered"]
        assert said and said[0].startswith("The source says that the ODI is recorded as 0 to 100, although")
        assert not re.search(r"\d{2} (patients|scores)", said[0])

    def test_another_declared_scale_is_answered_where_the_numbers_are_on_the_own(self, read):
        start, later = draw_course("ndi", np.random.default_rng(1), 60)
        records = read(wide_table(list(start), list(later)), wide_block("ndi", scale="percent"))
        said = [str(finding.said) for finding in records.findings if finding.outcome == "answered"]
        assert said == [
            "The source says that the NDI is recorded as percent, 0 to 100, although it looks like 0 to 50."
        ]

    def test_scores_that_get_worse_on_a_reversed_scale_are_asked_about(self, read):
        start, later = (100 - it for it in draw_course("koos:pain", np.random.default_rng(1), 80))
        block = wide_block("koos")
        for entry in block["scores"]:
            entry["variant"] = "pain"
        question = ask(lambda: read(wide_table(list(start), list(later)), block))
        assert "move against the direction of improvement" in question
        assert list_lines(question)[0] == 'scale = "problems_100"'

    def test_a_single_slip_is_refused_and_not_asked_about(self, read):
        start, later = draw_course("nprs", np.random.default_rng(1), 60)
        for slip in (70, 8765, -1):
            start[7] = slip
            records = read(wide_table(list(start), list(later)), wide_block("nprs"))
            assert {it.rule for it in records.findings} & {"SCORE_RANGE"}
            assert len(records.assessments) == 119

    def test_a_refused_score_that_a_known_scale_holds_says_so_before_missing(self, read):
        start, later = draw_course("ndi", np.random.default_rng(1), 60)
        start[7] = 62
        found = next(
            it for it in read(wide_table(list(start), list(later)), wide_block("ndi")).findings
            if it.rule == "SCORE_RANGE"
        )  # fmt: skip
        assert str(found.remedy).index('scale = "percent"') < str(found.remedy).index("missing")


def _find_effect(instrument: Instrument, start: np.ndarray, later: np.ndarray) -> tuple[float, int]:
    change = instrument.sign * (later - start)
    return float(change.mean() / change.std()), len(change)


class TestCleanFiles:
    def test_samples_on_the_own_scale_ask_nothing(self):
        """Mild and severe, small and large, with blanks and slips: at most 1 of 100 samples asks."""
        rng = np.random.default_rng(11)
        asked, seen = [], 0
        for name in PROMS:
            instrument = read_instrument(name)
            for _ in range(12):
                n = int(np.exp(rng.uniform(np.log(20), np.log(1000))))
                middle, spread = rng.uniform(0.2, 0.8), rng.uniform(0.08, 0.22)
                start, later = draw_course(name, rng, n, middle, spread)
                effect = _find_effect(instrument, start, later)
                scores = np.concatenate([start, later])
                slips = rng.random(len(scores)) < rng.choice([0, 0.005])
                scores[slips] = rng.choice([99, 999, -1, 70], size=int(slips.sum()))
                values, counts = np.unique(scores, return_counts=True)
                found = judge_scale(instrument, values, counts, effect=effect)
                seen += 1
                asked += [(name, n, round(middle, 2), found.why)] if found.suspected else []
        assert len(asked) <= seen // 100, asked

    @pytest.mark.parametrize("n_episodes", [20, 45, 120, 400, 1500])
    def test_a_made_up_clinic_of_any_size_asks_nothing(self, tmp_path, n_episodes):
        for seed in range(3):
            folder = tmp_path / f"{seed}"
            write_clinic(folder, n_episodes=n_episodes, seed=seed)
            records = read_records("made-up-clinic", folder, private_folder=tmp_path / "private")
            assert not [it for it in records.findings if it.rule.startswith(("SCORE_SCALE", "ITEM_CODING"))]

    @needs_shared
    @pytest.mark.parametrize(
        ("source", "folder"),
        [
            ("nhs-proms-2018-19", "nhs-proms-2018-19-sample"), ("ashar-2022", "ashar-2022-back-pain"),
            ("verwoerd-2024", "verwoerd-2024-neck-pain"),
        ],
    )  # fmt: skip
    def test_shipped_sources_ask_nothing(self, tmp_path, source, folder):
        records = read_records(source, SHARED / "data" / folder, private_folder=tmp_path / "private")
        assert not [it for it in records.findings if it.outcome in ("ask", "answered")]


class TestPromis:
    """T scores lie on 10 to 90 and sums of items inside it: decimals, ends and means tell them apart."""

    FORMS = ("promis_pf_4a:v2_0", "promis_pi_4a", "promis_pf_6b", "promis_pi_6:6a", "promis_pf_8b",
             "promis_pi_8a", "promis29:fatigue", "promis_pf_10a")  # fmt: skip

    def count_asked(self, name: str, samples: list[np.ndarray]) -> int:
        instrument = read_instrument(name)
        found = (judge_scale(instrument, *np.unique(it, return_counts=True)) for it in samples)
        return sum(it.suspected is not None for it in found)

    def draw(self, means: tuple[int, ...], decimals: int) -> list[np.ndarray]:
        rng = np.random.default_rng(7)
        return [
            np.round(np.clip(rng.normal(mean, spread, n), 20, 80), decimals)
            for mean in means
            for spread in (6, 8, 10)
            for n in (20, 50, 120, 500)
            for _ in range(5)
        ]

    @pytest.mark.parametrize("name", FORMS)
    def test_t_scores_with_a_decimal_ask_nothing(self, name):
        assert self.count_asked(name, self.draw((36, 40, 50, 60), 1)) == 0

    @pytest.mark.parametrize("name", FORMS)
    def test_rounded_t_scores_ask_nothing_but_where_a_sum_is_as_likely(self, name):
        means = (45, 50, 60) if name == "promis_pf_10a" else (36, 40, 50, 60)
        samples = self.draw(means, 0)
        assert self.count_asked(name, samples) <= len(samples) // 100

    @pytest.mark.parametrize("name", FORMS)
    def test_sums_are_asked_about(self, name):
        rng, scale = np.random.default_rng(7), list_scales(read_instrument(name))["sum"]
        samples = [
            np.round(np.clip(scale.low + rng.normal(middle, 0.2, n) * (scale.high - scale.low), scale.low,
                             scale.high))
            for middle in (0.3, 0.5, 0.7)
            for n in (20, 50, 120, 500)
            for _ in range(5)
        ]  # fmt: skip
        assert self.count_asked(name, samples) >= 0.95 * len(samples)


class TestItems:
    ITEMS = tuple(f"q{number}" for number in range(1, 11))

    def block(self, instrument: str = "odi", n_items: int = 10, **more: object) -> dict:
        items = [f"q{number}" for number in range(1, n_items + 1)]
        return {
            "path": "a.csv", "rows": "episode", "columns": {"patient_id": "id", "therapy": "therapy"},
            "scores": [{"instrument": instrument, "timepoint": "baseline", "items": items, **more}],
        }  # fmt: skip

    def table(self, items: np.ndarray) -> pd.DataFrame:
        held = pd.DataFrame(items.astype(int), columns=[f"q{i + 1}" for i in range(items.shape[1])])
        return pd.concat(
            [pd.DataFrame({"id": [f"p{i:03d}" for i in range(len(items))], "therapy": "usual_care"}), held],
            axis=1,
        )

    @pytest.mark.parametrize(
        ("instrument", "n_items", "low", "high"),
        [
            ("odi", 10, 0, 5),
            ("ndi", 10, 0, 5),
            ("phq9", 9, 0, 3),
            ("gad7", 7, 0, 3),
            ("lefs", 20, 0, 4),
            ("quickdash", 11, 1, 5),
            ("tsk11", 11, 1, 4),
        ],
    )
    def test_items_coded_from_another_number_are_asked_and_right_when_coded(
        self, read, instrument, n_items, low, high
    ):
        items = np.random.default_rng(1).integers(low, high + 1, (30, n_items))
        shift = 1 if low == 0 else -1
        table = self.table(items + shift)
        with pytest.raises(RecordsError) as caught:
            read(table, self.block(instrument, n_items))
        question = next(it for it in caught.value.findings if it.outcome == "ask")
        assert question.rule == "ITEM_CODING"
        assert f"coded from {low + shift} instead of {low}?" in str(question.what)
        codes = {str(code + shift): code for code in range(low, high + 1)}
        line = "item_codes = { " + ", ".join(f"{key} = {value}" for key, value in codes.items()) + " }"
        assert line in str(question)
        scores = read(table, self.block(instrument, n_items, item_codes=codes)).assessments["score"]
        assert scores.tolist() == pytest.approx(score_items(instrument, items.astype(float)).score.tolist())

    def test_old_oxford_items_are_offered_in_their_printed_order_first(self, read):
        items = np.random.default_rng(1).integers(1, 6, (30, 12))
        with pytest.raises(RecordsError) as caught:
            read(self.table(items), self.block("oks", 12))
        asked = next(it for it in caught.value.findings if it.outcome == "ask")
        assert list_lines(str(asked))[0] == "item_codes = { 1 = 4, 2 = 3, 3 = 2, 4 = 1, 5 = 0 }"

    def test_yes_and_no_as_1_and_2_are_asked_about(self, read):
        items = np.random.default_rng(1).integers(1, 3, (30, 24))
        with pytest.raises(RecordsError) as caught:
            read(self.table(items), self.block("rmdq24", 24))
        asked = next(it for it in caught.value.findings if it.outcome == "ask")
        assert list_lines(str(asked))[:2] == [
            "item_codes = { 1 = 1, 2 = 0 }",
            "item_codes = { 1 = 0, 2 = 1 }",
        ]

    def test_answers_never_at_the_lowest_are_asked_about_and_may_be_confirmed(self, read):
        items = np.random.default_rng(1).integers(1, 6, (30, 10))
        with pytest.raises(RecordsError, match="none is the lowest"):
            read(self.table(items), self.block())
        records = read(self.table(items), self.block(confirmed=["item_coding"]))
        assert records.assessments["score"].mean() == pytest.approx(items.sum(axis=1).mean() * 2)
        assert [str(it.said) for it in records.findings if it.outcome == "answered"] == [
            "The source says that the items of the ODI are coded from 0."
        ]

    def test_few_forms_or_a_few_slips_ask_nothing(self, read):
        rng = np.random.default_rng(1)
        read(self.table(rng.integers(1, 6, (5, 10))), self.block())
        items = rng.integers(0, 6, (60, 10))
        items[3, 4] = 6
        records = read(self.table(items), self.block())
        assert len(records.assessments) == 59


@needs_shared
def test_truth_is_what_the_answered_sheets_give(read):
    truth = json.loads((SHARED / "cases" / "spreadsheets" / "truth.json").read_text(encoding="utf-8"))
    table = pd.read_csv(SHARED / "cases" / "spreadsheets" / "silent-fraction.csv")
    start, later = table.columns[2:]
    table["therapy"] = "usual care"
    records = read(table, wide_block("odi", start, later, scale="proportion"))
    given = records.assessments.loc[records.assessments["timepoint"] == "baseline", "score"]
    assert given.mean() == pytest.approx(np.mean([entry["b"] for entry in truth]), abs=0.01)


def test_rescale_leaves_the_own_scale_as_it_is():
    assert rescale("odi", [41.0], "own").tolist() == [41.0]
    with pytest.raises(OutcomesError, match="has no scale 'raw'"):
        rescale("odi", [41.0], "raw")


def test_of_a_value_that_all_have_the_chance_is_that_of_nearly_all():
    assert _chance(5, 5, 0.5, 1.0) == pytest.approx(5 * np.log(0.999))
    assert _chance(0, 5, 0.0, 0.5) == pytest.approx(5 * np.log(0.999))
    assert _chance(2, 4, 0.0, 1.0) == pytest.approx(4 * np.log(0.5))
    assert _chance(4, 4, 0.0, 0.5) == pytest.approx(4 * np.log(0.5))


def test_the_tail_of_the_normal_distribution():
    assert _find_tail(0.0) == 0.5
    assert _find_tail(1.959964) == pytest.approx(0.025, rel=1e-5)
    assert _find_tail(-1.644854) == pytest.approx(0.95, rel=1e-6)
