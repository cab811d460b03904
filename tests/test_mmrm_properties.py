"""What never changes the answer: order, names, the reference, the origin and the unit of the score."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outcomes.analyses.mmrm import fit
from outcomes.analyses.mmrm.covariances import COVARIANCES

SETTINGS = settings(max_examples=12)
FORMULA = "score ~ therapy*visit + base*visit + region"
NUMBERS = ["estimate", "std_error", "df"]
SPACED = {"equally_spaced": True}


@st.composite
def tables(draw) -> pd.DataFrame:
    """Made-up patients of two to four therapies over two to four visits, a tenth to a third missing."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_visits, n_therapies = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    n = draw(st.integers(15, 40)) * n_therapies
    root = random.normal(size=(n_visits, n_visits)) + 2 * np.eye(n_visits)
    scores = random.normal(size=(n, n_visits)) @ root.T
    base = random.normal(6, 2, n)
    table = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), n_visits),
            "visit": np.tile([f"v{number}" for number in range(n_visits)], n),
            "therapy": np.repeat(np.array(list("ABCD"))[random.integers(0, n_therapies, n)], n_visits),
            "region": np.repeat(np.array(["east", "west"])[random.integers(0, 2, n)], n_visits),
            "base": np.repeat(base, n_visits),
            "score": np.round((scores + base[:, None]).ravel(), 2),
        }
    )
    return table[random.random(len(table)) > draw(st.floats(0.1, 0.33))].reset_index(drop=True)


def fit_table(table: pd.DataFrame, **options):
    found = fit(FORMULA, table, subject="id", visit="visit", **options)
    assume(found.state == "ok")
    return found


def assert_same(found: pd.DataFrame, expected: pd.DataFrame, scale: float = 1.0, rtol: float = 1e-8):
    np.testing.assert_allclose(found["estimate"], scale * expected["estimate"], rtol=rtol, atol=scale * 1e-10)
    np.testing.assert_allclose(found["std_error"], scale * expected["std_error"], rtol=rtol)
    np.testing.assert_allclose(found["df"], expected["df"], rtol=max(rtol, 1e-7))


@SETTINGS
@given(tables(), st.sampled_from(["model", "CR2"]), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_patients_do_not_matter(table, vcov, random):
    expected = fit_table(table, vcov=vcov)
    shuffled = table.sample(frac=1, random_state=random.randrange(2**31))
    names = shuffled["id"].map(lambda number: f"patient {997 * number % 1009}")
    found = fit_table(shuffled.assign(id=names), vcov=vcov)
    assert_same(found.contrasts(), expected.contrasts(), rtol=1e-9)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-11)


@SETTINGS
@given(tables())
def test_contrasts_do_not_depend_on_the_reference_level(table):
    expected = fit_table(table)
    turned = table.assign(
        therapy=pd.Categorical(table["therapy"], categories=sorted(table["therapy"].unique())[::-1]),
        region=pd.Categorical(table["region"], categories=["west", "east"]),
    )
    found = fit_table(turned)
    keys = ["group", "versus", "visit"]
    forward = expected.contrasts(adjust="none").set_index(keys)
    back = (
        found.contrasts(adjust="none").rename(columns={"group": "versus", "versus": "group"}).set_index(keys)
    )
    assert_same(back.reindex(forward.index).assign(estimate=lambda held: -held["estimate"]), forward)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-10)
    means = expected.marginal_means().set_index(["therapy", "visit"])
    same = found.marginal_means().set_index(["therapy", "visit"]).reindex(means.index)
    assert_same(same, means)


@SETTINGS
@given(tables(), st.sampled_from([-1e6, 1e3, 1e6]))
def test_contrasts_do_not_depend_on_the_origin_of_score_or_covariate(table, offset):
    # Adding a large number rounds the scores themselves, so that they are rounded before both fits.
    table = table.assign(score=(table["score"] + offset) - offset, base=(table["base"] + offset) - offset)
    expected = fit_table(table)
    moved = fit_table(table.assign(score=table["score"] + offset, base=table["base"] + offset))
    assert_same(moved.contrasts(), expected.contrasts())
    means = moved.marginal_means()["estimate"] - offset
    np.testing.assert_allclose(means, expected.marginal_means()["estimate"], atol=1e-8)


@SETTINGS
@given(tables(), st.sampled_from([1e-9, 1e-4, 0.1, 12.0, 1e5, 1e9]))
def test_scaling_the_score_scales_the_answer(table, factor):
    expected = fit_table(table)
    found = fit_table(table.assign(score=factor * table["score"]))
    assert_same(found.contrasts(), expected.contrasts(), scale=factor)
    np.testing.assert_allclose(found.visit_covariance, factor**2 * expected.visit_covariance, rtol=1e-8)
    n_free = expected.n_rows - len(expected.kept)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood - n_free * np.log(factor), rel=1e-9)


@SETTINGS
@given(tables(), st.sampled_from([1e-9, 1e-4, 1e5, 1e9]))
def test_contrasts_do_not_depend_on_the_unit_of_a_covariate(table, factor):
    expected = fit_table(table)
    found = fit_table(table.assign(base=factor * table["base"]))
    np.testing.assert_array_equal(found.kept, expected.kept)
    assert_same(found.contrasts(), expected.contrasts())
    assert_same(found.marginal_means(), expected.marginal_means())


@SETTINGS
@given(tables(), st.integers(3, 60))
def test_chunks_of_any_size_are_the_whole(table, patients_per_chunk):
    expected, found = fit_table(table), fit_table(table, patients_per_chunk=patients_per_chunk)
    assert_same(found.contrasts(), expected.contrasts(), rtol=1e-9)


@settings(SETTINGS, max_examples=5)
@given(tables())
def test_parquet_and_dask_are_the_frame(tmp_path_factory, table):
    pytest.importorskip("duckdb", reason="the extra 'cluster' is not installed")
    frame = pytest.importorskip("dask.dataframe", reason="the extra 'cluster' is not installed")
    expected = fit_table(table).contrasts()
    path = tmp_path_factory.mktemp("scores") / "scores.parquet"
    table.sample(frac=1, random_state=1).to_parquet(path)
    assert_same(fit_table(path).contrasts(), expected, rtol=1e-9)
    spread = frame.from_pandas(table.sample(frac=1, random_state=2), npartitions=3, sort=False)
    assert_same(fit_table(spread).contrasts(), expected, rtol=1e-9)


@SETTINGS
@given(tables(), st.sampled_from(sorted(COVARIANCES)))
def test_simpler_covariances_never_fit_better(table, covariance):
    free = fit_table(table, method="ml")
    simpler = fit_table(table, method="ml", covariance=covariance, **SPACED)
    assert simpler.log_likelihood <= free.log_likelihood + 1e-7
    assert simpler.n_parameters <= free.n_parameters


@pytest.mark.parametrize("n_visits", [2, 3, 5])
@pytest.mark.parametrize("covariance", sorted(COVARIANCES))
def test_derivatives_of_covariances_are_those_of_differences(covariance, n_visits):
    """First and second derivatives against central differences."""
    form = COVARIANCES[covariance]
    theta = np.random.default_rng(8).normal(0, 0.6, len(form.begin(np.eye(n_visits))))
    value, first, second = form.expand(theta, n_visits)
    np.testing.assert_allclose(value, value.T)
    step = 1e-5
    for place in range(len(theta)):
        move = step * np.eye(len(theta))[place]
        above, below = form.expand(theta + move, n_visits), form.expand(theta - move, n_visits)
        np.testing.assert_allclose(first[place], (above[0] - below[0]) / (2 * step), atol=1e-7)
        np.testing.assert_allclose(second[place], (above[1] - below[1]) / (2 * step), atol=1e-7)


@SETTINGS
@given(tables())
def test_the_fit_is_the_generalised_least_squares_of_its_own_covariance(table):
    """Coefficients, standard errors and likelihood recomputed patient by patient."""
    from formulaic import model_matrix

    found = fit_table(table, df="residual")
    design = model_matrix(FORMULA, table).rhs.to_numpy("float64")
    if found.dropped:
        return
    sigma = found.visit_covariance.to_numpy()
    place = table["visit"].str[1:].astype(int).to_numpy()
    information = np.zeros((design.shape[1],) * 2)
    cross, square, log_det = np.zeros(design.shape[1]), 0.0, 0.0
    for rows in table.groupby("id").indices.values():
        block = sigma[np.ix_(place[rows], place[rows])]
        inverse, score = np.linalg.inv(block), table["score"].to_numpy()[rows]
        information += design[rows].T @ inverse @ design[rows]
        cross += design[rows].T @ inverse @ score
        square += score @ inverse @ score
        log_det += np.linalg.slogdet(block)[1]
    beta = np.linalg.solve(information, cross)
    deviance = (len(table) - len(beta)) * np.log(2 * np.pi) + log_det
    deviance += np.linalg.slogdet(information)[1] + square - beta @ cross
    np.testing.assert_allclose(found.coefficients["estimate"], beta, rtol=1e-7, atol=1e-9)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(found.coefficients["std_error"], errors, rtol=1e-7)
    assert found.log_likelihood == pytest.approx(-deviance / 2, abs=1e-6)
