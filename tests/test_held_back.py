"""Numbers that would tell of a few patients beside an earlier page, worked out by hand."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.disclosure import open_page, read_rules, release
from outcomes.disclosure.ledger import Edition, Ledger, open_ledger
from outcomes.disclosure.ledger.cell import Cell, name_quantity
from outcomes.disclosure.ledger.comparison import judge_cells
from outcomes.disclosure.page_context import hand_ledger
from outcomes.errors import DisclosureError
from outcomes.result import Patients, build_result

K = 11
RUN_FOLDER = "OUTCOMES_RUN_DIR"
#: A made-up score of each patient: 7, 14, ..., and what was recorded of them beside it.
SCORES = {number: float(7 * number % 41) for number in range(2000)}


@dataclass
class Clinic:
    """Pages of a clinic, each compared with all that the ledger knows."""

    ledger: Ledger
    private: Path
    monkeypatch: pytest.MonkeyPatch
    scores: dict[int, float] = field(default_factory=lambda: dict(SCORES))
    n_runs: int = 0

    def show(self, groups, *, page="page", slot="", order=None, out=True, **row):
        """Make a page of means, release it, and return its rows by group."""
        edition = self.begin(page, slot)
        released = release(self.build(groups, order, **row), open_page())
        self.ledger.enter(edition, [released])
        assert self.ledger.check(edition.id) == []
        if out:
            self.ledger.prepare(edition.id, "A. Nurse", edition.made)
            self.ledger.settle(edition.id)
        return released.table.set_index("group")

    def begin(self, page="page", slot=""):
        """Begin the run of an edition, and return the edition."""
        self.n_runs += 1
        number, slot = self.n_runs, slot or f"{2000 + self.n_runs}"
        edition = Edition(
            f"run{number}", "report", page, series="whole", slot=slot, k=K, made=f"{2000 + number}-01-01"
        )
        folder = self.private.parent / f"run{number}"
        folder.mkdir()
        hand_ledger(self.private, edition, folder)
        self.monkeypatch.setenv(RUN_FOLDER, str(folder))
        return edition

    def build(self, groups, order=None, **row):
        """Return the means of groups of patients, given by number, in rows and codes of any order."""
        people = sorted({one for members in groups.values() for one in members})
        people = people if order is None else order.permutation(people).tolist()
        codes = {one: code for code, one in enumerate(people)}
        patients = Patients(
            np.array([f"P{one}" for one in people], dtype=object),
            np.array([1000 * one + int(10 * self.scores[one]) for one in people], dtype="uint64"),
        )
        rows, support = [], []
        names = list(groups) if order is None else order.permutation(sorted(groups)).tolist()
        for name in names:
            members = sorted(groups[name])
            mean = float(np.mean([self.scores[one] for one in members]))
            given = {"statistic": "mean_improvement", "outcome": "odi", "timepoint": "month_6", **row}
            rows.append({**given, "group": name, "estimate": mean, "n": len(members), "unit": "points"})
            support.append({"all": np.array([codes[one] for one in members])})
        return build_result("change", rows, method="Mean.", support=support, patients=patients)


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    private = tmp_path / ".outcomes"
    with open_ledger(private) as ledger:
        yield Clinic(ledger, private, monkeypatch)


def test_a_newcomer_changes_nothing_that_is_shown(clinic):
    first = clinic.show({"all": range(50)}).loc["all"]
    second = clinic.show({"all": range(51)}).loc["all"]
    assert second["as_of"] == "2001-01-01" and second["display"] == f"{first['display']}†"
    numbers = ["estimate", "conf_low", "conf_high", "n", "shown"]
    assert second[numbers].equals(first[numbers])
    # 51 m2 - 50 m1 is the old mean, whatever the newcomer's score
    assert 51 * second["estimate"] - 50 * first["estimate"] == pytest.approx(first["estimate"])


@pytest.mark.parametrize(
    "later",
    [range(1, 50), [*range(1, 50), 90], range(10, 60), range(60)],
    ids=["a leaver", "one left, one joined", "ten left, ten joined: twenty differ", "ten joined"],
)
def test_who_left_and_who_joined_count_together(clinic, later):
    clinic.show({"all": range(50)})
    row = clinic.show({"all": later}).loc["all"]
    differing = len(set(range(50)) ^ set(later))
    assert pd_missing(row["as_of"]) == (differing >= K)


def pd_missing(value) -> bool:
    return value != value


def test_a_correction_of_the_same_patients_waits(clinic):
    first = clinic.show({"all": range(50)}).loc["all"]
    clinic.scores[7] += 30
    second = clinic.show({"all": range(50)}).loc["all"]
    assert second["estimate"] == first["estimate"] and second["as_of"] == "2001-01-01"
    # with eleven newcomers it follows, and tells of these twelve only
    assert pd_missing(clinic.show({"all": range(61)}).loc["all", "as_of"])


def test_the_same_patients_and_the_same_value_stay_as_they_are(clinic):
    tables = [clinic.show({"all": range(50), "a": range(25), "b": range(25, 50)}) for _ in range(3)]
    assert tables[0].equals(tables[1]) and tables[1].equals(tables[2])
    assert tables[2]["as_of"].isna().all()


def test_a_number_moves_when_enough_have_gathered(clinic):
    """Two newcomers an edition: five editions wait, the sixth shows all twelve of them, and so on."""
    seen = [clinic.show({"all": range(40 + 2 * number)}).loc["all", "as_of"] for number in range(13)]
    waited = [not pd_missing(day) for day in seen]
    assert waited == [False, *[True] * 5, False, *[True] * 5, False]


def test_slices_that_differ_by_three_are_not_both_shown(clinic):
    assert clinic.show({"all": range(60)}, page="whole").loc["all", "shown"]
    row = clinic.show({"all": range(57)}, page="one-site").loc["all"]
    assert row["display"] == "withheld" and not row["shown"]
    assert clinic.show({"all": range(40)}, page="another-site").loc["all", "shown"]


def test_sites_beside_the_whole_do_not_give_a_small_remainder(clinic):
    """80 patients, of whom 40 are of one site and 35 of another: five are left."""
    clinic.show({"all": range(80)}, page="whole")
    assert clinic.show({"all": range(40)}, page="one").loc["all", "shown"]
    assert not clinic.show({"all": range(40, 75)}, page="other").loc["all", "shown"]


def test_a_total_does_not_give_what_its_parts_hold_back(clinic):
    """A gains twenty and is shown; B gains three and waits; so the total, which gains 23, waits too."""
    clinic.show({"all": range(80), "a": range(40), "b": range(40, 80)})
    a, b = [*range(40), *range(100, 120)], [*range(40, 80), *range(200, 203)]
    table = clinic.show({"all": [*a, *b], "a": a, "b": b})
    assert table["as_of"].notna().to_dict() == {"all": True, "a": False, "b": True}
    assert table.loc["all", "n"] == 80


def test_a_total_does_not_give_a_correction_in_a_part_that_did_not_grow(clinic):
    clinic.show({"all": range(80), "a": range(40)})
    clinic.scores[60] += 30
    a = [*range(40), *range(100, 120)]
    table = clinic.show({"all": [*a, *range(40, 80)], "a": a})
    assert table["as_of"].notna().to_dict() == {"all": True, "a": False}
    assert clinic.show({"all": [*a, *range(40, 80)], "a": a}, page="elsewhere")["shown"].to_dict() == {
        "all": False, "a": True,
    }  # fmt: skip


def test_a_total_moves_with_its_part_where_nothing_was_recorded_of_the_others(clinic):
    clinic.show({"all": range(80), "a": range(40)})
    a = [*range(40), *range(100, 120)]
    assert clinic.show({"all": [*a, *range(40, 80)], "a": a})["as_of"].isna().all()


def test_another_threshold_is_another_number(clinic):
    clinic.show({"all": range(50)}, x=10.0)
    assert pd_missing(clinic.show({"all": range(53)}, x=15.0, page="other").loc["all", "as_of"])
    assert clinic.show({"all": range(53)}, x=10.0).loc["all", "as_of"] == "2001-01-01"


def test_an_edition_made_anew_is_not_compared_with_what_it_replaces(clinic):
    clinic.show({"all": range(50)}, slot="2026-Q1", out=False)
    row = clinic.show({"all": range(51)}, slot="2026-Q1", out=False).loc["all"]
    assert pd_missing(row["as_of"])
    # of another slot it is: a declared series has it ready
    assert clinic.show({"all": range(52)}, slot="2026-Q2", out=False).loc["all", "as_of"] == "2002-01-01"


def test_what_was_withdrawn_is_still_known_and_not_shown_again(clinic):
    clinic.show({"all": range(50)})
    clinic.ledger.withdraw("run1")
    assert clinic.show({"all": range(51)}).loc["all", "display"] == "withheld"


def test_neither_rows_nor_codes_of_patients_matter(tmp_path, monkeypatch):
    groups = {"all": range(90), "a": range(40), "b": range(40, 75), "c": range(75, 90)}
    later = {**groups, "all": range(105), "a": [*range(40), *range(90, 103)], "b": [*range(40, 75), 103, 104]}
    tables = []
    for seed in (None, 1, 2):
        order = None if seed is None else np.random.default_rng(seed)
        private = tmp_path / str(seed) / ".outcomes"
        with open_ledger(private) as ledger:
            clinic = Clinic(ledger, private, monkeypatch)
            clinic.show(groups, order=order)
            tables.append(clinic.show(later, order=order).sort_index())
    assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])
    assert tables[0]["as_of"].notna().to_dict() == {"a": False, "all": True, "b": True, "c": False}


def build_share(improved, everybody, digest=1):
    rows = [{"statistic": "share_improved", "outcome": "odi", "term": "seen", "level": "mic", "x": 10.0,
             "group": "all", "timepoint": "month_6", "unit": "proportion", "n": len(everybody),
             "estimate": len(improved) / len(everybody)}]  # fmt: skip
    support = [{"all": np.array(everybody), "with": np.array(improved),
                "without": np.setdiff1d(everybody, improved)}]  # fmt: skip
    patients = Patients(
        np.array([f"P{one}" for one in range(max(everybody) + 1)], dtype=object),
        np.full(max(everybody) + 1, digest, dtype="uint64"),
    )
    return build_result("responders", rows, method="Share.", support=support, patients=patients)


def release_pages(tmp_path, monkeypatch, pages):
    """Release one page of results after another, in a declared series; return each page's releases."""
    tmp_path.mkdir(exist_ok=True)
    private, shown = tmp_path / ".outcomes", []
    with open_ledger(private) as ledger:
        for number, results in enumerate(pages):
            edition = Edition(
                f"run{number}", "r", "page", series="s", slot=str(number), made=f"200{number}-01-01"
            )
            folder = tmp_path / f"run{number}"
            folder.mkdir()
            hand_ledger(private, edition, folder)
            monkeypatch.setenv(RUN_FOLDER, str(folder))
            page = open_page()
            shown.append([release(result, page) for result in results])
            ledger.enter(edition, shown[-1])
            assert ledger.check(edition.id) == []
    return shown


def test_a_share_waits_where_the_answers_of_a_few_changed(tmp_path, monkeypatch):
    """The same 100 patients: first 3 more of them improved, then 12 more than at first."""
    everybody = range(100)
    pages = [[build_share(range(n), everybody)] for n in (40, 43, 52)]
    tables = [page[0].table.iloc[0] for page in release_pages(tmp_path, monkeypatch, pages)]
    assert [row["display"] for row in tables] == ["40 %", "40 %†", "52 %"]


def test_a_bound_in_words_waits_like_a_number(tmp_path, monkeypatch):
    """Fewer than eleven got worse, then eleven: that one joined them must not be told."""
    pages = []
    for n in (10, 11):
        result = build_share(range(n), range(100))
        result.table["statistic"] = "share_worse"
        pages.append([result])
    first, second = (page[0].table.iloc[0] for page in release_pages(tmp_path, monkeypatch, pages))
    assert first["display"].startswith("fewer than 11") and second["display"] == f"{first['display']}†"


def build_model(whole, group, name="over_time"):
    rows = [
        {"statistic": "marginal_mean", "outcome": "odi", "term": "therapy", "timepoint": "month_6",
         "group": "a", "estimate": 20.0 + len(whole), "n": len(group), "unit": "points"},
        {"statistic": "marginal_mean", "outcome": "odi", "term": "therapy", "timepoint": "month_6",
         "group": "b", "estimate": 30.0 + len(whole), "n": len(whole) - len(group), "unit": "points"},
    ]  # fmt: skip
    support = [{"all": np.array(group)}, {"all": np.setdiff1d(whole, group)}]
    patients = Patients(
        np.array([f"P{one}" for one in range(200)], dtype=object), np.arange(200, dtype="uint64")
    )
    return build_result(name, rows, method="Model.", support=support, patients=patients, comparable=True)


def test_a_model_rests_on_everybody_whom_it_saw(tmp_path, monkeypatch):
    """Three newcomers in b: the adjusted mean of a would tell of them too, though nobody in a is new."""
    pages = [[build_model(range(80), range(40))], [build_model(range(83), range(40))]]
    first, second = (page[0].table for page in release_pages(tmp_path, monkeypatch, pages))
    assert first["as_of"].isna().all() and second["as_of"].notna().all()
    assert second["estimate"].tolist() == first["estimate"].tolist()


def test_what_a_model_says_anew_waits_with_the_rest(tmp_path, monkeypatch):
    """Three newcomers bring a mean of a third group: it has no earlier value, and would rest on them too."""
    first, later = build_model(range(80), range(40)), build_model(range(83), range(40))
    later.table.loc[1, "group"] = "c"
    _, (second,) = release_pages(tmp_path, monkeypatch, [[first], [later]])
    assert second.table["display"].str[-1].tolist() == ["†", "d"] and not second.table["shown"].iloc[1]


def test_two_analyses_of_one_page_are_compared_as_pages_are(tmp_path, monkeypatch):
    """One page holds the mean of 80, then that of 77 of them under another name: the second is withheld."""
    monkeypatch.delenv(RUN_FOLDER, raising=False)
    clinic = Clinic(None, tmp_path, monkeypatch)
    whole = clinic.build({"all": range(80)})
    part = clinic.build({"seen": range(77)})
    ((first, second),) = release_pages(tmp_path, monkeypatch, [[whole, part]])
    assert first.table["shown"].all() and not second.table["shown"].any()
    said = "beside others, of this page, of another or of an earlier one"
    assert any(said in str(note) for note in second.notes)


def test_notes_say_since_when_and_why(clinic, tmp_path, monkeypatch):
    pages = [[clinic.build({"all": range(n)})] for n in (50, 53)]
    _, (second,) = release_pages(tmp_path / "other", monkeypatch, pages)
    (note,) = [str(note) for note in second.notes if "earlier edition" in str(note)]
    assert "2000-01-01" in note and "fewer than 11 patients" in note


def test_without_a_run_nothing_is_compared(monkeypatch, tmp_path):
    monkeypatch.setenv(RUN_FOLDER, str(tmp_path))
    released = release(build_share(range(40), range(100)), open_page())
    assert released.table["as_of"].isna().all()


def test_a_result_that_does_not_say_whose_it_is_makes_no_page(clinic):
    clinic.show({"all": range(50)})
    clinic.begin()
    rows = [{"statistic": "mean_improvement", "outcome": "odi", "group": "all", "estimate": 3.0, "n": 50}]
    with pytest.raises(DisclosureError, match="does not say whose"):
        release(build_result("change", rows, method="Mean.", support=[{"all": np.arange(50)}]), open_page())


#: Of one edition: gains and losses by group, whose score is corrected, of whom something else is recorded.
steps = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), st.integers(-4, 14)),
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 19)), max_size=2),
        st.sets(st.sampled_from("abc")),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=80)
@given(steps)
def test_no_sum_or_difference_of_up_to_four_numbers_tells_of_a_few(changes):
    """Groups gain and lose patients and scores are corrected; all that was shown is tried in combination."""
    groups = {name: list(range(1000 * place, 1000 * place + 30)) for place, name in enumerate("abc")}
    corrected: dict[int, int] = {}
    recorded: dict[int, int] = {}
    shown: list[Cell] = []
    known: set[frozenset[tuple[int, int]]] = set()
    for gains, corrections, visits in [({}, [], set()), *changes]:
        for name, gained in gains.items():
            first = max(groups[name]) + 1
            groups[name] = groups[name][max(0, -gained) :] + list(range(first, first + max(0, gained)))
        for name, place in corrections:
            one = groups[name][place % len(groups[name])]
            corrected[one] = corrected.get(one, 0) + 1
        for one in [one for name in visits for one in groups[name]]:
            recorded[one] = recorded.get(one, 0) + 1
        everybody = [one for members in groups.values() for one in members]
        cells = [
            build_cell(name, members, corrected, recorded)
            for name, members in {**groups, "all": everybody}.items()
        ]
        judged = judge_cells(cells, shown, K, {})
        free = [cell for cell, one in zip(cells, judged, strict=True) if not one.reason]
        shown += free
        known |= {frozenset((one, corrected.get(one, 0)) for one in cell.whole.tolist()) for cell in free}
    check_combinations(known, 4)


@pytest.mark.parametrize(("small", "large"), ["ab", "ba"])
def test_of_two_numbers_that_tell_of_a_few_the_one_waits_that_gained_fewer(small, large):
    """Two groups that differ in three: each is measured by what was shown of it before, not of the other."""
    shown = [build_cell(name, np.arange(n), {}, {}) for name, n in ((small, 20), (large, 50))]
    now = {small: np.arange(97), large: np.arange(100)}
    judged = judge_cells([build_cell(name, now[name], {}, {}) for name in (small, large)], shown, K, {})
    assert [one.reason for one in judged] == ["", "together"]


MEAN = {
    "statistic": "mean_score", "term": None, "outcome": "odi", "level": None, "timepoint": None, "x": None,
    "unit": "points", "versus": None,
}  # fmt: skip


def build_cell(name, members, corrected, recorded):
    """A mean that moves with each correction, and the marks of what was recorded of each patient."""
    members = np.sort(members)
    total = sum(one * 1e-3 + corrected.get(one, 0) for one in members.tolist())
    row = {"group": name, "estimate": total / members.size, "state": "ok", "display": ""}
    row |= dict.fromkeys(["conf_low", "conf_high", "p_value", "n", "n_versus"])
    marks = [100 * corrected.get(one, 0) + recorded.get(one, 0) for one in members.tolist()]
    quantity = name_quantity("change", MEAN, read_rules(K))
    return Cell("change", quantity, name, "", members, None, None, np.array(marks), "", "", row)


def check_combinations(shown, most):
    """Add and subtract up to so many sums in every way: scores of nobody are left, or those of k at least.

    A score before and after its correction are two scores of one patient.
    """
    scores = sorted(set().union(*shown))
    first = np.flatnonzero(
        [place == 0 or scores[place][0] != scores[place - 1][0] for place in range(len(scores))]
    )
    inside = np.array([[score in sums for score in scores] for sums in shown], dtype="int8")
    for size in range(1, min(most, len(shown)) + 1):
        signs = np.array([(1, *rest) for rest in itertools.product((1, -1), repeat=size - 1)], dtype="int8")
        for chosen in itertools.combinations(range(len(shown)), size):
            left = np.logical_or.reduceat(signs @ inside[list(chosen)] != 0, first, axis=1).sum(axis=1)
            assert not ((left > 0) & (left < K)).any()
