"""What must hold for any cohort: order, names and origin do not matter; supports say who is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import PAIN, assemble_cohort, supported
from outcomes.analyses import list_analyses, run_analysis

# An estimated threshold needs an anchor, which these clinics lack.
OF_COHORTS = [
    name for name in list_analyses() if name not in ("data_quality", "important_change", "measurement_error")
]
# On the border of what can be estimated, which these tiny clinics often reach, an iterative fit may stop on
# either side; its own properties are held on larger ones.
IN_ONE_STEP = [name for name in OF_COHORTS if name not in ("over_time", "model_checks", "headline")]
NUMBERS = ["estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus"]
KEYS = ["statistic", "term", "level", "group", "versus", "timepoint", "x"]


@st.composite
def clinics(draw) -> pd.DataFrame:
    """Small clinics of two or three therapies, with whatever scores and absences."""
    n = draw(st.integers(6, 30))
    cell = st.one_of(st.integers(0, 10), st.sampled_from(["missing", "lost", "not_yet_due", "after_event"]))
    column = lambda kind: draw(st.lists(kind, min_size=n, max_size=n))  # noqa: E731
    return pd.DataFrame(
        {
            "patient": column(st.sampled_from([f"p{number}" for number in range(n)])),
            "therapy": [*["x", "y"], *column(st.sampled_from(["x", "y", "z"]))][:n],
            "region": column(st.sampled_from(["neck", "low_back", np.nan])),
            "age_years": column(st.one_of(st.integers(20, 80), st.just(np.nan))),
            "baseline": column(st.integers(0, 10)), "week_6": column(cell), "month_6": column(cell),
        }
    )  # fmt: skip


def build(wide: pd.DataFrame, **options):
    return assemble_cohort(wide, covariates=("region", "age_years"), reference="x", **options)


def sort_rows(result) -> pd.DataFrame:
    return result.table.sort_values(KEYS, kind="stable").reset_index(drop=True)


def assert_same(first: pd.DataFrame, second: pd.DataFrame, columns: list[str] = NUMBERS) -> None:
    assert first[KEYS].astype("str").equals(second[KEYS].astype("str"))
    assert first["state"].tolist() == second["state"].tolist()
    assert np.allclose(first[columns], second[columns], rtol=1e-6, atol=1e-8, equal_nan=True)


@pytest.mark.parametrize("name", OF_COHORTS)
@settings(max_examples=12)
@given(wide=clinics())
def test_every_analysis_answers_with_a_number_or_a_named_state(name, wide):
    cohort = build(wide)
    before = cohort.table.copy()
    result = run_analysis(name, cohort)
    assert supported(result)
    assert cohort.table.equals(before)
    counted = result.table["state"].isin(["ok", "boundary"])
    assert result.table.loc[counted, "estimate"].notna().all()
    assert np.isfinite(result.table["estimate"].dropna()).all()
    assert result.method


@pytest.mark.parametrize("name", IN_ONE_STEP)
@settings(max_examples=6)
@given(wide=clinics(), seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(name, wide, seed):
    order = np.random.default_rng(seed).permutation(len(wide))
    shuffled = build(wide.iloc[order].reset_index(drop=True))
    straight = build(wide)
    # which therapies there are, in which order, is a fact and not a matter of rows
    shuffled = replace(shuffled, therapies={id: shuffled.therapies[id] for id in straight.therapies})
    assert_same(sort_rows(run_analysis(name, straight)), sort_rows(run_analysis(name, shuffled)))


@pytest.mark.parametrize("name", ["change", "completeness", "responders", "ancova", "baseline"])
@settings(max_examples=6)
@given(wide=clinics())
def test_the_names_of_therapies_do_not_matter(name, wide):
    names = {"x": "usual", "y": "manual", "z": "exercise"}
    renamed = assemble_cohort(
        wide.assign(therapy=wide["therapy"].map(names)), covariates=("region", "age_years"), reference="usual"
    )
    first, second = run_analysis(name, build(wide)).table, run_analysis(name, renamed).table
    for column in ("group", "versus"):
        assert first[column].map(names).fillna(first[column]).equals(second[column])
    assert np.allclose(first[NUMBERS], second[NUMBERS], equal_nan=True)


@settings(max_examples=10)
@given(wide=clinics(), shift=st.integers(1, 50))
def test_shifting_all_scores_leaves_differences(wide, shift):
    """The ends of the measure move with the scores, since a mean beyond them is not given."""
    moved = wide.copy()
    measure = replace(PAIN, minimum=PAIN.minimum + shift, maximum=PAIN.maximum + shift)
    for name in ("baseline", "week_6", "month_6"):
        moved[name] = [value + shift if isinstance(value, (int, float)) else value for value in wide[name]]
    cohorts = build(wide), build(moved, instrument=measure)
    before, after = (run_analysis("ancova", cohort) for cohort in cohorts)
    contrasts = [result.where(statistic="contrast").table for result in (before, after)]
    assert contrasts[0]["state"].tolist() == contrasts[1]["state"].tolist()
    assert np.allclose(contrasts[0][NUMBERS], contrasts[1][NUMBERS], rtol=1e-6, atol=1e-7, equal_nan=True)
    means = [result.where(statistic="marginal_mean").table["estimate"] for result in (before, after)]
    assert np.allclose(means[0] + shift, means[1], equal_nan=True)


@settings(max_examples=10)
@given(wide=clinics())
def test_flipping_the_direction_flips_improvement_and_no_score(wide):
    flipped = replace(PAIN, direction="higher_better")
    lower, higher = (run_analysis("change", build(wide, instrument=kind)).table for kind in (PAIN, flipped))
    gains = lower["statistic"].isin(["mean_improvement", "mean_improvement_seen"])
    assert lower["state"].tolist() == higher["state"].tolist()
    assert np.allclose(lower.loc[gains, "estimate"], -higher.loc[gains, "estimate"], equal_nan=True)
    assert np.allclose(lower.loc[~gains, "estimate"], higher.loc[~gains, "estimate"], equal_nan=True)
    shares = [
        run_analysis("responders", build(wide, instrument=kind), thresholds="two-points")
        for kind in (PAIN, flipped)
    ]
    improved, worse = shares[0].where(statistic="share_improved"), shares[1].where(statistic="share_worse")
    assert np.allclose(improved.table["estimate"], worse.table["estimate"], equal_nan=True)


@settings(max_examples=10)
@given(wide=clinics())
def test_shares_and_counts_agree_with_their_supports(wide):
    for name in ("responders", "completeness", "cumulative"):
        result = run_analysis(name, build(wide.assign(patient=[f"p{number}" for number in range(len(wide))])))
        for row, sets in zip(result.table.itertuples(), result.support, strict=True):
            if "with" in sets and len(sets["all"]):
                assert row.estimate == pytest.approx(len(sets["with"]) / len(sets["all"]))
                assert len(sets["with"]) + len(sets["without"]) == len(sets["all"])
