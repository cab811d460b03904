"""Margins of a model are of what is in it; products of numbers are columns as R codes them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from outcomes.analyses.mmrm import fit
from outcomes.errors import AnalysisError

VISITS = ("week 6", "month 3", "month 6")


@pytest.fixture(scope="module")
def long() -> pd.DataFrame:
    """Return 90 made-up patients, some visits missing; age and bmi interact, bmi is not in every model."""
    rng = np.random.default_rng(7)
    n = 90
    age, bmi, own = rng.normal(50, 10, n), rng.normal(27, 4, n), rng.normal(0, 4, n)
    therapy, sex = np.array(["A", "B", "C"])[np.arange(n) % 3], np.array(["f", "m"])[rng.integers(0, 2, n)]
    wide = pd.DataFrame({"id": range(n), "therapy": therapy, "sex": sex, "age": age, "bmi": bmi, "own": own})
    table = wide.merge(pd.DataFrame({"visit": pd.Categorical(VISITS, categories=VISITS)}), how="cross")
    noise = rng.normal(0, 5, len(table))
    table["score"] = 20 + 0.01 * table["age"] * table["bmi"] + 3 * (table["therapy"] == "B") + table["own"]
    table["score"] += noise
    return table[rng.random(len(table)) > 0.15].reset_index(drop=True)


@pytest.fixture(scope="module")
def model(long):
    return fit("score ~ therapy*visit + sex + age", long, subject="id", visit="visit")


def fit_long(table, right):
    return fit(f"score ~ {right}", table, subject="id", visit="visit")


@pytest.mark.parametrize("verb", ["marginal_means", "contrasts", "joint_tests"])
@pytest.mark.parametrize("by", ["bmi", "age", "own", "id", "score", "therapi", "", None, 3])
def test_means_of_what_is_no_category_of_the_model_are_refused(model, verb, by):
    with pytest.raises(AnalysisError) as refused:
        getattr(model, verb)(by)
    assert str(refused.value) == f"{by!r} is no category of the model; it has: therapy, sex."


@pytest.mark.parametrize("verb", ["marginal_means", "contrasts", "joint_tests"])
def test_means_of_the_visit_point_to_the_means_at_each_visit(model, verb):
    with pytest.raises(AnalysisError, match=r"'visit' is the visit.*at_visit.*therapy, sex"):
        getattr(model, verb)("visit")


def test_a_column_of_the_covariance_or_the_clusters_is_no_category_of_the_model(long):
    found = fit("score ~ therapy*visit", long, subject="id", visit="visit", group="sex", df="satterthwaite")
    with pytest.raises(AnalysisError, match="'sex' is no category of the model; it has: therapy"):
        found.marginal_means("sex")


def test_several_categories_are_each_of_the_model_and_named_once(model):
    assert len(model.marginal_means(["therapy", "sex"])) == 3 * 2 * 3
    with pytest.raises(AnalysisError, match="'bmi' is no category"):
        model.marginal_means(["therapy", "bmi"])
    with pytest.raises(AnalysisError, match="each category once"):
        model.marginal_means(["therapy", "therapy"])


@pytest.mark.parametrize("name", ["bmi", "sex", "therapy", "visit", "score", "", 3])
def test_only_numbers_of_the_model_are_set(model, name):
    for verb in (model.marginal_means, model.contrasts):
        with pytest.raises(AnalysisError) as refused:
            verb(at={"age": 40, name: 1.0})
        assert str(refused.value) == f"{name!r} is no number of the model; it has: age."


@pytest.mark.parametrize("value", ["x", None, float("nan"), float("inf"), True])
def test_a_number_is_set_to_a_number(model, value):
    with pytest.raises(AnalysisError, match=re.escape(f"at={{'age': 40}}; {value!r} is none")):
        model.marginal_means(at={"age": value})


@pytest.mark.parametrize(
    "weights", [{}, {"week 9": 1}, {"week 6": 0}, {"week 6": -1, "month 3": 3}, {"week 6": "1"}]
)
def test_weights_of_visits_are_positive_numbers_of_known_visits(model, weights):
    with pytest.raises(AnalysisError, match="positive numbers for visits among: week 6, month 3, month 6"):
        model.marginal_means(at_visit=False, visit_weights=weights)


@pytest.mark.parametrize("by", ["bmi", "age", "visit"])
def test_slopes_are_those_of_categories_in_numbers_of_the_model(model, by):
    with pytest.raises(AnalysisError, match=f"'{by}' is"):
        model.slopes({"week 6": 42, "month 3": 91, "month 6": 182}, by)
    with pytest.raises(AnalysisError, match="'bmi' is no number of the model; it has: age"):
        model.slopes("bmi")


@pytest.mark.parametrize(
    ("right", "columns"),
    [
        ("age:bmi", ["Intercept", "age:bmi"]),
        ("age + age:bmi", ["Intercept", "age", "age:bmi"]),
        ("age:sex", ["Intercept", "age:sex[f]", "age:sex[m]"]),
        ("sex + age:bmi:sex", ["Intercept", "sex[T.m]", "age:bmi:sex[f]", "age:bmi:sex[m]"]),
        ("0 + age:bmi", ["age:bmi"]),
    ],
)
def test_products_without_main_effects_have_the_columns_of_r(long, right, columns):
    """With one row per patient the model is R's ``lm``: least squares on the columns of ``model.matrix``."""
    first = long.drop_duplicates("id").assign(visit="once")
    found = fit_long(first, right).coefficients.set_index("term")["estimate"]
    assert list(found.index) == columns
    numbers = {"age": first["age"], "bmi": first["bmi"], "Intercept": 1.0}
    numbers |= {f"sex[{level}]": first["sex"] == level for level in ("f", "m")}
    numbers["sex[T.m]"] = numbers["sex[m]"]
    matrix = np.column_stack(
        [
            np.prod([numbers[part] * np.ones(len(first)) for part in name.split(":")], axis=0)
            for name in columns
        ]
    )
    expected = np.linalg.lstsq(matrix, first["score"].to_numpy(), rcond=None)[0]
    assert found.to_numpy() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    "right",
    [
        "therapy:sex", "age + therapy:sex", "sex + therapy:sex", "sex:age", "therapy:sex:age",
        "sex + therapy:age", "therapy:sex + age:bmi", "0 + therapy:sex", "sex/age", "therapy*sex*age",
        "therapy:age:bmi",
    ],
)  # fmt: skip
def test_interactions_without_main_effects_span_what_formulaic_spans(long, right):
    """Columns that R would call aliased are left out, and named; what is fitted is the same."""
    from formulaic import model_matrix

    first = long.drop_duplicates("id").assign(visit="once")
    found = fit_long(first, right)
    expected = model_matrix(right, first).to_numpy(float)
    score = first["score"].to_numpy()
    fitted = expected @ np.linalg.lstsq(expected, score, rcond=None)[0]
    assert found.state == "ok"
    assert found.predict(first)["fitted"].to_numpy() == pytest.approx(fitted, rel=1e-7)
    # the residual degrees of freedom are those of the space that is spanned, too
    assert set(found.coefficients["df"].round(6)) == {len(first) - np.linalg.matrix_rank(expected)}


def test_means_are_given_of_a_factor_that_stands_in_an_interaction_alone(long):
    first = long.drop_duplicates("id").assign(visit="once")
    found = fit_long(first, "therapy:sex")
    means = found.marginal_means("sex").set_index("sex")["estimate"]
    cells = first.groupby(["sex", "therapy"])["score"].mean()
    for level in ("f", "m"):
        assert means[level] == pytest.approx(cells[level].mean(), rel=1e-8)
    with pytest.raises(AnalysisError, match="'bmi' is no category of the model; it has: therapy, sex"):
        found.marginal_means("bmi")


@pytest.mark.parametrize("right", ["therapy*visit", "therapy*visit + age", "visit + sex"])
def test_a_product_of_numbers_is_the_column_of_their_product(long, right):
    product = long.assign(both=long["age"] * long["bmi"])
    made = fit_long(long, f"{right} + age:bmi")
    given = fit_long(product, f"{right} + both")
    columns = ["estimate", "std_error", "df", "p_value"]
    left = made.coefficients.set_index("term").rename(index={"age:bmi": "both"})[columns]
    assert made.state == given.state == "ok" and not made.dropped
    expected = given.coefficients.set_index("term")[columns]
    assert left.loc[expected.index].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-6)
    assert made.deviance == pytest.approx(given.deviance, rel=1e-9)
    assert made.predict(long)["fitted"].to_numpy() == pytest.approx(
        given.predict(product)["fitted"].to_numpy(), rel=1e-8
    )
    if "therapy" in right:
        contrasts = made.contrasts()["estimate"].to_numpy()
        assert contrasts == pytest.approx(given.contrasts()["estimate"].to_numpy(), rel=1e-6)


def test_means_of_a_product_stand_at_the_means_of_its_numbers(long):
    """As in emmeans: the product of the means, not the mean of the product."""
    found = fit_long(long, "therapy*visit + age:bmi")
    slope = found.coefficients.set_index("term")["estimate"]["age:bmi"]
    middle = found.marginal_means()["estimate"].to_numpy()
    set_there = found.marginal_means(at={"age": long["age"].mean(), "bmi": long["bmi"].mean()})
    assert middle == pytest.approx(set_there["estimate"].to_numpy(), rel=1e-9)
    older = found.marginal_means(at={"age": 60, "bmi": 30})["estimate"].to_numpy()
    younger = found.marginal_means(at={"age": 40, "bmi": 30})["estimate"].to_numpy()
    assert older - younger == pytest.approx(np.full(9, 600 * slope), rel=1e-7)
