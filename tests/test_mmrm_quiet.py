"""Nothing that a library prints or warns of reaches the user: states and reasons say it."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from handmade import assemble_cohort
from outcomes.analyses.mmrm import fit
from outcomes.analyses.model_checks import check_model
from outcomes.analyses.over_time import compare_over_time
from test_mmrm_choices import make_table
from test_mmrm_cohort import make_clinic


def repeat_first_visit(table: pd.DataFrame) -> pd.DataFrame:
    first = table.groupby("id")["score"].transform("first")
    return table.assign(score=first + 1e-9 * np.arange(len(table)))


AWKWARD = {
    "constant": lambda: make_table().assign(score=5.0),
    "constant but for one": lambda: make_table().assign(score=lambda held: 5.0 + (held.index == 7)),
    "visits that repeat each other": lambda: repeat_first_visit(make_table()),
    "one visit": lambda: make_table(n_visits=1),
    "five visits of few": lambda: make_table(n_each=6, n_visits=5),
    "three of one therapy": lambda: make_table().query("therapy == 'A' or id < 33"),
    "two patients": lambda: make_table(n_each=1),
    "one therapy absent at a visit": lambda: make_table().query("not (therapy == 'B' and visit == 'v01')"),
    "no patient with two visits": lambda: make_table().query("id % 3 == visit.str[-1].astype('int')"),
    "enormous scores": lambda: make_table().assign(score=lambda held: 1e150 * held["score"]),
    "tiny scores": lambda: make_table().assign(score=lambda held: 1e-150 * held["score"]),
}
OPTIONS = [
    {}, {"covariance": "csh"}, {"method": "ml"}, {"df": "kenward-roger"}, {"vcov": "CR2"},
    {"cluster": "site"}, {"group": "therapy"},
]  # fmt: skip


@pytest.mark.parametrize("name", AWKWARD)
def test_a_fit_is_quiet_and_says_its_state(name, capfd):
    table = AWKWARD[name]().assign(site=lambda held: held["id"] % 11)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in OPTIONS:
            found = fit("score ~ therapy*visit", table, subject="id", visit="visit", **options)
            assert found.state in ("ok", "boundary", "few_clusters") or (
                found.reasons and found.coefficients["estimate"].isna().all()
            )
            found.contrasts(), found.marginal_means(), found.f_tests(), found.joint_tests(), str(found)
            if found.inference is not None:
                found.residuals()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda wide: wide.assign(month_1=5.0, month_2=5.0, month_3=5.0),
        lambda wide: wide.assign(month_2=wide["month_1"]),
        lambda wide: wide.iloc[:43],
        lambda wide: wide.iloc[[0, 1, 40, 41]],
        lambda wide: wide.assign(month_2=np.nan),
        lambda wide: wide.assign(baseline=7.0),
    ],
    ids=["constant", "repeated", "three of one", "four patients", "a time point of nobody", "equal at start"],
)
def test_the_comparison_of_a_cohort_is_quiet(change, capfd):
    cohort = assemble_cohort(change(make_clinic()).reset_index(drop=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for analyse in (compare_over_time, check_model):
            result = analyse(cohort)
            assert result.method and result.table["state"].notna().all()
    assert capfd.readouterr() == ("", "")


def test_a_difference_whose_variance_is_negative_is_not_shown():
    """Corrections for few patients may make it so; the model then has no interval to give."""
    found = fit("score ~ therapy*visit", make_table(), subject="id", visit="visit")
    broken = replace(found, inference=replace(found.inference, used=-found.inference.used))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = broken.contrasts("therapy")
    assert set(table["state"]) == {"not_converged"} and table["estimate"].isna().all()
    assert set(found.contrasts("therapy")["state"]) == {"ok"}


def test_differences_with_next_to_no_degrees_of_freedom_are_not_shown():
    """Of a model whose covariance is all but unknown, intervals would be wider than any number."""
    found = fit("score ~ therapy*visit", make_table(), subject="id", visit="visit")
    unknown = replace(found, inference=replace(found.inference, variance=1e8 * found.inference.variance))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = unknown.contrasts("therapy")
    assert set(table["state"]) == {"not_converged"} and table["estimate"].isna().all()
