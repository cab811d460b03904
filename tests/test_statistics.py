"""A statistic is declared once, whole: what privacy rests on can neither be forgotten nor misspelt."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from declared_statistics import declare_statistic
from outcomes.disclosure import audit_page, release
from outcomes.disclosure.page_context import name_run_folder, open_page
from outcomes.errors import FactsError
from outcomes.facts import Statistic, read_facts, read_statistics
from outcomes.facts.statistic import INSIDE, build_statistics
from outcomes.result import Patients, build_result

BLOCKS = read_facts("statistics")
#: Keys on which no privacy rests; every other key must be there.
OPTIONAL = {"importance", "unprinted_when_empty"}
KEYS = [field.name for field in dataclasses.fields(Statistic) if field.name not in {"id", *OPTIONAL}]
#: A mean of how well an improvement lasts, as it would be declared.
DURABLE = {key: BLOCKS["mean_improvement"][key] for key in KEYS} | {
    "in_chart": "nothing",
    "difference_of": [],
}

#: What was decided, by key: the statistics of which it is so, and no other of today's. What is
#: decided of a later one is for the test of its analysis to say.
DECIDED = """
sums = true: mean mean_score mean_expected mean_improvement mean_start_seen mean_score_seen
    mean_improvement_seen
spread_of = mean: sd
spread_of = mean_score: sd_score
spread_of = mean_score_seen: sd_score_seen
spread_of = mean_improvement_seen: sd_improvement
difference_of = mean_score mean_expected: mean_improvement
of_covariate = true: mean sd
of_episodes = true: n_episodes n_excluded_episodes
adds_over = levels: share
adds_over = groups flow: n_excluded_episodes n_excluded_patients
adds_over = groups: n n_missing n_episodes n_patients n_due n_seen n_lost n_not_yet_due n_after_event
    n_not_asked n_undefined n_out_of_reach n_assessments n_without_score n_recorded
part_of = n_due: n_seen
part_of = n_patients: n_excluded_patients
part_of = n_episodes: n_excluded_episodes
when_few = harm: share_worse
when_few = bounded: share_improved share_in_state share_in_state_start_seen
compares = therapies: marginal_mean contrast share_improved_standardised share_in_state_standardised hedges_g
    alternative_contrast f_test
compares = covariates: smd max_smd
in_chart = period: mean_improvement share_improved share_in_state
in_chart = limit: control_limit control_limit_share signal
in_chart = whole_limit: funnel_limit funnel_limit_share
team_only = completeness: n_missing n_lost n_not_yet_due n_after_event n_not_asked
team_only = responders: share_in_state_start_seen
team_only = change domains: mean_start_seen mean_score_seen sd_score_seen mean_improvement_seen sd_improvement
rests_on = nobody: verdict n_sites
rests_on = analysis: marginal_mean contrast share_improved_standardised adjusted_share_improved
    share_in_state_standardised adjusted_share_in_state
    adjusted_improvement funnel_limit funnel_limit_share control_limit control_limit_share signal
    position max_smd hedges_g regression_to_mean_low regression_to_mean_high check
same_for_any = outcome: n n_said n_missing n_patients n_episodes n_excluded_patients n_excluded_episodes share
    smd mean sd
same_for_any = level: share_improved_by position
score_is = mean_score: mean
score_is = sd_score: sd
kind = share: share share_improved share_worse share_improved_standardised share_at_floor
    share_in_state share_in_state_start_seen share_in_state_standardised adjusted_share_in_state
    share_at_ceiling adjusted_share_improved funnel_limit_share control_limit_share
kind = curve: share_improved_by
kind = band: share_seen share_recorded share_assessed
kind = score: mean sd mean_score sd_score mean_expected mean_improvement mean_start_seen mean_score_seen
    sd_score_seen mean_improvement_seen sd_improvement marginal_mean contrast
    regression_to_mean_low regression_to_mean_high adjusted_improvement funnel_limit control_limit
kind = effect: smd max_smd srm ses hedges_g
importance = 10.0: mean_score mean_expected mean_improvement share_improved share_in_state contrast
    marginal_mean n_due
unprinted_when_empty = true: share_improved share_in_state share_in_state_start_seen share_at_floor
    share_at_ceiling n_out_of_reach n_undefined
"""


def list_decided():
    """Yield key, value as it is written, and names of statistics of each entry above."""
    for entry in re.sub(r"\n    ", " ", DECIDED.strip()).splitlines():
        decision, _, names = entry.partition(": ")
        yield *decision.split(" = "), set(names.split())


def write(value):
    return " ".join(value) if isinstance(value, tuple) else str(value).lower()


@pytest.mark.parametrize(("key", "value", "names"), list(list_decided()))
def test_what_was_decided_of_each_statistic_stays_so(key, value, names):
    today = set().union(*(entry for _, _, entry in list_decided()))
    every = [one for one in read_statistics().values() if one.id in today or one.kind == INSIDE]
    assert {one.id for one in every if write(getattr(one, key)) == value} == names


def test_a_mean_named_by_its_kind_alone_is_refused_with_the_key_that_is_missing():
    with pytest.raises(FactsError, match=r"\[mean_durable\]: add sums = "):
        build_statistics({"mean_durable": {"kind": "score"}})


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("id", ["mean_durable", "mean_score", "n_seen"])
def test_every_key_that_privacy_rests_on_must_be_there(id, key):
    blocks = {**BLOCKS, "mean_durable": DURABLE}
    cut = {name: value for name, value in blocks[id].items() if name != key}
    with pytest.raises(FactsError, match=rf"statistics\.toml, \[{id}\]: add {key} = \.\.\.$"):
        build_statistics({**blocks, id: cut})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"sum": True}, "unknown key 'sum'; did you mean 'sums'"),
        ({"sums": "no"}, "sums is true or false"),
        ({"kind": "scores"}, "kind = 'scores' is no choice; did you mean 'score'"),
        ({"adds_over": ["group"]}, "adds_over = 'group' is no choice; did you mean 'groups'"),
        ({"adds_over": "groups"}, "adds_over = 'g' is no choice"),
        (
            {"spread_of": "mean_scores"},
            "spread_of = 'mean_scores' is no statistic; did you mean 'mean_score'",
        ),
        ({"difference_of": ["mean_score"]}, "difference_of names two statistics, or none"),
        ({"difference_of": ["mean_score", "mean_expectd"]}, "'mean_expectd' is no statistic"),
        ({"rests_on": "everybody"}, "rests_on = 'everybody' is no choice"),
        ({"team_only": "completeness"}, "team_only is a list of analyses"),
        ({"kind": "inside"}, 'kind = "inside" never leaves the clinic; leave out the other keys'),
    ],
)
def test_a_key_says_what_it_may_or_is_refused_by_its_name(said, message):
    with pytest.raises(FactsError) as refused:
        build_statistics({**BLOCKS, "mean_durable": {**DURABLE, **said}})
    assert "[mean_durable]" in str(refused.value) and message in str(refused.value)


def measure(statistic, n):
    """Return the mean of the first n of a hundred patients."""
    values = np.arange(100) * 7 % 51 + 0.5
    patients = Patients(
        np.array([f"P{one}" for one in range(100)], dtype=object), np.arange(100, dtype="uint64")
    )
    row = {"statistic": statistic, "outcome": "odi", "timepoint": "month_6", "group": "all", "unit": "points"}
    row |= {"estimate": float(values[:n].mean()), "n": n}
    return build_result(
        f"mean_{n}", [row], method="Mean.", support=[{"all": np.arange(n)}], patients=patients
    )


def test_an_undeclared_statistic_is_refused_where_a_result_is_built():
    with pytest.raises(ValueError, match=r"mean_60: add a block to facts/statistics\.toml .* mean_durable"):
        measure("mean_durable", 60)
    with pytest.raises(ValueError, match="rows without a statistic"):
        build_result("change", [{"group": "all", "estimate": 1.0}], method="Mean.")


@pytest.mark.parametrize("sums", [True, False])
def test_a_new_mean_that_is_declared_whole_is_guarded(sums, monkeypatch, tmp_path):
    """The mean of three more patients would give these three; nothing but `sums` says that it would."""
    for variable, value in name_run_folder(tmp_path).items():
        monkeypatch.setenv(variable, value)
    page = open_page()
    with declare_statistic("mean_durable", {**DURABLE, "sums": sums}):
        made = [release(measure("mean_durable", n), page) for n in (60, 63)]
        assert [bool(one.table["shown"].iloc[0]) for one in made] == [True, not sums]
        assert made[1].why()["reason"].tolist() == (["sum"] if sums else [""])
        assert audit_page(made).passed


def test_the_audit_finds_what_the_page_did_not_hold_back(monkeypatch):
    with declare_statistic("mean_durable", DURABLE):
        made = [release(measure("mean_durable", n)) for n in (60, 63)]
        assert not audit_page(made).passed
