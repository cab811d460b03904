"""Whose a record is: ids, sites, courses and exports that overlap, whatever way the files are given."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic_files import WIDE, extend, list_asked, list_rules, read_clinic, read_place, score
from outcomes.analyses import estimate_effect_sizes, summarise_change, summarise_data_quality
from outcomes.cohort import select_cohort
from outcomes.errors import FactsError
from outcomes.facts import read_source, read_words
from outcomes.records import read_records

write = read_words().write

THERAPIES = ("manual_therapy", "strengthening", "usual_care")


def make_people(n: int, seed: int = 1, **more: object) -> pd.DataFrame:
    """Return so many patients with ODI at the start and at three months."""
    random = np.random.default_rng(seed)
    start = random.integers(10, 40, n) * 2
    return pd.DataFrame(
        {
            "id": [f"P{i:03}" for i in range(n)],
            "therapy": [THERAPIES[i % 3] for i in range(n)],
            "sex": random.choice(["female", "male"], n),
            "age": random.integers(20, 80, n),
            "start": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, n), unit="D"),
            "odi0": start,
            "odi3": start - random.integers(0, 6, n) * 2,
            **more,
        }
    )


PEOPLE = extend(WIDE, columns={"sex": "sex", "age_years": "age", "start_date": "start"})
SITED = extend(PEOPLE, columns={"site": "site"})


@pytest.fixture
def read(tmp_path):
    return lambda files, *blocks, **source: read_clinic(tmp_path, files, *blocks, **source)


def read_case(shared, tmp_path, case: str, name: str, **changes):
    """Read a shared case, its first file block changed."""
    folder = shared / "cases" / "reading" / case
    if changes:
        text = (folder / f"{name}.toml").read_text(encoding="utf-8")
        for key, line in changes.items():
            text = text.replace("[file.columns]", f"{key} = {line}\n[file.columns]")
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    place = tmp_path if changes else folder
    return read_records(
        place / f"{name}.toml", folder / name, run_date="2026-11-30", private_folder=tmp_path / "private"
    )


# Sites


def test_numbers_that_restart_at_each_site_are_asked_about_and_told_apart(shared, tmp_path):
    case = ("12-numbers-restart-per-site", "ids")
    (asked,) = list_asked(lambda: read_case(shared, tmp_path, *case))
    assert asked.rule == "KEY_SHARED_BY_SITES"
    assert str(asked.what).startswith("60 of 60 patient codes occur at several sites.")
    assert str(asked.what).endswith("?")
    assert 'within = "site"' in str(asked.remedy)
    assert 'confirmed = ["shared_ids"]' in str(asked.remedy)

    apart = read_case(shared, tmp_path, *case, within='"site"')
    given_ = pd.concat(
        pd.read_csv(path) for path in (shared / "cases/reading" / case[0] / "ids").glob("*.csv")
    )
    assert (apart.n_read, apart.n_accepted, len(apart.episodes)) == (120, 120, 120)
    assert apart.episodes["patient_id"].nunique() == 120
    means = apart.assessments.groupby("timepoint", observed=True)["score"].mean()
    assert means["baseline"] == pytest.approx(given_["odi0"].mean())
    assert means["month_3"] == pytest.approx(given_["odi3"].mean())

    same = read_case(shared, tmp_path, *case, confirmed='["shared_ids"]')
    assert (len(same.episodes), same.episodes["patient_id"].nunique()) == (120, 60)
    assert "KEY_SHARED_BY_SITES" in list_rules(same, "answered")
    assert any("one person" in said for said in map(str, same.list_said("odi")))


@pytest.mark.parametrize("n_shared", [0, 1, 2, 8])
def test_patients_who_come_to_two_sites_are_no_reason_to_ask(read, n_shared):
    table = make_people(40, site=["north", "south"] * 20)
    again = table.head(n_shared).assign(site="east", start=table["start"] + pd.Timedelta(days=400))
    records = read({"a.csv": pd.concat([table, again])}, SITED)
    assert len(records.episodes) == 40 + n_shared
    assert records.episodes["patient_id"].nunique() == 40


@given(st.integers(2, 4), st.integers(3, 40), st.booleans(), st.integers(0, 5))
@settings(max_examples=25)
def test_numbers_that_restart_are_asked_at_any_number_of_sites(read, n_sites, n, in_one_file, seed):
    files = {f"s{i}.csv": make_people(n, seed=seed * 10 + i, site=f"site {i}") for i in range(n_sites)}
    if in_one_file:
        files = {"all.csv": pd.concat(files.values())}
    asked = list_asked(lambda: read(files, SITED))
    assert [finding.rule for finding in asked] == ["KEY_SHARED_BY_SITES"]
    records = read(files, {**SITED, "within": "site"})
    assert len(records.episodes) == n_sites * n == records.n_accepted
    everyone = pd.concat(files.values())
    assert records.assessments["score"].sum() == everyone[["odi0", "odi3"]].to_numpy().sum()


def test_a_small_branch_whose_numbers_restart_is_seen_by_sex_and_age(read):
    main, branch = make_people(100, site="main"), make_people(20, seed=2, site="branch")
    (asked,) = list_asked(lambda: read({"a.csv": main, "b.csv": branch}, SITED))
    assert str(asked.what).startswith("20 of 100 patient codes occur at several sites. In ")


def test_codes_of_therapists_that_restart_are_asked_about_and_told_apart(read):
    table = make_people(60, site=["north", "south", "west"] * 20, therapist=[f"T{i % 4}" for i in range(60)])
    block = extend(SITED, columns={"therapist": "therapist"})
    (asked,) = list_asked(lambda: read({"a.csv": table}, block))
    assert str(asked.what).startswith("4 of 4 therapist codes")
    records = read({"a.csv": table}, {**block, "within": "site"})
    assert records.episodes["therapist"].nunique() == 12


def test_ids_of_another_file_within_a_site_need_one_there_too(read):
    episodes = make_people(12, site=["north"] * 12)
    visits = "id,date\nP000,2024-11-20\n"
    sessions = {"path": "visits.csv", "rows": "session", "columns": {"patient_id": "id", "date": "date"}}
    files = {"a.csv": episodes, "visits.csv": visits}
    block = {**SITED, "path": "a.csv", "within": "site"}
    with pytest.raises(FactsError, match=r'add within = "site", and site = "<header>" to \[file.columns\]'):
        read(files, block, sessions)
    with pytest.raises(FactsError, match="the file says none"):
        read(files, {**PEOPLE, "path": "a.csv", "within": "site"})
    records = read(files, block, {**sessions, "within": "site", "constants": {"site": "north"}})
    assert len(records.sessions) == 1


def test_numbers_that_restart_in_each_file_are_asked_about_where_no_site_is_known(read):
    files = {"a.csv": make_people(30, seed=3), "b.csv": make_people(30, seed=4)}
    (asked,) = list_asked(lambda: read(files, PEOPLE))
    assert asked.rule == "KEY_SHARED_BY_SITES"
    assert "[file.constants] site" in str(asked.remedy)
    apart = [{**PEOPLE, "path": f"{s}.csv", "constants": {"site": s}, "within": "site"} for s in "ab"]
    assert len(read(files, *apart).episodes) == 60


@pytest.mark.parametrize("site", [True, False])
def test_numbers_that_restart_are_asked_in_long_files_too(read, site):
    block = {
        "path": "*.csv", "rows": "assessment", "scores": [score(None, "odi")],
        "columns": {
            "patient_id": "id", "therapy": "therapy", "date": "date", "sex": "sex", "age_years": "age",
        },
    }  # fmt: skip
    files = {}
    for i, name in enumerate("ab"):
        people = make_people(25, seed=5 + i, site=name)
        late = people.assign(odi0=people["odi3"], start=people["start"] + pd.Timedelta(days=90))
        files[f"{name}.csv"] = pd.concat([people, late]).rename(columns={"odi0": "odi", "start": "date"})
    block = extend(block, columns={"site": "site"}) if site else block
    assert {finding.rule for finding in list_asked(lambda: read(files, block))} == {"KEY_SHARED_BY_SITES"}
    if site:
        assert len(read(files, {**block, "within": "site"}).episodes) == 50


# Ids


def test_whole_numbers_that_a_spreadsheet_wrote_with_a_fraction_are_the_same_ids(shared, tmp_path):
    records = read_case(shared, tmp_path, "12-numbers-restart-per-site", "floatid")
    assert (records.n_read, records.n_accepted) == (180, 180)
    assert (len(records.episodes), len(records.assessments)) == (60, 120)
    assert "KEY_FRACTION" in list_rules(records, "repair_and_log")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["1001.0", "1002.0"], ["1001", "1002"]),
        (["1001.00", "1002"], ["1001", "1002"]),
        (["1.0", "1.1"], ["1.0", "1.1"]),
        (["0007", "7.0"], ["0007", "7"]),
        (["A1", "3.0"], ["3", "A1"]),
    ],
)
def test_a_fraction_of_nothing_is_dropped_only_where_it_says_nothing(read, written, meant):
    table = f"id,therapy,odi0,odi3\n{written[0]},usual_care,40,20\n{written[1]},usual_care,42,22\n"
    assert read({"a.csv": table}, WIDE).episodes["patient_id"].tolist() == meant


def test_an_id_may_be_made_of_several_columns(read):
    table = """id,period,therapy,odi0,odi3
A,1,usual_care,40,20
A,2,manual_therapy,30,10
A / 1,2,usual_care,50,40
A,1 / 2,usual_care,52,42
"""
    columns = {"episode_id": ["id", "period"], "patient_id": "id", "therapy": "therapy"}
    records = read({"a.csv": table}, {**WIDE, "columns": columns})
    assert len(records.episodes) == 4
    assert records.episodes["patient_id"].nunique() == 2
    with pytest.raises(FactsError, match="only ids are made of several"):
        read({"a.csv": table}, {**WIDE, "columns": {"patient_id": "id", "therapy": ["therapy", "period"]}})


def test_leading_zeros_that_one_file_lost_are_asked_about(read):
    people = make_people(20)
    people["id"] = [f"{i:04}" for i in range(1, 21)]
    scores = pd.DataFrame({"id": range(1, 21), "visit": "baseline", "odi": people["odi0"]})
    blocks = [
        {"path": "people.csv", "rows": "episode", "columns": {"patient_id": "id", "therapy": "therapy"}},
        {
            "path": "scores.csv", "rows": "assessment", "columns": {"patient_id": "id", "timepoint": "visit"},
            "scores": [score(None, "odi")],
        },
    ]  # fmt: skip
    files = {"people.csv": people, "scores.csv": scores}
    asked = list_asked(lambda: read(files, *blocks))
    assert [finding.rule for finding in asked] == ["KEY_LEADING_ZEROS"]
    assert str(asked[0].what).startswith("20 of 20 numbers")
    records = read(files, *({**block, "key_normalise": ["leading_zeros"]} for block in blocks))
    assert (len(records.episodes), len(records.assessments), records.n_refused) == (20, 20, 0)


# Courses of one patient


def test_two_first_days_are_two_episodes_whatever_the_order_of_rows(read):
    table = make_people(30)
    later = table.head(9).assign(start=table["start"] + pd.Timedelta(days=500), odi0=80, odi3=70)
    for rows in (pd.concat([table, later]), pd.concat([later, table])):
        records = read({"a.csv": rows}, PEOPLE, rekey=True)
        assert (len(records.episodes), records.episodes["patient_id"].nunique()) == (39, 30)
        first = select_cohort(records)
        assert first.table["score"].sum() == table[["odi0", "odi3"]].to_numpy().sum()
        assert len(select_cohort(records, episodes="all").episodes) == 39
        assert "first days" in write(first.rules["reading"])


def test_undated_courses_are_asked_about_and_then_read_in_the_order_of_the_file(shared, tmp_path):
    path = shared / "cases" / "spreadsheets" / "silent-twice.csv"
    block = {
        **WIDE, "path": path.name,
        "scores": [score("baseline", "ODI baseline"), score("week_6", "ODI 6 weeks")],
    }  # fmt: skip
    primary = {"instrument": "odi", "timepoint": "week_6"}

    def read_twice(**more):
        private = tmp_path / "private"
        return read_place(path.parent, {**block, **more}, private=private, primary=primary)

    (asked,) = list_asked(read_twice)
    assert asked.rule == "EPISODE_ORDER"
    assert str(asked.what).startswith("32 of 96 patients")
    for line in ('confirmed = ["file_order"]', "start_date", "episode_number"):
        assert line in str(asked.remedy)

    records = read_twice(confirmed=["file_order"])
    given_ = pd.read_csv(path)
    assert (records.n_accepted, len(records.episodes)) == (len(given_), len(given_))
    first = given_.drop_duplicates("id")
    cohort = select_cohort(records)
    means = cohort.table.groupby("timepoint", observed=True)["score"].mean()
    assert means["baseline"] == pytest.approx(first["ODI baseline"].mean())
    assert means["week_6"] == pytest.approx(first["ODI 6 weeks"].mean())
    assert "order in the file" in write(cohort.rules["reading"])


def test_a_column_may_number_the_courses(read):
    table = make_people(20).drop(columns="start").assign(course=2)
    earlier = table.assign(course=1, odi0=table["odi0"] + 20, odi3=table["odi3"] + 10)
    block = extend(WIDE, columns={"episode_number": "course"})
    records = read({"a.csv": pd.concat([table, earlier])}, block)
    assert len(records.episodes) == 40
    cohort = select_cohort(records)
    expected = sorted([*(table["odi0"] + 20), *(table["odi3"] + 10)])
    assert sorted(cohort.table["score"]) == expected


def test_few_patients_with_two_rows_are_refused_and_told_what_to_write(read):
    table = make_people(60).drop(columns="start")
    records = read({"a.csv": pd.concat([table, table.head(1).assign(odi0=90)])}, WIDE)
    (refused,) = [f for f in records.findings if f.rule == "KEY_CONFLICT"]
    assert (refused.count, records.n_refused, len(records.episodes)) == (2, 2, 59)
    assert "start_date" in str(refused.remedy)


def test_courses_that_long_files_only_label_are_asked_about_and_then_read_in_order(read):
    lines = ["id,therapy,visit,instrument,score"]
    for i in range(20):
        odi, pain = 40 + 2 * (i % 7), 4 + i % 5
        lines += [f"P{i},usual_care,baseline,ODI,{odi}", f"P{i},usual_care,baseline,NPRS,{pain}"]
        lines += [f"P{i},usual_care,6 weeks,ODI,{odi - 10}"] if i % 2 else []
        lines += [
            f"P{i},manual_therapy,baseline,ODI,{odi + 20}",
            f"P{i},manual_therapy,3 months,ODI,{odi + 10}",
        ]
    block = {
        "path": "*.csv", "rows": "assessment",
        "columns": {
            "patient_id": "id", "therapy": "therapy", "timepoint": "visit", "instrument": "instrument",
            "score": "score",
        },
        "codes": {"instrument": {"NPRS": "nprs:average"}},
    }  # fmt: skip
    files = {"a.csv": "\n".join(lines)}
    asked = list_asked(lambda: read(files, block))
    assert [finding.rule for finding in asked] == ["EPISODE_ORDER"]
    records = read(files, {**block, "confirmed": ["file_order"]})
    assert (len(records.episodes), records.n_accepted) == (40, len(lines) - 1)
    of_first = records.episodes[records.episodes["episode_number"] == 1]
    assert of_first["therapy"].unique().tolist() == ["usual_care"]
    late = records.to_frame().query("timepoint == 'month_3'")
    assert late["therapy"].unique().tolist() == ["manual_therapy"]


# An order never comes from an id or a key


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A crossover without dates: each patient had both therapies, in an order that only the file tells."""
    random = np.random.default_rng(7)
    rows = []
    for i in range(60):
        order = random.permutation(["manual_therapy", "usual_care"])
        for place, therapy in enumerate(order):
            start = int(random.integers(15, 40)) * 2
            rows.append(
                (
                    f"P{i:03}",
                    f"E{random.integers(10**4):04}{i}",
                    therapy,
                    start,
                    start - 2 * int(random.integers(0, 9)) - 6 * place,
                )
            )
    table = pd.DataFrame(rows, columns=["id", "course", "therapy", "odi0", "odi3"])
    columns = {"patient_id": "id", "episode_id": "course", "therapy": "therapy"}
    found = []
    for key in range(4):
        folder = tmp_path_factory.mktemp(f"key{key}")
        found.append(read_clinic(folder, {"a.csv": table}, {**WIDE, "columns": columns}, rekey=True))
    return table, found


def test_four_keys_give_the_same_first_episodes(keyed):
    table, found = keyed
    first = table.drop_duplicates("id")
    assert len({tuple(records.episodes["patient_id"]) for records in found}) == 4
    for records in found:
        cohort = select_cohort(records)
        means = cohort.table.groupby(["therapy", "timepoint"], observed=True)["score"].mean()
        for therapy, own in first.groupby("therapy"):
            assert means[therapy, "baseline"] == pytest.approx(own["odi0"].mean())
            assert means[therapy, "month_3"] == pytest.approx(own["odi3"].mean())


@pytest.mark.parametrize("analysis", [summarise_change, estimate_effect_sizes])
@pytest.mark.parametrize("episodes", ["first", "all"])
def test_four_keys_give_the_same_numbers(keyed, analysis, episodes):
    tables = [analysis(select_cohort(records, episodes=episodes)).table for records in keyed[1]]
    numbers = [table[["estimate", "conf_low", "conf_high"]].to_numpy(float) for table in tables]
    for other in numbers[1:]:
        np.testing.assert_allclose(other, numbers[0], rtol=1e-9)


def test_the_page_says_that_the_files_order_counts_where_ids_but_no_dates_tell_courses_apart(keyed):
    for records in keyed[1]:
        assert any("order in the file" in said for said in map(str, records.list_said("odi")))


# Exports that overlap


def test_overlapping_exports_are_read_once_and_filled_in(shared, tmp_path):
    records = read_case(shared, tmp_path, "06-overlapping-exports", "cumul")
    assert (records.n_read, records.n_accepted, records.n_repeated, records.n_refused) == (105, 60, 45, 0)
    assert len(records.episodes) == 60
    last = pd.read_csv(shared / "cases/reading/06-overlapping-exports/cumul/2024-12.csv")
    found = records.assessments.groupby("timepoint", observed=True)["score"].agg(["count", "mean"])
    assert found.loc["baseline"].tolist() == [60, pytest.approx(last["odi0"].mean())]
    assert found.loc["month_3"].tolist() == [last["odi3"].count(), pytest.approx(last["odi3"].mean())]
    quality = summarise_data_quality(records).table.set_index("statistic")["estimate"]
    assert quality["n_repeated"] == 45


@given(st.integers(1, 30), st.integers(0, 10), st.booleans(), st.booleans())
@settings(max_examples=20)
def test_any_overlap_of_exports_gives_the_numbers_of_the_last(read, n_before, n_open, dated, turned):
    table = make_people(30).convert_dtypes()
    early = table.head(n_before).copy()
    early.loc[early.index[:n_open], "odi3"] = pd.NA
    block = PEOPLE if dated else extend(WIDE, columns={"sex": "sex"})
    names = ("b.csv", "a.csv") if turned else ("a.csv", "b.csv")
    records = read(dict(zip(names, (early, table), strict=True)), block)
    once = read({"a.csv": table}, block)
    pd.testing.assert_frame_equal(records.episodes, once.episodes)
    pd.testing.assert_frame_equal(records.assessments, once.assessments)
    assert (records.n_accepted, records.n_repeated, records.n_refused) == (30, n_before, 0)


def test_a_value_that_a_later_export_changed_does_not_win_silently(read):
    table = make_people(40)
    changed = table.copy()
    changed.loc[0, "odi3"] = 0 if table.loc[0, "odi3"] else 2
    records = read({"a.csv": table, "b.csv": changed}, PEOPLE)
    assert (records.n_accepted, records.n_repeated, records.n_refused) == (39, 39, 2)
    assert list_rules(records, "quarantine_patient_pair") == {"KEY_CONFLICT"}
    everything = table.assign(odi3=table["odi3"] + 2, odi0=table["odi0"] + 4)
    assert {f.rule for f in list_asked(lambda: read({"a.csv": table, "b.csv": everything}, PEOPLE))} == {
        "KEY_SHARED_BY_SITES"
    }


def test_what_grows_from_export_to_export_is_taken_at_its_largest(read):
    table = make_people(10, sessions=3)
    block = extend(PEOPLE, columns={"n_sessions": "sessions"})
    records = read({"a.csv": table, "b.csv": table.assign(sessions=[7, 3] * 5)}, block)
    assert records.episodes.sort_values("patient_id")["n_sessions"].tolist() == [7, 3] * 5
    assert records.n_repeated == 10


def test_scores_and_sessions_of_overlapping_long_exports_count_once(read):
    people = make_people(12)
    scores = pd.concat(
        [
            people.assign(date=people["start"], odi=people["odi0"]),
            people.assign(date=people["start"] + pd.Timedelta(days=90), odi=people["odi3"]),
        ]
    )[["id", "therapy", "date", "odi"]]
    visits = people.loc[people.index.repeat(2), ["id", "start"]].rename(columns={"start": "date"})
    blocks = [
        {
            "path": "s*.csv", "rows": "assessment", "scores": [score(None, "odi")],
            "columns": {"patient_id": "id", "therapy": "therapy", "date": "date"},
        },
        {"path": "v*.csv", "rows": "session", "columns": {"patient_id": "id", "date": "date"}},
    ]  # fmt: skip
    files = {"s1.csv": scores.head(12), "s2.csv": scores, "v1.csv": visits.head(10), "v2.csv": visits}
    records = read(files, *blocks)
    assert (len(records.assessments), len(records.sessions)) == (24, 24)
    assert (records.n_read, records.n_accepted, records.n_repeated) == (70, 48, 22)


# The same numbers whichever way the files are given


def test_workbook_folder_glob_and_blocks_give_the_same_numbers(tmp_path):
    table = make_people(40).drop(columns="start").assign(nprs0=range(40), nprs3=range(3, 43))
    table[["nprs0", "nprs3"]] %= 11
    second = table.tail(15).assign(therapy="usual_care")
    second["odi0"], second["odi3"] = 60 + 2 * (second["nprs0"] % 9), 50 + 2 * (second["nprs3"] % 8)
    everyone = pd.concat([table, second])
    both = {**WIDE, "confirmed": ["file_order"]}
    pain = [
        score("baseline", "nprs0", "nprs", variant="average"),
        score("month_3", "nprs3", "nprs", variant="average"),
    ]
    both["scores"] = [*WIDE["scores"], *pain]
    private = tmp_path / "private"
    ways = {}

    (one := tmp_path / "one").mkdir()
    everyone.to_csv(one / "all.csv", index=False)
    ways["one file"] = read_place(one, {**both, "path": "all.csv"}, private=private)
    halves = [{**both, "path": "all.csv", "scores": scores} for scores in (WIDE["scores"], pain)]
    ways["two blocks of one file"] = read_place(one, *halves, private=private)

    (two := tmp_path / "two").mkdir()
    table.to_csv(two / "a.csv", index=False)
    second.to_csv(two / "b.csv", index=False)
    ways["a glob"] = read_place(two, both, private=private)
    ways["a folder"] = read_place(two, {**both, "path": "a.csv"}, {**both, "path": "b.csv"}, private=private)

    (book := tmp_path / "book").mkdir()
    with pd.ExcelWriter(book / "clinic.xlsx") as writer:
        table.to_excel(writer, sheet_name="first", index=False)
        second.to_excel(writer, sheet_name="second", index=False)
    sheets = [{**both, "path": "clinic.xlsx", "sheet": sheet} for sheet in ("first", "second")]
    ways["two sheets"] = read_place(book, *sheets, private=private)

    for way, records in ways.items():
        assert len(records.episodes) == 55, way
        for instrument, variant, start in (("odi", None, "odi0"), ("nprs", "average", "nprs0")):
            cohort = select_cohort(records, instrument=instrument, variant=variant)
            found = cohort.table.groupby("timepoint", observed=True)["score"].mean()
            assert found["baseline"] == pytest.approx(table[start].mean()), (way, instrument)


def test_no_shipped_source_and_no_made_up_clinic_asks_whose(tmp_path):
    records = read_records(read_source("made-up-clinic"), run_date="2026-11-30", private_folder=tmp_path)
    assert records.n_repeated == records.n_refused == 0
    assert not {f.rule for f in records.findings} & {"KEY_SHARED_BY_SITES", "EPISODE_SPLIT", "EPISODE_ORDER"}
    shutil.rmtree(tmp_path)


def test_most_patients_with_several_first_days_are_asked_about_where_nothing_else_is_known(read):
    block = extend(WIDE, columns={"start_date": "start"})
    other = make_people(30, seed=4)
    other["start"] += pd.Timedelta(days=400)
    files = {"a.csv": make_people(30, seed=3), "b.csv": other}
    (asked,) = list_asked(lambda: read(files, block))
    assert asked.rule == "KEY_SHARED_BY_SITES"
    assert len(read(files, {**block, "confirmed": ["shared_ids"]}).episodes) == 60
    few = {"a.csv": make_people(30, seed=3), "b.csv": other.head(9)}
    assert len(read(few, block).episodes) == 39


def test_exports_in_two_spellings_overlap_too(read):
    table = make_people(20)
    other = table.assign(
        start=table["start"].dt.strftime("%d.%m.%Y"),
        sex=table["sex"].str[0].str.upper(),
        odi0=table["odi0"] + 0.0,
    )
    files = {"a.csv": table, "b.csv": other}
    blocks = ({**PEOPLE, "path": "a.csv"}, {**PEOPLE, "path": "b.csv", "date_order": "day-first"})
    records = read(files, *blocks)
    assert (records.n_accepted, records.n_repeated, len(records.episodes)) == (20, 20, 20)


def test_several_rows_of_one_first_day_are_asked_about_and_told_apart_by_a_column(read):
    table = make_people(20, part="low back")
    both = pd.concat([table, table.assign(part="neck", odi0=table["odi0"] + 20)])
    block = extend(PEOPLE, columns={"region": "part"})
    keep = {"other_regions": {"odi": "keep"}}
    (asked,) = list_asked(lambda: read({"a.csv": both}, block, **keep))
    assert asked.rule == "EPISODE_ORDER"
    assert str(asked.what).startswith("20 of 20 episodes stand in several rows")
    records = read({"a.csv": both}, extend(block, columns={"episode_id": ["id", "part"]}), **keep)
    assert (len(records.episodes), records.episodes["patient_id"].nunique()) == (40, 20)


def test_one_number_of_two_people_is_refused_and_two_courses_of_one_region_are_not(read):
    table = make_people(60, part="low back")
    block = extend(PEOPLE, columns={"region": "part"})
    later = table.head(1).assign(start=table["start"] + pd.Timedelta(days=400), odi0=80)
    assert len(read({"a.csv": pd.concat([table, later])}, block).episodes) == 61
    turned = {"male": "female", "female": "male"}
    others = ({"part": "neck"}, {"sex": later["sex"].map(turned)}, {"age": (later["age"] + 30) % 80})
    for other in (later.assign(**change) for change in others):
        records = read({"a.csv": pd.concat([table, other])}, block)
        assert records.refused["rule"].tolist() == ["KEY_CONFLICT"] * 2
        assert len(records.episodes) == 59
    several = table.head(9).assign(start=table["start"] + pd.Timedelta(days=400), part="neck")
    keep = {"other_regions": {"odi": "keep"}}
    assert len(read({"a.csv": pd.concat([table, several])}, block, **keep).episodes) == 69
