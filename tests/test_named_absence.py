"""What is absent is named for what it is: not recorded, not read, not asked of these patients, not chosen."""

from __future__ import annotations

import pandas as pd
import pytest

from asked_files import describe_scores, draw_wide, read_table
from outcomes import (
    check_comparability,
    count_completeness,
    open_page,
    release,
    say_answer,
    say_counting,
    say_profile,
    select_cohort,
    summarise_change,
    summarise_data_quality,
    summarise_domains,
    tabulate_domains,
    tabulate_recorded,
)
from outcomes.facts import read_words
from outcomes.records.absence import explain_column, explain_measures
from outcomes.records.tables import Absence

MEASURES = ("odi", "nprs:average")
COLUMNS = {"patient_id": "id", "therapy": "therapy", "region": "region", "site": "site"}
BLOCK = {"columns": COLUMNS, "scores": describe_scores(MEASURES)}
PRIMARY = {"instrument": "odi", "timepoint": "month_3"}
AUDIENCES = ("team", "stakeholder")


def draw_clinic() -> pd.DataFrame:
    """Draw 40 patients with back pain, of two therapies, and 40 with knee pain of a third, without an ODI."""
    table = draw_wide(MEASURES, 80)
    table["therapy"] = ["strengthening"] * 20 + ["manual_therapy"] * 20 + ["usual_care"] * 40
    table["region"] = ["low_back"] * 40 + ["knee"] * 40
    table["site"] = ["north"] * 40 + ["south"] * 40
    table.loc[40:, [name for name in table if name.startswith("odi")]] = None
    return table


@pytest.fixture
def clinic(tmp_path):
    return read_table(tmp_path, draw_clinic(), BLOCK, primary=PRIMARY)


def answer(cohort, audience: str) -> str:
    page = open_page(audience)
    change = release(summarise_change(cohort), page)
    return say_answer(change, None, None, release(check_comparability(cohort), page)).alt


# --- not asked ---------------------------------------------------------------------------------------------


def test_a_measure_is_counted_among_patients_of_whom_it_was_asked(clinic):
    quality = summarise_data_quality(clinic).table
    ever = quality[(quality["statistic"] == "share_assessed") & (quality["level"] == "ever")]
    found = {(row.outcome, row.group): (row.estimate, row.n) for row in ever.itertuples()}
    assert found["odi", "all"] == found["odi", "north"] == (1, 40)
    assert ("odi", "south") not in found and found["nprs:average", "all"] == (1, 80)


def test_an_answer_shows_that_a_measure_was_asked(tmp_path):
    table = draw_clinic()
    table.loc[40:41, "odi baseline"] = 50.0
    records = read_table(tmp_path, table, BLOCK, primary=PRIMARY)
    quality = summarise_data_quality(records).where(statistic="share_assessed", outcome="odi", group="all")
    assert quality.table["n"].tolist() == [42, 42, 42]


def test_where_a_measure_is_kept_for_all_regions_it_is_asked_of_all(tmp_path):
    records = read_table(tmp_path, draw_clinic(), BLOCK, primary=PRIMARY, other_regions={"odi": "keep"})
    quality = summarise_data_quality(records).where(statistic="share_assessed", outcome="odi", level="ever")
    assert quality.where(group="all").table[["estimate", "n"]].to_numpy().tolist() == [[0.5, 80]]
    assert "not_asked" not in select_cohort(records).flow["step"].tolist()


def test_a_flow_tells_patients_with_other_complaints_from_those_without_a_score(tmp_path):
    table = draw_clinic()
    table.loc[:4, "odi baseline"] = None
    flow = select_cohort(read_table(tmp_path, table, BLOCK, primary=PRIMARY)).flow.set_index("step")
    assert flow["n_excluded_episodes"][["not_asked", "no_baseline"]].tolist() == [40, 5]
    assert read_words().write(flow["reason"]["not_asked"]).endswith("is made for (low back)")


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_therapy_for_other_complaints_is_neither_lost_nor_withheld(clinic, audience):
    cohort = select_cohort(clinic, needs_baseline=False)
    counted = count_completeness(cohort).where(group="usual_care", timepoint="month_3").table
    assert counted.set_index("statistic")["estimate"][["n_due", "n_lost", "n_not_asked"]].tolist() == [
        0,
        0,
        40,
    ]
    everyone = count_completeness(cohort).where(group="all", timepoint="month_3", statistic="n_due")
    assert everyone.table["estimate"].tolist() == [40]
    table = tabulate_domains(release(summarise_domains(cohort), open_page(audience)))
    assert "Usual care not asked" in table.alt


def test_patients_who_were_not_asked_are_not_waited_for(clinic):
    cohort = select_cohort(clinic, needs_baseline=False)
    assert len(cohort.episodes) == 80
    assert set(cohort.table.loc[cohort.table["therapy"] == "usual_care", "status"]) == {"not_asked"}


# --- one therapy -------------------------------------------------------------------------------------------


def without(table: pd.DataFrame, column: str) -> dict:
    columns = {name: header for name, header in COLUMNS.items() if name != column}
    return {**BLOCK, "columns": columns}


@pytest.mark.parametrize("audience", AUDIENCES)
def test_why_there_is_one_therapy_only(tmp_path, audience):
    whole = draw_clinic()
    back, knee = whole[:40], whole[40:]
    blank = back.assign(**{"odi baseline": back["odi baseline"].where(back["therapy"] == "strengthening")})
    apart = pd.concat([back[:20], knee])
    declared = {**without(back, "therapy"), "constants": {"therapy": "strengthening"}}
    cases = [
        (back, BLOCK, {"therapies": ["strengthening"]}, Absence.NOT_CHOSEN, "What was chosen here leaves"),
        (apart, BLOCK, {"where": {"region": "low_back"}, "instrument": "nprs"}, Absence.NOT_CHOSEN, "chosen"),
        (back[:20], BLOCK, {}, Absence.NOT_RECORDED, "Only one therapy was recorded"),
        (back, declared, {}, Absence.NOT_READ, "names one therapy for all its patients"),
        (apart, BLOCK, {}, Absence.NOT_ASKED, "for complaints that this measure is not made for"),
        (blank, BLOCK, {}, None, "Patients of only one therapy are part of this report"),
    ]  # fmt: skip
    for table, block, asked, kind, said in cases:
        records = read_table(tmp_path, table, block, primary=PRIMARY)
        cohort = select_cohort(records, **asked)
        assert (cohort.one_therapy, len(cohort.therapies)) == (kind, 1)
        told = answer(cohort, audience)
        assert said in told and told.count("nothing to compare") == 1


def test_of_groups_that_are_no_therapies_no_therapy_is_said(clinic):
    checks = check_comparability(select_cohort(clinic), by="site")
    assert "therapy" not in read_words().write(checks.warnings[0])


# --- not recorded or not read ------------------------------------------------------------------------------


def test_a_column_that_no_mapping_reads_may_hold_what_is_absent(tmp_path):
    table = draw_clinic()
    read = read_table(tmp_path, table, BLOCK, primary=PRIMARY)
    unread = read_table(tmp_path, table.assign(schmerz=3), BLOCK, primary=PRIMARY)
    blank = {**BLOCK, "columns": {**COLUMNS, "bmi": "bmi"}}
    empty = read_table(tmp_path, table.assign(bmi=None, schmerz=3), blank, primary=PRIMARY)
    assert explain_column(read, "bmi") == explain_column(empty, "bmi") == Absence.NOT_RECORDED
    assert explain_column(unread, "bmi") == Absence.NOT_READ
    assert explain_measures(read, ["pcs"]) == Absence.NOT_RECORDED
    assert explain_measures(unread, ["pcs"]) == Absence.NOT_READ
    assert explain_measures(unread, ["pcs", "odi"]) == Absence.NOT_RECORDED
    for records, key in (
        (read, "Of these nothing is recorded"),
        (unread, "left unread: 1"),
    ):
        said = tabulate_recorded(release(summarise_data_quality(records), "team")).caption
        assert key in said and "body mass index" in said
    assert "schmerz" not in say_counting(release(summarise_data_quality(unread), "team")).alt


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_profile_tells_what_is_not_recorded_from_what_is_not_read_and_not_asked(tmp_path, audience):
    table = draw_clinic()
    for extra, said in (({}, "Not recorded for these patients"), ({"schmerz": 3}, "Not read, since")):
        records = read_table(tmp_path, table.assign(**extra), BLOCK, primary=PRIMARY)
        cohort = select_cohort(records, needs_baseline=False, where={"region": "knee"}, instrument="nprs")
        profile = say_profile(release(summarise_domains(cohort), open_page(audience))).alt
        assert f"{said}" in profile and "quality of life" in profile.partition(said)[2]
        assert (
            "Not asked of these patients, since what was recorded is made for other complaints: function"
            in profile
        )


def test_a_covariate_that_no_column_is_mapped_to_is_not_called_unrecorded(tmp_path):
    asked = {"primary": {**PRIMARY, "covariates": ["bmi"]}}
    table = draw_clinic()
    whole = select_cohort(read_table(tmp_path, table, BLOCK, **asked))
    assert "of which nothing is recorded for these patients" in read_words().write(whole.rules["missing"])
    unread = select_cohort(read_table(tmp_path, table.assign(gewicht=80), BLOCK, **asked))
    assert "maps no column to it and leaves columns unread" in read_words().write(unread.rules["missing"])
