"""One code path of mergeable sums: chunks, Parquet and Dask partitions give the in-memory fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from outcomes.analyses.mmrm import fit
from outcomes.analyses.mmrm.design import Design, add_all, sum_patterns
from outcomes.analyses.mmrm.frame_pass import FramePass
from outcomes.analyses.mmrm.layout import list_columns, parse_formula
from outcomes.analyses.mmrm.passes import ParquetPass, lay_out, sum_table
from outcomes.errors import AnalysisError
from test_mmrm_reference import FOLDER, FORMULA, lengthen


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    long = lengthen(pd.read_csv(FOLDER / "simulated_patients.csv"))
    return long.assign(day=long["visit"].map({"V1": 42.0, "V2": 91.0, "V3": 183.0, "V4": 365.0}))


@pytest.fixture(scope="module")
def parquet(table, tmp_path_factory):
    pytest.importorskip("duckdb", reason="the extra 'cluster' is not installed")
    path = tmp_path_factory.mktemp("scores") / "scores.parquet"
    table.sample(frac=1, random_state=1).to_parquet(path)
    return path


def assert_same(found, expected):
    assert found.state == expected.state
    assert found.n_rows == expected.n_rows and found.n_patients == expected.n_patients
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-11)
    columns = ["estimate", "std_error", "df"]
    np.testing.assert_allclose(found.coefficients[columns], expected.coefficients[columns], rtol=1e-9)
    np.testing.assert_allclose(found.contrasts()[columns], expected.contrasts()[columns], rtol=1e-9)


OPTIONS = [
    {},
    {"vcov": "CR2"},
    {"vcov": "CR2", "cluster": "provider"},
    {"group": "region", "covariance": "csh", "df": "satterthwaite"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_chunks_of_a_frame(table, options):
    whole = fit(FORMULA, table, subject="id", visit="visit", **options)
    parts = fit(FORMULA, table, subject="id", visit="visit", patients_per_chunk=37, **options)
    assert_same(parts, whole)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_parquet_through_duckdb(table, parquet, options, monkeypatch):
    whole = fit(FORMULA, table, subject="id", visit="visit", **options)
    # Batches smaller than the file, so that patients are cut between them.
    monkeypatch.setattr("outcomes.analyses.mmrm.passes._ROWS_PER_BATCH", 501)
    assert_same(fit(FORMULA, parquet, subject="id", visit="visit", **options), whole)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_dask_partitions(table, options):
    frame = pytest.importorskip("dask.dataframe", reason="the extra 'cluster' is not installed")
    whole = fit(FORMULA, table, subject="id", visit="visit", **options)
    spread = frame.from_pandas(table.sample(frac=1, random_state=2), npartitions=5, sort=False)
    assert_same(fit(FORMULA, spread, subject="id", visit="visit", **options), whole)


def test_dask_workers_in_processes_of_their_own(table):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    frame = pytest.importorskip("dask.dataframe", reason="the extra 'cluster' is not installed")
    whole = fit(FORMULA, table, subject="id", visit="visit")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        spread = frame.from_pandas(table.sample(frac=1, random_state=3), npartitions=4, sort=False)
        assert_same(fit(FORMULA, spread, subject="id", visit="visit"), whole)


VARYING = "pain ~ therapy*visit + base + day + region"


@pytest.mark.parametrize("kind", ["chunks", "parquet"])
def test_a_number_that_changes_within_patients_is_found_and_summed_at_each_visit(
    table, kind, parquet, tmp_path
):
    noisy = table.assign(day=table["day"] + np.random.default_rng(4).normal(0, 9, len(table)))
    whole = fit(VARYING, noisy, subject="id", visit="visit")
    assert whole.layout.varying == {"day"}
    if kind == "chunks":
        parts = fit(VARYING, noisy, subject="id", visit="visit", patients_per_chunk=50)
    else:
        noisy.to_parquet(tmp_path / "noisy.parquet")
        parts = fit(VARYING, tmp_path / "noisy.parquet", subject="id", visit="visit")
    assert_same(parts, whole)


def test_sums_of_parts_add_up_in_any_order(table):
    terms = parse_formula(FORMULA)
    columns = list_columns(terms, "id", "visit")
    source = FramePass(table, columns, "id")
    layout = lay_out(source, terms, "id", "visit", None, None, None)
    layout, design, whole = sum_table(source, layout)
    parts = list(FramePass(table, columns, "id", 100).map(layout, lambda wide: sum_patterns(wide, design)))
    for order in (parts, parts[::-1]):
        total = add_all(order)
        assert total.counts == whole.counts and total.n_rows == whole.n_rows
        for key, gram in total.grams.items():
            np.testing.assert_allclose(gram, whole.grams[key], rtol=1e-10, atol=1e-9)


def test_design_is_that_of_formulaic(table):
    """The columns, their names and order are formulaic's, for every pair of formula and table."""
    from formulaic import model_matrix

    complete = table.dropna(subset="pain").reset_index(drop=True)
    for formula in (
        FORMULA,
        "pain ~ visit + therapy:visit + np.log(age)",
        "pain ~ 0 + therapy + visit + base:visit",
        "pain ~ therapy*visit*region + base*age",
        "pain ~ 0 + therapy:visit + I(age**2)",
        "pain ~ therapy*visit + C(provider)",
        "pain ~ therapy*day + visit",
    ):
        terms = parse_formula(formula)
        source = FramePass(complete, list_columns(terms, "id", "visit"), "id")
        layout, design, _ = sum_table(source, lay_out(source, terms, "id", "visit", None, None, None))
        expected = model_matrix(formula, complete).rhs
        assert design.names == list(expected.columns)
        wide = next(iter(source.map(layout, lambda part: part)))
        parts = design.evaluate_parts(wide)[:, : len(design.parts)]
        columns = design.spread_visits(parts)[~np.isnan(wide.score)] @ design.centring
        order = (
            complete.assign(patient=pd.factorize(complete["id"])[0]).sort_values(["patient", "visit"]).index
        )
        np.testing.assert_allclose(columns, expected.to_numpy("float64")[order], atol=1e-9)


def test_parquet_is_bounded_and_its_mistakes_are_named(parquet, tmp_path):
    small = fit(FORMULA, parquet, subject="id", visit="visit", memory_limit_gb=0.2)
    assert small.state == "ok"
    with pytest.raises(AnalysisError, match="no column 'pian'; it has: id, therapy"):
        fit("pian ~ therapy*visit", parquet, subject="id", visit="visit")
    with pytest.raises(AnalysisError, match="no Parquet file"):
        fit(FORMULA, tmp_path / "absent.parquet", subject="id", visit="visit")
    held = ParquetPass(parquet, ["id", "visit", "pain"], "id", 1.0)
    assert held.describe(parse_formula("pain ~ visit"), "visit", []).levels["visit"] == (
        "V1",
        "V2",
        "V3",
        "V4",
    )


def test_size_of_sums_does_not_depend_on_patients(table):
    terms = parse_formula(FORMULA)
    source = FramePass(table, list_columns(terms, "id", "visit"), "id")
    _, design, sums = sum_table(source, lay_out(source, terms, "id", "visit", None, None, None))
    assert isinstance(design, Design)
    assert len(sums.grams) <= 15 and {gram.shape for gram in sums.grams.values()} == {(13, 13)}
