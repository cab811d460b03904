"""Every statistic that an analysis gives is asserted with a number, by a test that fails when it changes.

`ESTIMATES` and `INTERVALS` name the test of each; the slow test changes one number at a time and runs it.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outcomes.analyses._declaration as declaration
import outcomes.analyses.data_quality as data_quality
from outcomes.analyses import list_analyses
from outcomes.facts import read_statistics
from outcomes.result import Result, build_result

TESTS = Path(__file__).parent

#: Test, analysis, and the statistics whose estimates the test asserts.
ESTIMATES = """
test_analyses_comparison::test_ancova_matches_emmeans ancova contrast
test_analyses_comparison::test_marginal_means_average_covariates_over_the_fitted_patients ancova marginal_mean
test_analyses_comparison::test_patients_without_a_covariate_stay_and_are_counted ancova n_missing
test_analyses_comparison::test_balanced_and_followed_up_therapies_are_comparable comparability check verdict
test_allocation::test_the_limit_is_what_95_percent_of_all_allotments_stay_below comparability smd_by_chance
test_analyses_comparison::test_effect_sizes_by_hand effect_sizes srm ses hedges_g
test_analyses_comparison::test_standardised_shares_are_means_of_the_chances_of_all_patients standardised
    share_improved_standardised
test_analyses_description::test_baseline_by_hand baseline n n_missing mean sd share
test_analyses_description::test_smd_of_a_number_and_of_a_category_by_hand baseline smd max_smd
test_analyses_description::test_change_by_hand change mean_score sd_score mean_expected mean_improvement
    mean_start_seen mean_score_seen sd_score_seen mean_improvement_seen sd_improvement
test_analyses_description::test_completeness_keeps_not_yet_due_apart completeness
    n_due n_seen n_missing n_lost n_not_yet_due
test_analyses_description::test_a_visit_set_aside_by_an_event_was_due_and_not_seen completeness n_after_event
test_analyses_description::test_the_interval_of_the_share_seen_is_that_of_wilson completeness share_seen
test_analyses_description::test_each_step_of_the_flow_counts_patients_and_episodes flow
    n_episodes n_patients n_excluded_episodes n_excluded_patients
test_analyses_description::test_nonresponse_by_hand nonresponse n n_missing mean sd share smd max_smd
test_analyses_responders::test_intervals_of_shares_are_those_of_wilson responders share_improved share_worse
test_analyses_responders::test_percent_is_not_defined_for_a_baseline_of_zero responders n_undefined
test_analyses_responders::test_patients_too_near_the_best_score_are_counted responders n_out_of_reach
test_analyses_responders::test_the_curve_starts_at_one_and_falls_to_the_best cumulative share_improved_by
test_analyses_responders::test_regression_to_the_mean_is_a_range_by_hand regression_to_mean
    regression_to_mean_low regression_to_mean_high
test_analyses_responders::test_data_quality_by_hand data_quality n_read n_accepted n_repeated n_refused
    n_refused_by_rule n_patients n_episodes n_assessments n_without_score share_recorded share_assessed
test_reached_states::test_a_state_has_a_share_of_its_own_beside_the_start responders
    share_in_state share_in_state_start_seen
test_reached_states::test_where_all_start_alike_a_state_and_an_amount_are_the_same_patients standardised
    share_in_state_standardised
test_reached_states::test_sites_and_periods_name_a_state_as_one site_funnel
    share_in_state adjusted_share_in_state
test_reached_states::test_sites_and_periods_name_a_state_as_one trend share_in_state
test_reached_states::test_a_state_among_the_headline_numbers headline share_in_state
test_named_absence::test_a_therapy_for_other_complaints_is_neither_lost_nor_withheld completeness n_not_asked
test_domains::test_a_cohort_made_by_hand_has_its_own_measure_alone domains
    n n_recorded mean_score sd_score mean_expected mean_improvement
    mean_start_seen mean_score_seen sd_score_seen mean_improvement_seen sd_improvement
test_mmrm_cohort::test_complete_follow_ups_are_regressions_by_hand over_time
    marginal_mean contrast residual_sd residual_correlation
test_mmrm_cohort::test_patients_without_follow_up_are_counted_and_left_out over_time n_excluded_patients
test_mmrm_cohort::test_missing_covariates_keep_their_patients_and_are_counted over_time n_missing
test_model_checks::test_criteria_of_a_regression_by_hand model_checks n_parameters deviance aic bic
test_model_checks::test_residuals_of_a_regression_by_hand model_checks residual_sd observed_residual_sd
    standardised_sd standardised_skewness standardised_beyond mean_residual
test_model_checks::test_joint_test_and_what_was_fitted_by_hand model_checks
    f_test alternative_contrast model visit_pattern
test_model_checks::test_correlation_of_the_residuals_of_two_visits_by_hand model_checks
    residual_correlation observed_residual_correlation
test_since_last::test_every_part_by_the_means_of_four_cohorts since_last
    before definitions new_episodes revised_records after
test_since_last::test_new_episodes_alone_are_new_episodes since_last n_episodes_changed
test_since_last::test_the_headline_has_the_numbers_of_its_analyses headline mean_improvement
    share_improved contrast
test_site_funnel::test_means_of_sites_by_hand site_funnel
    mean_improvement adjusted_improvement share_seen funnel_limit position
test_site_funnel::test_shares_of_sites_by_hand site_funnel share_improved adjusted_share_improved
    funnel_limit_share
test_site_funnel::test_overdispersion_is_the_mean_square_of_the_sites_distances site_funnel overdispersion
test_site_funnel::test_only_sites_with_enough_patients_and_enough_follow_up_are_named site_funnel n_sites
test_thresholds_estimated::test_limits_of_agreement_and_all_that_the_retest_gives_by_hand measurement_error
    sem_agreement sem_consistency icc mean_difference limit_low limit_high sdc sdc_group
    share_reliably_improved share_reliably_worse share_unchanged share_recovered
test_thresholds_estimated::test_known_reliability_gives_the_published_detectable_change measurement_error sem
test_thresholds_estimated::test_recovered_means_reliable_and_across_the_cut_off measurement_error cut_off
test_thresholds_estimated::test_the_analysis_gives_the_published_numbers important_change
    mic_predictive mic_adjusted mic_improved mic_roc youden auc share_improved
test_thresholds_estimated::test_cut_offs_that_are_equally_good_stand_beside_the_lowest important_change
    mic_roc_tied
test_thresholds_estimated::test_correlations_of_the_anchor_are_those_of_spearman important_change
    correlation_change correlation_follow_up correlation_baseline
test_thresholds_estimated::test_floor_and_ceiling_are_counted_and_told floor_ceiling share_at_floor
    share_at_ceiling
test_trend::test_a_chart_of_means_by_hand trend mean_improvement control_limit share_seen signal
test_trend::test_a_chart_of_shares_by_hand trend share_improved control_limit_share
"""

#: The same of both ends of the intervals.
INTERVALS = """
test_analyses_comparison::test_ancova_matches_emmeans ancova contrast
test_analyses_comparison::test_marginal_means_average_covariates_over_the_fitted_patients ancova marginal_mean
test_analyses_comparison::test_effect_sizes_by_hand effect_sizes srm hedges_g
test_analyses_comparison::test_standardised_shares_are_means_of_the_chances_of_all_patients standardised
    share_improved_standardised
test_analyses_description::test_change_by_hand change mean_score mean_expected mean_improvement
    mean_start_seen mean_score_seen mean_improvement_seen
test_analyses_description::test_the_interval_of_the_share_seen_is_that_of_wilson completeness share_seen
test_analyses_responders::test_intervals_of_shares_are_those_of_wilson responders share_improved share_worse
test_analyses_responders::test_data_quality_by_hand data_quality share_recorded share_assessed
test_domains::test_a_cohort_made_by_hand_has_its_own_measure_alone domains mean_score mean_expected
    mean_improvement mean_start_seen mean_score_seen mean_improvement_seen
test_reached_states::test_a_state_has_a_share_of_its_own_beside_the_start responders
    share_in_state share_in_state_start_seen
test_reached_states::test_where_all_start_alike_a_state_and_an_amount_are_the_same_patients standardised
    share_in_state_standardised
test_mmrm_cohort::test_complete_follow_ups_are_regressions_by_hand over_time marginal_mean contrast
test_model_checks::test_residuals_of_a_regression_by_hand model_checks mean_residual
test_model_checks::test_joint_test_and_what_was_fitted_by_hand model_checks alternative_contrast
test_since_last::test_the_headline_has_the_numbers_of_its_analyses headline mean_improvement
    share_improved contrast
test_site_funnel::test_means_of_sites_by_hand site_funnel mean_improvement share_seen funnel_limit
test_site_funnel::test_shares_of_sites_by_hand site_funnel share_improved funnel_limit_share
test_thresholds_estimated::test_limits_of_agreement_and_all_that_the_retest_gives_by_hand measurement_error
    sem_consistency share_reliably_improved share_reliably_worse share_unchanged share_recovered
test_thresholds_estimated::test_floor_and_ceiling_are_counted_and_told floor_ceiling share_at_floor
    share_at_ceiling
test_trend::test_a_chart_of_means_by_hand trend control_limit share_seen
test_trend::test_a_chart_of_shares_by_hand trend control_limit_share
"""

#: Intervals drawn by a bootstrap, of which tests say that they repeat and hold the estimate.
DRAWN = {("effect_sizes", "ses")} | {
    ("important_change", name)
    for name in (
        "mic_predictive",
        "mic_adjusted",
        "mic_improved",
        "mic_roc",
        "youden",
        "auc",
        "share_improved",
    )
}
#: No analysis gives it: it is a count in a sentence, which `release` judges as a row.
BY_RELEASE = {"n_said"}

Claim = tuple[str, str, str]


def read_claims(table: str) -> Iterator[Claim]:
    """Yield test, analysis and statistic of each entry; an indented line continues the one above."""
    for entry in table.strip().replace("\n    ", " ").splitlines():
        test, analysis, *statistics = entry.split()
        yield from ((test, analysis, statistic) for statistic in statistics)


CLAIMS = {"estimate": list(read_claims(ESTIMATES)), "interval": list(read_claims(INTERVALS))}


def test_every_statistic_has_a_test_that_is_there():
    named = {statistic for _, _, statistic in CLAIMS["estimate"]}
    assert named == read_statistics().keys() - BY_RELEASE
    assert {analysis for _, analysis, _ in CLAIMS["estimate"]} == set(list_analyses())
    for test in {test for claims in CLAIMS.values() for test, _, _ in claims}:
        file, name = test.split("::")
        tree = ast.parse((TESTS / f"{file}.py").read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def shift(value: float | None, unit: object) -> float | None:
    """Return a number that is a little off: by one of a count, by a hundredth and a little more of others."""
    if value is None or not np.isfinite(value):
        return value
    counted = ("patients", "episodes", "assessments", "records", "cells", "sites", "rows")
    return value + 1 if unit in counted else value * 1.01 + 0.001


def run_with(test: str, build: Callable[..., Result], output: int) -> bool:
    """Return whether a test passes, in a process of its own in which analyses build their results so."""
    process = os.fork()
    if process == 0:
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            declaration.build_result = data_quality.build_result = build
            file, name = test.split("::")
            options = ["-q", "-x", "-p", "no:cacheprovider", "-m", ""]
            os._exit(int(pytest.main([*options, f"{TESTS / file}.py::{name}"])))
        finally:
            os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, 1), f"{test}: pytest ended with {code}"
    return code == 0


def build_shifted(analysis: str, statistic: str, columns: tuple[str, ...]) -> Callable[..., Result]:
    def build(name: str, rows: list[dict[str, Any]], **options: Any) -> Result:
        changed = [
            {**row, **{column: shift(row.get(column), row.get("unit")) for column in columns}}
            if (name, row["statistic"]) == (analysis, statistic)
            else row
            for row in rows
        ]
        return build_result(name, changed, **options)

    return build


def build_and_note(file: Path) -> Callable[..., Result]:
    """Return a way to build a result that notes which estimates and intervals it has."""

    def build(name: str, rows: list[dict[str, Any]], **options: Any) -> Result:
        result = build_result(name, rows, **options)
        table = result.table
        with file.open("a", encoding="utf-8") as note:
            for kind, column in (("estimate", "estimate"), ("interval", "conf_low")):
                for statistic in table.loc[table[column].notna(), "statistic"].unique():
                    note.write(f"{kind} {name} {statistic}\n")
        return result

    return build


@pytest.fixture
def output(tmp_path):
    with (tmp_path / "output").open("w") as file:
        yield file.fileno()


@pytest.fixture(scope="module")
def warm():
    """Import what tests of analyses use, once for all processes that are forked."""
    for name in ("outcomes.synthetic", "outcomes.views", "outcomes.reports", "statsmodels.api"):
        importlib.import_module(name)


needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be forked on Windows")


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("test", sorted({test for test, _, _ in CLAIMS["estimate"]}))
def test_a_number_that_is_off_fails_its_test(test, warm, output, tmp_path):
    """The test passes as it is, fails for each number it is named for, and gives no number without a test."""
    notes = tmp_path / "notes"
    assert run_with(test, build_and_note(notes), output), "fails without a change"
    kinds = {"estimate": ("estimate",), "interval": ("conf_low", "conf_high")}
    passed = [
        (kind, analysis, statistic)
        for kind, columns in kinds.items()
        for named, analysis, statistic in CLAIMS[kind]
        if named == test and run_with(test, build_shifted(analysis, statistic, columns), output)
    ]
    assert not passed
    known = {(kind, *claim[1:]) for kind, claims in CLAIMS.items() for claim in claims}
    known |= {("interval", *drawn) for drawn in DRAWN}
    given = {tuple(line.split()) for line in notes.read_text(encoding="utf-8").splitlines()}
    assert not given - known
