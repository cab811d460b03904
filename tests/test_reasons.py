"""Why a row is not shown: the rule that decided it, for the team alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import outcomes
from outcomes.analyses import (
    check_comparability,
    compare_over_time,
    compare_respondents,
    compare_sites,
    count_at_ends,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    estimate_effect_sizes,
    monitor_periods,
    summarise_change,
    trace_cumulative,
)
from outcomes.cli import app
from outcomes.cohort import select_cohort
from outcomes.disclosure import policy, read_rules, release
from outcomes.disclosure.decisions import Fate, Reason
from outcomes.disclosure.ledger import Edition, open_ledger
from outcomes.disclosure.page_context import hand_ledger, name_run_folder, open_page
from outcomes.disclosure.released import read_backing, write_backing
from outcomes.facts import read_words
from outcomes.panel import open_panel
from outcomes.result import Patients, build_result
from outcomes.synthetic import simulate_clinic
from outcomes.views import tabulate_change
from panel_texts import read_texts
from small_clinics import write_small_clinic

ANALYSES = (
    check_comparability, compare_over_time, compare_respondents, count_at_ends, count_completeness,
    count_flow,
    count_responders, describe_baseline, estimate_effect_sizes, monitor_periods, summarise_change,
    trace_cumulative,
)  # fmt: skip
NOBODY_NEEDS_A_REASON = {Fate.SHOWN}


def people(n, start=0):
    return np.arange(start, start + n)


def make(name, rows, support, **kwargs):
    place = {"outcome": "odi", "timepoint": "month_6", "unit": "points", "group": "a"}
    return build_result(name, [{**place, **row} for row in rows], method="How.", support=support, **kwargs)


def row(statistic, n, **columns):
    return {"statistic": statistic, "estimate": n, "n": n, **columns}


def share(statistic, n_with, n_without, start=0, **columns):
    n = n_with + n_without
    members = people(n, start)
    sets = {"all": members, "with": members[:n_with], "without": members[n_with:]}
    return {"statistic": statistic, "estimate": n_with / n, "n": n, **columns}, sets


def one(name, given, support, **kwargs):
    return make(name, [given], [support], **kwargs)


def pairs(name, *rows_with_support, **kwargs):
    rows, support = zip(*rows_with_support, strict=True)
    return make(name, rows, support, **kwargs)


def difference_of_a_withheld_category():
    rows = []
    for group, n in (("seen", 300), ("not_seen", 100)):
        for level, n_with in (("x", 4), ("y", n - 4)):
            rows.append(share("share", n_with, n - n_with, 1000 * n, term="region", level=level, group=group))
    smd = {"statistic": "smd", "term": "region", "group": "seen", "versus": "not_seen", "estimate": 0.21}
    return pairs("nonresponse", *rows, (smd, {"group": people(300), "versus": people(100, 5000)}))


def flow(*, episodes=False):
    rows = []
    for step, n in (("start", 100), ("age", 97), ("end", 60)):
        gone = {"start": 0, "age": 3, "end": 37}[step]
        rows.append((row("n_patients", n, term=step, group="all"), {"all": people(n)}))
        rows.append((row("n_excluded_patients", gone, term=step, group="all"), {"all": people(gone, 200)}))
        if episodes:
            rows.append((row("n_episodes", n, term=step, group="all"), {"all": people(n)}))
            removed = row("n_excluded_episodes", gone, term=step, group="all")
            rows.append((removed, {"all": people(gone, 200)}))
    return pairs("flow", *rows)


def sites():
    sizes = {"north": 60, "south": 60, "west": 20}
    rows = [row("adjusted_improvement", n, term="site", group=site) for site, n in sizes.items()]
    return make("site_funnel", rows, [{"all": people(n, 100 * i)} for i, n in enumerate(sizes.values())])


def chart():
    rows = [
        (row("mean_improvement", n, term="baseline", group=name), {"all": people(n, 1000 * i)})
        for i, (name, n) in enumerate({"2023Q1": 40, "2023Q2": 5, "all": 45}.items())
    ]
    return pairs("trend", *rows, (row("control_limit", 40, group="2023Q1"), {"all": people(40)}))


def sums():
    sizes = {"a": 60, "all": 63}
    rows = [row("mean_score", n, group=name) for name, n in sizes.items()]
    return make("change", rows, [{"all": people(n)} for n in sizes.values()])


def empty_line():
    rows = [
        share("share_improved", n_with, n_without, 1000 * number, term=term, group=group, level=level)
        for number, (group, term, level, n_with, n_without) in enumerate(
            [("a", "seen", "easy", 60, 60), ("b", "seen", "easy", 60, 60), ("a", "seen", "hard", 3, 12)]
        )
    ]
    return pairs("responders", *rows)


def start_withheld():
    """A start of few beside a later score and an improvement, which together give it."""
    rows = [row("mean_score", 9, timepoint="baseline")]
    rows += [row(name, 50, timepoint="month_6") for name in ("mean_expected", "mean_improvement")]
    return make("change", rows, [{"all": people(9)}, {"all": people(50)}, {"all": people(50)}])


def overlapping_counts():
    """Two groupings of the same patients: the sizes of the one bound those of the other."""
    groups = {"a": people(8), "b": people(50, 8), "x": people(58), "all": people(58)}
    rows = [(row("n", 8, level="one", group="a"), {"all": groups["a"]})]
    rows += [
        (row("n", len(groups[name]), level=name, group=name), {"all": groups[name]}) for name in ("b", "x")
    ]
    return pairs("baseline", *rows)


MADE = {
    Reason.INSIDE: one("model_checks", row("mean_residual", 50), {"all": people(50)}),
    Reason.TEAM_ONLY: one("completeness", row("n_missing", 50), {"all": people(50)}),
    Reason.NOT_COMPARABLE: one(
        "over_time", row("contrast", 50, versus="b"), {"group": people(50), "versus": people(50, 90)},
        comparable=False,
    ),
    Reason.NOT_FITTED: one("over_time", row("mean_score", 50, state="not_converged"), {"all": people(50)}),
    Reason.FEW: one("change", row("mean_score", 10), {"all": people(10)}),
    Reason.SIDE: pairs("responders", share("share_improved", 5, 100)),
    Reason.FULL_CELL: pairs("responders", share("share_improved", 0, 32)),
    Reason.ALL_ALIKE: one("change", row("mean_score", 40, std_error=0.0), {"all": people(40)}),
    Reason.BAND: pairs("completeness", share("share_seen", 14, 8)),
    Reason.SPREAD: one("change", row("sd_score", 40), {"all": people(40)}),
    Reason.COMPLEMENT: make(
        "completeness", [row("n_due", 400), row("n_seen", 392)], [{"all": people(400)}, {"all": people(392)}]
    ),
    Reason.STEP: pairs(
        "cumulative", *(share("share_improved_by", n, 200 - n, x=float(n)) for n in (100, 105, 120))
    ),
    Reason.NEIGHBOUR: make(
        "baseline", [row("n", n, group=name) for name, n in {"a": 8, "b": 60, "all": 68}.items()],
        [{"all": people(8)}, {"all": people(60, 100)}, {"all": people(68)}],
    ),
    Reason.DIFFERENCE: difference_of_a_withheld_category(),
    Reason.FLOW: flow(),
    Reason.EPISODES: flow(episodes=True),
    Reason.SITES: sites(),
    Reason.CENTRE: chart(),
    Reason.SUM: sums(),
    Reason.PAGE: overlapping_counts(),
    Reason.EMPTY_LINE: empty_line(),
    Reason.RESTATED: start_withheld(),
}  # fmt: skip


@pytest.mark.parametrize(("reason", "result"), MADE.items(), ids=str)
def test_each_rule_records_its_reason(reason, result):
    assert any(reason in reasons for reasons in list_decisions(result))
    assert len(release(result).why()) == len(result.table)


def list_decisions(result):
    """Return the reasons of each row, in the order in which rules gave them."""
    kept = []
    build = policy.tell_reasons
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(policy, "tell_reasons", lambda made, found: kept.append(found) or build(made, found))
        release(result)
    return kept[0].reasons


def test_a_table_that_cannot_be_checked_in_time_is_cut_down(monkeypatch):
    rules = dataclasses.replace(read_rules(11), joint={"seconds": 0, "audit_seconds": 0})
    monkeypatch.setattr(policy, "read_rules", lambda *_: rules)
    sizes = {"a": 8, "b": 60, "c": 90, "all": 158}
    rows = [row("n", n, group=name) for name, n in sizes.items()]
    released = release(
        make("baseline", rows, [{"all": people(n, 100 * i)} for i, n in enumerate(sizes.values())])
    )
    assert released.table["group"].tolist() == ["all"]
    assert released.why()["reason"].tolist() == ["few", "neighbour", "cut_down", ""]


def test_a_number_of_an_earlier_edition_says_so(monkeypatch, tmp_path):
    def measure(n):
        patients = Patients(
            np.array([f"P{one}" for one in range(60)], dtype=object), np.arange(60, dtype="uint64")
        )
        return one("change", row("mean_improvement", n), {"all": people(n)}, patients=patients)

    with open_ledger(tmp_path / ".outcomes") as ledger:
        for number, n in enumerate((50, 51)):
            day = f"200{number}-01-01"
            edition = Edition(f"run{number}", "r", "p", series="whole", slot=day, k=11, made=day)
            (tmp_path / str(number)).mkdir()
            hand_ledger(tmp_path / ".outcomes", edition, tmp_path / str(number))
            for variable, value in name_run_folder(tmp_path / str(number)).items():
                monkeypatch.setenv(variable, value)
            released = release(measure(n), open_page())
            ledger.enter(edition, [released])
            ledger.prepare(edition.id, "A. Nurse", day)
            ledger.settle(edition.id)
    assert released.why()[["fate", "reason"]].values.tolist() == [["held", "earlier_edition"]]
    assert released.table["fate"].tolist() == ["held"]


def test_every_reason_is_tried_above_and_has_a_sentence():
    assert set(Reason) == MADE.keys() | {Reason.CUT_DOWN, Reason.EARLIER_EDITION}
    assert set(read_words().list("release.reason")) == set(Reason)


@pytest.fixture(scope="module")
def clinics(tmp_path_factory):
    """A made-up clinic, a small one of 60 patients, and one whose second site has nine."""
    small = write_small_clinic(tmp_path_factory.mktemp("small"), 60, ["manual_therapy", "exercise_therapy"])
    whole = simulate_clinic(300, seed=3)
    episodes = whole.episodes.copy()
    few = set(episodes["patient_id"].drop_duplicates().head(9))
    episodes["site"] = pd.Categorical(["south" if id in few else "north" for id in episodes["patient_id"]])
    return {
        "made up": whole,
        "small": outcomes.read_records("made-up-clinic", small),
        "two sites": dataclasses.replace(whole, episodes=episodes),
    }


@pytest.mark.parametrize("name", ["made up", "small", "two sites"])
def test_each_row_that_is_not_shown_has_a_reason(clinics, name):
    cohort = select_cohort(clinics[name], instrument="odi")
    results = [analyse(cohort) for analyse in ANALYSES]
    if name != "small":
        results += [compare_sites(cohort), summarise_change(cohort, by="site")]
    for result in results:
        why = release(result).why()
        assert len(why) == len(result.table)
        explained = why["reason"].isin(set(Reason)) & why["sentence"].ne("")
        assert (explained | why["fate"].isin(NOBODY_NEEDS_A_REASON)).all(), result.name
        team = release(result, "team").why()
        assert set(team.loc[team["fate"] == "unsaid", "reason"]) <= {Reason.NOT_COMPARABLE}
        assert not team["fate"].isin(["withheld", "few"]).any()


def test_reasons_are_filtered_with_their_rows():
    released = release(MADE[Reason.NEIGHBOUR])
    assert released.where(group="a").why()["reason"].tolist() == ["few"]
    assert released.where(group=["b"]).why()["reason"].tolist() == ["neighbour"]


def test_fates_and_reasons_stay_with_the_team(tmp_path):
    result = MADE[Reason.NEIGHBOUR]
    released = release(result)
    sentence = read_words().say("release.reason.neighbour")
    assert sentence in set(released.why()["sentence"])
    view = tabulate_change(release(MADE[Reason.FEW]))
    assert view.table is None or "fate" not in view.table
    texts = [repr(released), released._repr_html_(), released.to_frame().to_csv(), *map(str, released.notes)]
    assert all(sentence not in text and "fate" not in text for text in texts)
    assert released.backing is not None
    write_backing(released.backing, tmp_path, "baseline")
    assert "reason" not in pd.read_parquet(tmp_path / "baseline.parquet")
    assert read_backing(tmp_path, "baseline").fates == tuple(released.table["fate"])


def test_the_command_line_tells_the_team_why():
    asked = ["analyse", "responders", "--instrument", "odi", "--audience", "stakeholder", "--why"]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0, found.output
    assert "side" in found.output and read_words().say("release.reason.side", k=11) in found.output
    listed = CliRunner().invoke(app, [*asked, "--format", "csv"])
    assert listed.output.splitlines()[0].endswith("fate,reason,sentence")
    assert CliRunner().invoke(app, ["analyse", "change", "--why"]).exit_code == 2


def test_the_panel_tells_the_team_why_stakeholders_do_not_see_a_number():
    panel = open_panel(simulate_clinic(120, seed=2))
    said = read_words().say("release.reason.spread")
    assert said not in read_texts(panel)["warning"]
    panel.choose(audience="stakeholder")
    assert said in read_texts(panel)["warning"]
    assert said not in read_texts(panel)["numbers"]
