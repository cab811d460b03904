"""Period by period: limits from the baseline, signals by named rules, nothing from periods still open."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import FUNCTION, PAIN, assemble_cohort, ends, pick, supported, wilson
from outcomes.analyses import monitor_periods
from outcomes.analyses._charts import find_signals
from outcomes.cohort import select_cohort
from outcomes.disclosure import release
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts
from outcomes.records import read_records
from outcomes.synthetic import simulate_clinic
from outcomes.views import draw_trend, say_trend, tabulate_periods
from outcomes.views.labels import read_labels
from outcomes.views.periods import list_periods, plot_trend

FACTS = read_facts("monitoring")["periods"]
RULES = {**FACTS["rules"], **FACTS["limits"]}


def fulfilled(z, values=None):
    """Return the points and rules that some standardised values fulfil."""
    flat = [(-1) ** place * 0.001 * place for place in range(len(z))]
    found = find_signals(z, flat if values is None else values, RULES)
    return [(signal.point, signal.rule, signal.better) for signal in found]


def test_a_point_beyond_a_limit_is_a_signal_on_its_side():
    assert fulfilled([0.5, 3.1, -0.5, -3.1]) == [(1, "beyond_limits", True), (3, "beyond_limits", False)]
    assert fulfilled([0.5, 3.0, -3.0]) == []


def test_two_of_three_near_the_same_limit():
    assert fulfilled([2.1, 0.0, 2.2]) == [(2, "near_limit", True)]
    assert fulfilled([2.1, -2.1, 0.0]) == []
    assert fulfilled([2.1, 0.0, 0.0, 2.2]) == []


@pytest.mark.parametrize("n", [6, 7, 8])
def test_seven_on_one_side_are_a_shift(n):
    expected = [(place, "shift", False) for place in range(6, n)]
    assert fulfilled([-0.5] * n) == expected


def test_a_point_on_the_centre_ends_a_run():
    assert fulfilled([0.5] * 3 + [0.0] + [0.5] * 6) == []


def test_seven_rising_or_falling_are_a_trend():
    z = [0.1, -0.1] * 4
    rising = [1, 2, 3, 4, 5, 6, 7, 6]
    assert fulfilled(z, rising) == [(6, "trend", True)]
    assert fulfilled(z, [-value for value in rising]) == [(6, "trend", False)]
    assert fulfilled(z, [1, 2, 3, 4, 4, 5, 6, 7]) == []


def build_periods(gains, *, n=20, instrument=PAIN, spread=1.5, **columns):
    """Build a cohort with one quarter per gain, from 2020 on; every quarter has the same spread."""
    noise = np.linspace(-spread, spread, n)
    parts = []
    for place, gain in enumerate(gains):
        start = pd.Timestamp("2020-02-01") + pd.DateOffset(months=3 * place)
        part = pd.DataFrame({"patient": [f"{place}-{i}" for i in range(n)], "therapy": "x"})
        part["start_date"] = start.date().isoformat()
        for name, value in columns.items():
            part[name] = value
        part["baseline"] = 5.0
        part["month_6"] = 5.0 + instrument.sign * (gain + noise)
        parts.append(part)
    return assemble_cohort(pd.concat(parts, ignore_index=True), instrument=instrument)


def test_centre_and_limits_come_from_the_baseline_periods_alone():
    gains = [1.0, 1.2, 0.8, 1.0, 1.1, 0.9, 1.0, 1.0]
    calm, later = monitor_periods(build_periods(gains)), monitor_periods(build_periods([*gains, 9.0, 9.0]))
    for result in (calm, later):
        assert pick(result, statistic="mean_improvement", group="all")["estimate"] == pytest.approx(1.0)
        # 20 values evenly from -1.5 to 1.5 have the standard deviation 0.934118
        limit = pick(result, statistic="control_limit", group="2020Q1")
        assert limit["conf_high"] - limit["estimate"] == pytest.approx(3 * 0.934118 / np.sqrt(20), abs=1e-6)
        assert supported(result)
    assert calm.where(statistic="signal").table.empty
    beyond = later.where(statistic="signal", level="beyond_limits").table
    assert beyond["group"].tolist() == ["2022Q1", "2022Q2"] and set(beyond["term"]) == {"better"}
    roles = later.where(statistic="mean_improvement").table.set_index("group")["term"]
    assert roles["2021Q4"] == "baseline" and roles["2022Q1"] == "later"


@pytest.mark.parametrize("instrument", [PAIN, FUNCTION])
def test_better_is_better_whatever_the_direction_of_the_score(instrument):
    result = monitor_periods(build_periods([1.0] * 8 + [-3.0], instrument=instrument))
    row = pick(result, statistic="signal", level="beyond_limits")
    assert (row["group"], row["term"]) == ("2022Q1", "worse")
    assert "worse" in say_trend(release(result)).html


def test_fewer_periods_than_a_baseline_have_no_limits_and_say_so():
    result = monitor_periods(build_periods([1.0] * 7))
    assert not set(result.table["statistic"]) & {"control_limit", "signal"}
    assert "no limits and no signals yet" in say_trend(release(result, "team")).html


def test_shares_have_binomial_limits():
    result = monitor_periods(build_periods([1.0] * 8), measured="responders", threshold="absolute:1")
    centre = pick(result, statistic="share_improved", group="all")["estimate"]
    limit = pick(result, statistic="control_limit_share", group="2020Q1")
    assert centre == 0.5
    assert limit["conf_high"] == pytest.approx(0.5 + 3 * np.sqrt(0.25 / 20))


def test_a_chart_of_means_by_hand():
    """Nine quarters of 20, each with the deviation 0.934118; the first eight give the centre."""
    gains = [1.0, 1.2, 0.8, 1.0, 1.1, 0.9, 1.0, 1.0, 3.0]
    result = monitor_periods(build_periods(gains))
    periods = result.where(statistic="mean_improvement").table.set_index("group")
    assert periods.loc[periods.index != "all", "estimate"].tolist() == pytest.approx(gains)
    error = 0.934118 / np.sqrt(20)
    assert periods.loc["2020Q1", "std_error"] == pytest.approx(error, abs=1e-6)
    limit = pick(result, statistic="control_limit", group="2022Q1")
    assert limit["estimate"] == pytest.approx(1.0)
    assert ends(limit) == pytest.approx([1 - 3 * error, 1 + 3 * error], abs=1e-5)
    seen = pick(result, statistic="share_seen", group="2022Q1")
    assert seen["estimate"] == 1 and ends(seen) == pytest.approx(wilson(1, 20), abs=1e-6)
    assert set(result.where(statistic="signal").table["estimate"]) == {1}


def test_a_chart_of_shares_by_hand():
    """Those whose share of the noise from -1.5 to 1.5 is above 0 reach a gain of 1: ten of twenty."""
    result = monitor_periods(build_periods([1.0] * 9), measured="responders", threshold="absolute:1")
    periods = result.where(statistic="share_improved").table
    assert periods["estimate"].tolist() == [0.5] * 10
    limit = pick(result, statistic="control_limit_share", group="2022Q1")
    margin = 3 * np.sqrt(0.25 / 20)
    assert limit["estimate"] == 0.5 and ends(limit) == pytest.approx([0.5 - margin, 0.5 + margin])


def test_records_without_dates_have_no_periods():
    cohort = build_periods([1.0] * 8)
    undated = replace(cohort, episodes=cohort.episodes.drop(columns="start_date"))
    for view in (draw_trend, tabulate_periods, say_trend):
        assert "no dates of the start" in view(release(monitor_periods(undated))).html


def test_a_period_is_closed_when_the_window_of_its_last_day_has_ended():
    cohort = select_cohort(simulate_clinic(900, seed=4))
    result = monitor_periods(cohort)
    roles = result.where(statistic="mean_improvement").table.set_index("group")["term"]
    # records taken on 2026-06-30; six months are over on day 258, so for starts up to 2025-10-15
    assert cohort.timepoints["month_6"].last_day == 258
    assert roles["2025Q3"] == "later" and roles["2025Q4"] == "open"
    monthly = monitor_periods(cohort, every="month")
    roles = monthly.where(statistic="mean_improvement").table.set_index("group")["term"]
    assert roles["2025-09"] == "later" and roles["2025-10"] == "open"


def test_an_open_period_signals_nothing_however_far_off():
    cohort = select_cohort(simulate_clinic(900, seed=4))
    late = cohort.episodes.index[cohort.episodes["start_date"] >= "2025-10-01"]
    ids = set(cohort.episodes.loc[late, "episode_id"])
    own = cohort.table["episode_id"].isin(ids) & (cohort.table["timepoint"] != "baseline")
    moved = (cohort.table["baseline"] - 25.0).where(cohort.table["score"].notna())
    table = cohort.table.assign(score=cohort.table["score"].where(~own, moved))
    result = monitor_periods(replace(cohort, table=table))
    opened = result.where(statistic="mean_improvement", term="open").table
    assert len(opened) and opened["estimate"].dropna().to_numpy() == pytest.approx(25)
    assert not set(result.where(statistic=["signal", "control_limit"]).table["group"]) & set(opened["group"])
    assert "without a signal: 2025 Q4" in say_trend(release(result, "team")).html


def test_care_that_gets_better_is_found():
    """Truth recovery: from 2025 on everybody improves by ten points more."""
    cohort = select_cohort(simulate_clinic(1500, seed=8))
    changed = set(cohort.episodes.loc[cohort.episodes["start_date"] >= "2025-01-01", "episode_id"])
    own = cohort.table["episode_id"].isin(changed) & (cohort.table["timepoint"] != "baseline")
    moved = cohort.table["score"] - 10.0 * own
    better = cohort.table["improvement"] + 10.0 * own
    signals = monitor_periods(replace(cohort, table=cohort.table.assign(score=moved, improvement=better)))
    found = signals.where(statistic="signal").table
    assert set(found["term"]) == {"better"} and found["group"].min() == "2025Q1"
    assert monitor_periods(cohort).where(statistic="signal", term="better").table.empty


def test_the_figure_has_a_mark_for_every_shown_period():
    released = release(monitor_periods(select_cohort(simulate_clinic(900, seed=4))))
    view = draw_trend(released)
    shown = released.where(statistic="mean_improvement", shown=True).table
    marks = view.table[view.table["statistic"] == "mean_improvement"]
    assert view.png and sorted(marks["group"]) == sorted(set(shown["group"]) - {"all"})
    assert "Hollow" in view.caption and "baseline" in tabulate_periods(released).html


def test_a_mark_has_the_colour_of_its_side_and_the_shape_of_a_signal():
    """Eight calm quarters, one far better and one far worse; the last is still open."""
    result = monitor_periods(build_periods([1.0] * 8 + [9.0, -7.0]))
    last = (result.table["group"] == "2022Q2") & (result.table["statistic"] == "mean_improvement")
    opened = result.table.assign(term=result.table["term"].mask(last, "open"))
    for table, face in ((result.table, None), (opened, "white")):
        released = release(replace(result, table=table), "team")
        axes = plot_trend(list_periods(released), released, read_labels(released)).axes[0]
        marks = [line for line in axes.lines if len(line.get_xdata()) == 1]
        assert [mark.get_marker() for mark in marks] == ["o"] * 8 + ["D"] * 2
        good, bad = marks[8].get_color(), marks[9].get_color()
        assert good != bad and {mark.get_color() for mark in marks[:8]} == {good}
        assert marks[8].get_markerfacecolor() == good and marks[9].get_markerfacecolor() == (face or bad)


@pytest.mark.parametrize("options", [{"every": "week"}, {"measured": "pain"}, {"timepoint": "week_6"}])
def test_what_cannot_be_asked_is_refused(options):
    with pytest.raises(AnalysisError):
        monitor_periods(build_periods([1.0] * 8), **options)


# --- attacks: what a stakeholder could work out about a period of few


def shrink(cohort, period_place, n):
    """Leave n patients of one quarter."""
    own = cohort.episodes["patient"].isin(
        cohort.episodes.loc[cohort.episodes["patient"] // 20 == period_place, "patient"].iloc[n:]
    )
    ids = set(cohort.episodes.loc[own, "episode_id"])
    return replace(
        cohort,
        table=cohort.table[~cohort.table["episode_id"].isin(ids)].reset_index(drop=True),
        episodes=cohort.episodes[~own].reset_index(drop=True),
    )


def test_a_baseline_period_of_few_takes_centre_limits_and_signals_with_it():
    """The centre less the shown periods would give the mean of the withheld one."""
    cohort = shrink(build_periods([1.0] * 8 + [9.0]), 2, 7)
    released = release(monitor_periods(cohort))
    assert set(released.table["statistic"]) == {"mean_improvement", "share_seen"}
    rows = released.where(statistic="mean_improvement").table.set_index("group")
    assert not rows.at["2020Q3", "shown"] and not rows.at["all", "shown"]
    assert rows.at["2022Q1", "shown"]
    assert "Limits and signals are not shown" in say_trend(released).html


def test_a_signal_of_a_period_of_few_is_not_told():
    cohort = shrink(build_periods([1.0] * 8 + [9.0, 1.0]), 8, 7)
    result, released = monitor_periods(cohort), release(monitor_periods(cohort))
    assert "2022Q1" in set(result.where(statistic="signal").table["group"])
    assert not set(released.where(statistic=["signal", "control_limit"]).table["group"]) & {"2022Q1"}
    assert "signals that may not be shown are left out" in say_trend(released).html


def test_a_run_through_a_period_of_few_is_not_told():
    """That seven periods in a row lie above the centre would tell it of the withheld one too."""
    cohort = shrink(build_periods([1.0] * 8 + [2.5] * 7), 10, 7)
    result, released = monitor_periods(cohort), release(monitor_periods(cohort))
    assert not result.where(statistic="signal", level="shift").table.empty
    assert released.where(statistic="signal", level="shift").table.empty


def test_a_period_in_which_all_had_the_same_is_withheld():
    released = release(monitor_periods(build_periods([1.0] * 9, spread=0.0)))
    rows = released.where(statistic="mean_improvement").table
    assert not rows["shown"].any()


def test_limits_do_not_give_the_number_of_patients():
    """With the standard deviation from one period's limits, those of another would give its n."""
    released = [
        release(monitor_periods(shrink(build_periods([1.0] * 9), 8, n))).where(
            statistic="control_limit", group="2022Q1"
        )
        for n in (13, 14, 15, 16, 17)
    ]
    assert len({one.table["conf_high"].iloc[0] for one in released}) == 1


# --- what the sentence says, held against the rows that it speaks of


def take_on(records, day):
    """Leave of some records what was known on a day."""
    taken = pd.Timestamp(day)
    starts = pd.to_datetime(records.episodes["start_date"])
    episodes = records.episodes[starts <= taken].reset_index(drop=True)
    known = (taken - pd.to_datetime(episodes["start_date"])).dt.days
    last = dict(zip(episodes["episode_id"], known, strict=True))

    def keep(table):
        return table[table["day"] <= table["episode_id"].map(last)].reset_index(drop=True)

    return replace(
        records,
        episodes=episodes.assign(observable_days=known.astype("Int64")),
        assessments=keep(records.assessments),
        sessions=keep(records.sessions),
        events=keep(records.events),
    )


def read_sentence(released):
    """Return the periods that the sentence names: last ended, open, and with signals."""
    text = re.sub(r"<[^>]+>", "", say_trend(released).html).replace("&nbsp;", " ")

    def find(pattern):
        found = re.search(pattern, text)
        return re.findall(r"\d{4}(?: Q\d|-\d\d)?", found[1]) if found else []

    return {
        "last": find(r"the last one \((.*?)\)"),
        "open": find(r"Still open, so without a signal: (.*?)\."),
        "better": find(r"for the better: (.*?)\."),
        "worse": find(r"for the worse: (.*?)\."),
    }, text


#: Episodes, seed, and the day on which the records were taken.
CLINICS = [(300, 1, "2025-03-31"), (300, 2, "2026-06-30"), (900, 3, "2024-12-31"), (900, 4, "2026-02-10")]


@pytest.fixture(scope="module", params=CLINICS, ids=str)
def dated(request):
    n, seed, day = request.param
    return select_cohort(take_on(simulate_clinic(n, seed=seed), day)), pd.Timestamp(day)


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
@pytest.mark.parametrize("measured", ["improvement", "responders"])
@pytest.mark.parametrize("every", ["month", "quarter", "year"])
def test_the_sentence_says_what_its_rows_say(dated, every, measured, audience):
    cohort, taken = dated
    released = release(monitor_periods(cohort, every=every, measured=measured), audience)
    rows = released.where(statistic=["mean_improvement", "share_improved"]).table
    rows = rows[rows["group"] != "all"].sort_values("group")
    said, text = read_sentence(released)
    if not rows["shown"].any():
        assert not any(said.values())
        assert text.startswith("Nothing is shown here")
        return
    names = rows["group"].str.replace("Q", " Q")
    # followed up when whoever began on the last day of the period could be seen until the window closed
    window = pd.Timedelta(days=cohort.timepoints["month_6"].last_day)
    ends = pd.PeriodIndex(rows["group"], freq={"month": "M", "quarter": "Q", "year": "Y"}[every]).end_time
    ended = ends.normalize() + window <= taken
    assert (rows["term"] != "open").tolist() == list(ended)
    assert said["open"] == names[~ended].tolist()
    assert said["last"] == names[ended & rows["shown"]].tolist()[-1:]
    assert not set(said["last"]) & set(said["open"])
    if said["last"]:
        row = rows[names == said["last"][0]].iloc[0]
        later = rows[ended & (rows["group"] > row["group"])]
        assert ("whose number is shown" in text) == bool(len(later))
        assert not later["shown"].any()
        assert f" {row['display']} " in text
    signals = released.where(statistic="signal", shown=True).table
    for side in ("better", "worse"):
        points = signals.loc[signals["term"] == side, "group"]
        assert said[side] == list(dict.fromkeys(points.str.replace("Q", " Q")))


def test_the_last_period_whose_number_is_withheld_is_not_passed_over():
    cohort = shrink(build_periods([1.0] * 9), 8, 7)
    for audience, last, is_last in (("team", "2022 Q1", True), ("stakeholder", "2021 Q4", False)):
        said, text = read_sentence(release(monitor_periods(cohort), audience))
        assert said["last"] == [last]
        assert ("has ended and whose number is shown, the last one" in text) != is_last


# --- real records


def test_neck_pain_in_dutch_practices_has_no_dates(shared, tmp_path):
    folder = shared / "data" / "verwoerd-2024-neck-pain"
    cohort = select_cohort(read_records("verwoerd-2024", folder, private_folder=tmp_path))
    assert "no dates of the start" in say_trend(release(monitor_periods(cohort))).html
