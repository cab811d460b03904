"""Therapies allotted at random: how far they differed at the start, and patients who had several of them."""

from __future__ import annotations

from importlib.resources import files
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from handmade import assemble_cohort
from outcomes import (
    check_comparability,
    compare_over_time,
    read_records,
    release,
    say_answer,
    say_methods,
    select_cohort,
    summarise_change,
    tabulate_comparability,
)
from outcomes.analyses._allotment import find_differences_by_chance
from outcomes.analyses._covariates import list_covariates, standardise_difference
from outcomes.analyses._grid import arrange_grid
from outcomes.errors import RecordsError


def make_trial(n=80, seed=1, therapies=("x", "y"), apart=0.0, **columns):
    """A trial in which therapies are drawn for each patient; `apart` is added to the start of the first."""
    random = np.random.default_rng(seed)
    wide = pd.DataFrame({"patient": np.arange(n), "therapy": random.choice(list(therapies), n)})
    wide = wide.assign(**{name: make(random, n) for name, make in columns.items()})
    start = np.round(random.normal(5, 1.5, n) + apart * (wide["therapy"] == therapies[0]))
    wide["baseline"] = np.clip(start, 0, 10)
    wide["month_6"] = np.clip(np.round(wide["baseline"] - 2 + random.normal(0, 1, n)), 0, 10)
    return wide


COVARIATES = {
    "age_years": lambda random, n: np.where(random.random(n) < 0.2, np.nan, random.normal(50, 12, n).round()),
    "sex": lambda random, n: random.choice(["female", "male"], n),
    "region": lambda random, n: random.choice(
        ["neck", "low_back", "hip", "knee"], n, p=[0.5, 0.3, 0.15, 0.05]
    ),
}


def find_limits(wide, covariates=()):
    cohort = assemble_cohort(wide, covariates=tuple(covariates), design="randomised")
    grid = arrange_grid(cohort)
    return find_differences_by_chance(grid, list_covariates(cohort, grid))


def check(wide, covariates=()):
    return check_comparability(assemble_cohort(wide, covariates=tuple(covariates), design="randomised"))


def pick(result, **equals):
    rows = result.where(**equals).table
    assert len(rows) == 1
    return rows.iloc[0]


# --- what chance brings ------------------------------------------------------------------------------------


def test_the_limit_is_what_95_percent_of_all_allotments_stay_below():
    """Every way to give 6 of 12 patients therapy x, counted out."""
    wide = make_trial(12, seed=4).assign(therapy=["x", "y"] * 6)
    wide["baseline"] = [2, 3, 5, 5, 6, 7, 4, 4, 8, 9, 1, 6]
    cohort = assemble_cohort(wide, design="randomised")
    grid = arrange_grid(cohort)
    (score,) = list_covariates(cohort, grid)
    everybody = np.arange(12)
    all_allotments = sorted(
        abs(standardise_difference(score, np.array(own), np.setdiff1d(everybody, own))["estimate"])
        for own in combinations(range(12), 6)
    )
    exact = all_allotments[int(np.ceil(0.95 * len(all_allotments))) - 1]
    limit = pick(check(wide), statistic="smd_by_chance")
    assert limit["level"] == "score" and limit["estimate"] == pytest.approx(exact, abs=0.08)


def test_for_numbers_and_two_levels_the_limit_is_that_of_a_normal_deviate():
    """Alone: 1.96 times the root of 1/n + 1/n; of a category with 3 df the root of 7.81."""
    wide = make_trial(400, seed=2, **COVARIATES).assign(therapy=["x", "y"] * 200)
    width = np.sqrt(2 / 200)
    limits = find_limits(wide.drop(columns=["age_years", "sex", "region"]))
    assert limits["score"] == pytest.approx(1.96 * width, abs=0.02)
    wide["baseline"] = "missing"
    assert find_limits(wide[["patient", "therapy", "region", "baseline", "month_6"]], ["region"])[
        "region"
    ] == pytest.approx(np.sqrt(7.81) * width, abs=0.03)


@pytest.mark.parametrize("therapies", [("x", "y"), ("x", "y", "z")])
def test_of_trials_without_a_difference_about_one_in_twenty_is_called_larger(therapies):
    called = [
        pick(check(make_trial(90, seed, therapies, **COVARIATES), COVARIATES), term="chance")["estimate"] == 0
        for seed in range(120)
    ]
    assert 1 <= sum(called) <= 14, "binomial, 5 %: fewer or more once in 500"


def test_therapies_are_allotted_within_sites_that_gave_them_in_other_shares():
    """Two sites whose patients and shares differ: what this brings is no more than chance."""
    random = np.random.default_rng(3)
    wide = make_trial(400, seed=3)
    site = np.array(["north", "south"])[random.integers(0, 2, 400)]
    north = site == "north"
    wide["therapy"] = np.where(random.random(400) < np.where(north, 0.8, 0.2), "x", "y")
    wide["baseline"] = np.clip(np.round(random.normal(np.where(north, 7, 4), 1)), 0, 10)
    wide.insert(2, "site", site)
    row = pick(check(wide), term="smd")
    assert row["estimate"] > 0.8 and pick(check(wide), term="chance")["estimate"] == 1
    assert pick(check(wide.drop(columns="site")), term="chance")["estimate"] == 0


def test_where_each_site_has_one_therapy_sites_are_allotted():
    wide = make_trial(240, seed=5)
    number = np.arange(240) % 6
    wide["therapy"] = np.where(number < 3, "x", "y")
    wide["baseline"] = np.clip(np.round(wide["baseline"] + number / 3), 0, 10)
    wide.insert(2, "site", [f"s{place}" for place in number])
    by_patient = find_limits(wide.drop(columns="site"))["score"]
    assert find_limits(wide)["score"] > 1.5 * by_patient


def test_the_order_of_records_does_not_count():
    wide = make_trial(90, seed=6, **COVARIATES)
    shuffled = wide.sample(frac=1, random_state=1).reset_index(drop=True)
    assert find_limits(wide, COVARIATES) == find_limits(shuffled, COVARIATES)


def test_a_difference_beyond_chance_is_found_beside_a_category_of_many_levels():
    """What a category of twelve levels differs by chance hides no difference of the score."""
    level = {"cause": lambda random, n: random.choice([f"level {place}" for place in range(12)], n)}
    wide = make_trial(100, seed=7, apart=1.2, **level)
    result = check(wide, level)
    assert pick(result, term="smd")["level"] == "score" and pick(result, term="chance")["estimate"] == 0
    limits = find_limits(wide, level)
    assert limits["score"] < 0.6 < limits["cause"]
    assert pick(result, statistic="smd_by_chance")["estimate"] == limits["score"]


# --- what is said ------------------------------------------------------------------------------------------


def show(apart, audience):
    cohort = assemble_cohort(make_trial(120, seed=1, apart=apart), design="randomised")
    made = (summarise_change(cohort), compare_over_time(cohort), check_comparability(cohort))
    change, contrasts, checks = (release(result, audience) for result in made)
    views = {"answer": say_answer(change, contrasts, None, checks), "table": tabulate_comparability(checks)}
    return {**views, "methods": say_methods(change, contrasts, checks)}, checks


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
@pytest.mark.parametrize(("apart", "more"), [(0.0, False), (1.5, True)])
def test_randomised_is_said_with_what_was_found(audience, apart, more):
    views, checks = show(apart, audience)
    found = checks.where(term="smd").table["display"].iloc[0]
    said = views["answer"].alt
    assert "allocated at random" in said and f"{found} SD" in said
    assert ("nevertheless differed by" in said and "more than chance usually brings" in said) is more
    assert ("differed by no more than chance usually brings" in said) is not more
    assert ("more than that" if more else "no more than that") in views["table"].alt
    assert ("no more than that" in views["table"].alt) is not more
    assert "allotted anew among the same patients 999 times" in views["methods"].alt
    assert "comparable by design" not in "".join(view.html for view in views.values())


def test_no_text_calls_therapies_comparable_by_design():
    for path in (files("outcomes") / "facts" / "words" / "en").iterdir():
        assert "comparable by design" not in path.read_text(encoding="utf-8"), path.name


def test_what_chance_brings_stays_with_the_team():
    """Beside the difference it would give the numbers of patients."""
    (team, _), (outside, released) = show(1.5, "team"), show(1.5, "stakeholder")
    assert "up to 0." in team["answer"].alt and "up to" not in outside["answer"].alt
    limit = released.where(statistic="smd_by_chance").table
    assert limit["estimate"].isna().all() and limit["x"].isna().all()
    assert released.where(term="smd").table["x"].isna().all()


def test_a_difference_that_is_not_shown_is_not_called_small_or_large():
    wide = make_trial(16, seed=1, apart=3.0)
    cohort = assemble_cohort(wide, design="randomised")
    checks = release(check_comparability(cohort))
    assert not checks.where(term="smd").table["shown"].any()
    assert not checks.where(term="chance").table["shown"].any()
    told = tabulate_comparability(checks).alt
    assert "than that" not in told and "withheld" in told


def test_groups_without_overlap_have_no_number_and_nothing_is_called_chance():
    wide = make_trial(80, seed=2)
    wide.insert(2, "region", np.where(wide["therapy"] == "x", "neck", "low_back"))
    cohort = assemble_cohort(wide, covariates=("region",), design="randomised")
    checks = check_comparability(cohort)
    assert pick(checks, term="smd")["state"] == "separated" and checks.comparable
    made = (summarise_change(cohort), compare_over_time(cohort), checks)
    said = say_answer(*(release(made[place], "team") for place in (0, 1)), None, release(checks, "team")).alt
    assert "cannot be told here" in said or "not shown" in said or "compared" in said
    assert "chance usually brings" not in said


# --- patients with several therapies ----------------------------------------------------------------------

SOURCE = """\
name = "trial"
label = "A trial"
design = "{design}"
{top}
[primary]
instrument = "nprs"
timepoint = "week_6"
reference = "usual_care"

[[file]]
path = "trial.csv"
rows = "{rows}"
{answer}
[file.columns]
patient_id = "id"
therapy = "arm"
{columns}
"""
WIDE = """
[[file.scores]]
instrument = "nprs"
column = "before"
timepoint = "baseline"
[[file.scores]]
instrument = "nprs"
column = "after"
timepoint = "week_6"
"""
LONG = """
[[file.scores]]
instrument = "nprs"
column = "pain"
"""
TOLD_APART = 'episode_id = ["id", "period"]\nepisode_number = "period"'
ARMS = ["manual_therapy", "usual_care"]


def write_periods(n_crossing, n=80, n_periods=2):
    """One row a patient and period; the first `n_crossing` patients have the other therapy in the next."""
    random, rows = np.random.default_rng(1), []
    for number in range(n):
        first = int(random.integers(0, 2))
        for period in range(n_periods if number < n_crossing else 1):
            before = int(random.integers(3, 9))
            after = max(0, before - int(random.integers(0, 4)))
            start = f"2024-{1 + 2 * period:02d}-10"
            rows.append((f"P{number:03d}", period + 1, ARMS[(first + period) % 2], before, after, start))
    return pd.DataFrame(rows, columns=["id", "period", "arm", "before", "after", "start"])


def write_visits(n_crossing, n=80):
    """One row a visit: the therapy changes before the last one for the first patients."""
    random, rows = np.random.default_rng(1), []
    for number in range(n):
        first = int(random.integers(0, 2))
        for date, crossed in (("2024-01-10", 0), ("2024-02-21", 0), ("2024-04-10", 1)):
            arm = ARMS[(first + (crossed and number < n_crossing)) % 2]
            rows.append((f"P{number:03d}", date, arm, int(random.integers(1, 9))))
    return pd.DataFrame(rows, columns=["id", "date", "arm", "pain"])


@pytest.fixture
def read(tmp_path):
    def read_trial(table, columns=TOLD_APART, *, design="randomised", answer="", top="", rows="episode"):
        table.to_csv(tmp_path / "trial.csv", index=False)
        said = {"design": design, "answer": answer, "top": top, "rows": rows, "columns": columns}
        text = SOURCE.format(**said) + (WIDE if rows == "episode" else LONG)
        (tmp_path / "trial.toml").write_text(text, encoding="utf-8")
        return read_records(tmp_path / "trial.toml", tmp_path, private_folder=tmp_path / "private")

    return read_trial


@pytest.mark.parametrize(
    ("table", "columns", "rows", "counts"),
    [
        (write_periods(80), TOLD_APART, "episode", "80 of 80 patients have several therapies, and"),
        (
            write_periods(30),
            'start_date = "start"',
            "episode",
            "30 of 80 patients have several therapies, and",
        ),
        (write_periods(3), TOLD_APART, "episode", "3 of 80 patients have several therapies, and"),
        (write_periods(1), TOLD_APART, "episode", "1 of 80 patients has several therapies, and"),
        (write_periods(6, 6, 8), TOLD_APART, "episode", "6 of 6 patients have several therapies, and"),
        (
            write_visits(80),
            'date = "date"',
            "assessment",
            "several therapies, 80 of them within one episode, and",
        ),
        (
            write_visits(2),
            'date = "date"',
            "assessment",
            "several therapies, 2 of them within one episode, and",
        ),
    ],
    ids=["crossover", "by first days", "few", "one", "n of 1", "within", "few within"],
)
def test_several_therapies_of_a_randomised_source_are_asked_about(read, table, columns, rows, counts):
    with pytest.raises(RecordsError) as refused:
        read(table, columns, rows=rows)
    said = str(refused.value)
    assert refused.value.exit_code == 3
    assert "ALLOCATION_SEVERAL" in said and counts in said and "trial.csv" in said and "'arm'" in said
    for answer in ('design = "routine"', "only = {", 'confirmed = ["therapy_changes"]'):
        assert answer in said
    assert not any(id in said for id in table["id"])
    assert read(table, columns, rows=rows, design="routine").n_accepted == len(table)


def test_who_comes_again_to_the_same_therapy_crosses_nothing(read):
    table = write_periods(40)
    records = read(table.assign(arm=table.groupby("id")["arm"].transform("first")))
    assert len(records.episodes) == 120
    cohort = select_cohort(records, episodes="all")
    assert pick(check_comparability(cohort), statistic="verdict")["level"] == "randomised"


def test_each_answer_works(read):
    table = write_periods(80)
    routine = select_cohort(read(table, design="routine"))
    assert pick(check_comparability(routine), statistic="verdict")["level"] != "randomised"
    first = read(table, answer='only = { column = "period", values = ["1"] }')
    assert len(first.episodes) == 80
    assert pick(check_comparability(select_cohort(first)), statistic="verdict")["level"] == "randomised"


def test_confirmed_the_therapy_allotted_first_counts_in_every_cohort(read):
    table = write_periods(3)
    records = read(table, answer='confirmed = ["therapy_changes"]')
    reasons = records.episodes["excluded"].dropna().astype("str")
    assert list(reasons) == ["an episode of another therapy than the one allotted first"] * 3
    own = table[table["period"] == 1].set_index("id")["arm"]
    for episodes in ("first", "all"):
        cohort = select_cohort(records, episodes=episodes)
        assert (
            cohort.episodes["therapy"].astype("str").value_counts().to_dict() == own.value_counts().to_dict()
        )
        assert pick(check_comparability(cohort), statistic="verdict")["level"] == "randomised"
    assert any("allotted first" in str(said) for said in records.list_answered("nprs"))
    within = read(
        write_visits(2), 'date = "date"', answer='confirmed = ["therapy_changes"]', rows="assessment"
    )
    assert within.episodes["excluded"].isna().all() and len(within.episodes) == 80


def test_a_cohort_in_which_patients_have_several_therapies_is_no_trial():
    """Whatever way the records came: such groups do not stand side by side."""
    wide = make_trial(80, seed=3)
    twice = pd.concat([wide, wide.assign(therapy=np.where(wide["therapy"] == "x", "y", "x"))])
    result = check(twice.reset_index(drop=True))
    assert result.comparable is False
    assert pick(result, statistic="verdict")["level"] == "not_comparable"
    assert "patients had several therapies although the source is declared randomised" in str(
        result.warnings[0]
    )
