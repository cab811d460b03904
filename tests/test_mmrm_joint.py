"""Joint tests of several coefficients or contrasts: they agree with single ones, and keep their level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from outcomes.analyses.mmrm import fit
from test_mmrm_choices import fit_table, make_table
from test_mmrm_reference import FOLDER, fit_simulated, lengthen

THERAPIES = ("A", "B", "C", "D")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return lengthen(pd.read_csv(FOLDER / "simulated_patients.csv"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"df": "satterthwaite"},
        {"df": "residual"},
        {"vcov": "CR2"},
        {"vcov": "CR2", "cluster": "provider"},
    ],
    ids=str,
)
def test_of_one_contrast_it_is_its_t_test(table, options):
    two = table[table["therapy"].isin(["Manual", "UsualCare"])]
    found = fit_simulated(two, "us", "reml", **options)
    joint = found.joint_tests().set_index("visit")
    single = found.contrasts(adjust="none").set_index("visit")
    for visit in single.index:
        assert joint.loc[visit, "statistic"] == pytest.approx(single.loc[visit, "statistic"] ** 2, rel=1e-8)
        assert joint.loc[visit, "den_df"] == pytest.approx(single.loc[visit, "df"], rel=1e-8)
        assert joint.loc[visit, "p_value"] == pytest.approx(single.loc[visit, "p_value"], rel=1e-6)
    assert joint.loc["interaction", "num_df"] == 3


@pytest.mark.parametrize("options", [{}, {"vcov": "CR2"}, {"vcov": "CR2", "cluster": "provider"}], ids=str)
def test_no_level_is_special(table, options):
    """Which level the others are compared with does not matter, nor the order of levels."""
    found = fit_simulated(table, "us", "reml", **options).joint_tests()
    names = sorted(table["therapy"].unique(), reverse=True)
    turned = table.assign(therapy=pd.Categorical(table["therapy"].astype(str), categories=names))
    other = fit_simulated(turned, "us", "reml", **options).joint_tests()
    pd.testing.assert_frame_equal(found, other, rtol=1e-7)


def test_the_interaction_is_that_of_the_model(table):
    found = fit_simulated(table, "us", "reml")
    term = found.f_tests().set_index("term").loc["therapy:visit"]
    joint = found.joint_tests().set_index("visit").loc["interaction"]
    for name in ("num_df", "den_df", "statistic", "p_value"):
        assert joint[name] == pytest.approx(term[name], rel=1e-7)


def test_a_cell_that_nobody_attended_is_left_out_of_its_visit():
    table = make_table(therapies=("A", "B", "C"))
    found = fit_table(table[~((table["therapy"] == "B") & (table["visit"] == "v01"))]).joint_tests()
    assert found["num_df"].tolist() == [2, 1, 2] and found["p_value"].notna().all()


def make_clusters(seed: int, n_clusters: int = 16, together: float = 1.0) -> pd.DataFrame:
    """One visit of patients within clusters, each of one therapy, that resemble each other."""
    random = np.random.default_rng(seed)
    sizes = random.integers(3, 12, n_clusters)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    score = together * random.normal(size=n_clusters)[cluster] + random.normal(size=len(cluster))
    therapy = np.array(THERAPIES)[cluster % 4]
    return pd.DataFrame(
        {"id": np.arange(len(cluster)), "visit": "v", "therapy": therapy, "site": cluster, "score": score}
    )


def test_clustered_tests_are_those_of_dense_matrices():
    """Tipton and Pustejovsky 2015, from all N x N covariances of what each cluster adds."""
    table = make_clusters(3)
    found = fit("score ~ therapy", table, subject="id", visit="visit", cluster="site").joint_tests().iloc[0]
    columns = pd.get_dummies(table["therapy"]).to_numpy(float)
    bread = np.linalg.inv(columns.T @ columns)
    rest = np.eye(len(table)) - columns @ bread @ columns.T
    contrasts = np.hstack([np.eye(3), -np.ones((3, 1))])
    members = [np.flatnonzero(table["site"] == code) for code in range(16)]
    parts = []
    for rows in members:
        values, vectors = np.linalg.eigh(rest[np.ix_(rows, rows)])
        half = (vectors * np.where(values > 1e-9, 1 / np.sqrt(np.maximum(values, 1e-9)), 0)) @ vectors.T
        parts.append(rest[:, rows] @ half @ columns[rows] @ bread)
    beta = bread @ columns.T @ table["score"]
    robust = sum(np.outer(part.T @ table["score"], part.T @ table["score"]) for part in parts)
    expected = contrasts @ sum(part.T @ part for part in parts) @ contrasts.T
    values, vectors = np.linalg.eigh(expected)
    scaled = (vectors / np.sqrt(values)) @ vectors.T @ contrasts
    each = np.stack([part @ scaled.T for part in parts])
    pairs = np.einsum("inq,jnr->ijqr", each, each)
    variance = sum(
        (pairs[:, :, s, s] * pairs[:, :, t, t] + pairs[:, :, s, t] * pairs[:, :, t, s]).sum()
        for s in range(3) for t in range(3)
    )  # fmt: skip
    freedom = 12 / variance
    squared = (contrasts @ beta) @ np.linalg.solve(contrasts @ robust @ contrasts.T, contrasts @ beta)
    assert found["den_df"] == pytest.approx(freedom - 2, rel=1e-8)
    assert found["statistic"] == pytest.approx(squared * (freedom - 2) / (3 * freedom), rel=1e-8)


def test_too_few_clusters_for_so_many_contrasts_give_no_test():
    table = make_table(n_each=12, n_visits=6, therapies=THERAPIES).assign(site=lambda held: held["id"] % 12)
    found = fit_table(table, cluster="site").joint_tests()
    assert np.isnan(found["p_value"].iloc[-1]) and found["num_df"].iloc[-1] == 15


@pytest.mark.slow
def test_clustered_tests_keep_their_level(capsys):
    """Four therapies of four sites each, 2,000 draws without an effect; the plain F rejects too often."""
    rejected = np.zeros(2)
    for seed in range(2_000):
        held = fit("score ~ therapy", make_clusters(seed), subject="id", visit="visit", cluster="site")
        test = held.joint_tests().iloc[0]
        beta = held.marginal_means()["estimate"].to_numpy()
        rows = np.hstack([np.eye(3), -np.ones((3, 1))])
        turn = np.linalg.inv(np.column_stack([np.ones(4), np.eye(4)[:, 1:]]))
        means = np.linalg.inv(turn) @ held.vcov.to_numpy() @ np.linalg.inv(turn).T
        plain = (rows @ beta) @ np.linalg.solve(rows @ means @ rows.T, rows @ beta) / 3
        rejected += [test["p_value"] < 0.05, stats.f.sf(plain, 3, 12) < 0.05]
    hotelling, naive = rejected / 2_000
    with capsys.disabled():
        print(f"\nrejected at 5 %: approximate Hotelling {hotelling:.2%}, F with 12 df {naive:.2%}")
    assert 0.02 <= hotelling <= 0.065 < naive
