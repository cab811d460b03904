"""Series: declared once, due on time, made once - whatever the clock, the records or another run do."""

from __future__ import annotations

import csv
import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

import series_project
from outcomes.cli.declared import print_status
from outcomes.errors import FactsError, ReportError
from outcomes.machine.lock import hold_lock
from outcomes.records import read_records
from outcomes.reports.archive.store import find_last_release, list_manifests
from outcomes.reports.series.cadence import find_latest_slot, find_next_slot, find_period, find_slots
from outcomes.reports.series.declaration import read_series
from outcomes.reports.series.slices import RecordsDigest, check_series, say_days
from outcomes.reports.series.slots import list_statuses, read_history
from outcomes.reports.site import write_site
from pseudo_language import LANGUAGE, mark, write_pseudo_language
from series_project import NOW, build_project, declare, list_pages, run, run_all, write_notebook

UTC = dt.UTC


def moment(*parts, zone="UTC"):
    return dt.datetime(*parts, tzinfo=ZoneInfo(zone))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_project(tmp_path)
    return tmp_path


# When


@pytest.mark.parametrize(
    ("cadence", "day", "id", "due"),
    [
        ("quarterly", (2026, 11, 26), "2026-Q3", (2026, 10, 1)),
        ("quarterly", (2026, 10, 1), "2026-Q3", (2026, 10, 1)),
        ("quarterly", (2026, 9, 30), "2026-Q2", (2026, 7, 1)),
        ("monthly", (2026, 1, 1), "2025-12", (2026, 1, 1)),
        ("monthly", (2024, 2, 29), "2024-01", (2024, 2, 1)),
        ("yearly", (2026, 11, 26), "2025", (2026, 1, 1)),
        ("weekly", (2026, 11, 26), "2026-W47", (2026, 11, 23)),
        ("weekly", (2021, 1, 4), "2020-W53", (2021, 1, 4)),
        ("daily", (2024, 3, 1), "2024-02-29", (2024, 3, 1)),
    ],
)
def test_a_slot_is_named_by_the_period_that_ended(cadence, day, id, due):
    slot = find_latest_slot(cadence, "UTC", moment(*day))
    assert (slot.id, slot.due) == (id, moment(*due))


def test_a_quarter_ends_at_midnight_of_the_clinic():
    before, after = moment(2026, 9, 30, 21, 59, 59), moment(2026, 9, 30, 22)
    assert find_latest_slot("quarterly", "Europe/Amsterdam", before).id == "2026-Q2"
    assert find_latest_slot("quarterly", "Europe/Amsterdam", after).id == "2026-Q3"
    assert find_latest_slot("quarterly", "Asia/Taipei", moment(2026, 9, 30, 16)).id == "2026-Q3"


@pytest.mark.parametrize(
    ("night", "expression", "utc"),
    [
        # clocks go from 02:00 to 03:00: 02:30 does not exist and falls right after the gap
        ((2026, 3, 29), "30 2 * * *", [(2026, 3, 29, 1)]),
        # clocks go from 03:00 back to 02:00: 02:30 exists twice and counts once
        ((2026, 10, 25), "30 2 * * *", [(2026, 10, 25, 0, 30)]),
        ((2026, 3, 30), "30 2 * * *", [(2026, 3, 30, 0, 30)]),
    ],
)
def test_nights_in_which_clocks_change_have_one_run(night, expression, utc):
    begin = dt.datetime(*night, tzinfo=ZoneInfo("Europe/Amsterdam")).astimezone(UTC)
    slots = find_slots(expression, "Europe/Amsterdam", begin, begin + dt.timedelta(hours=24))
    assert [slot.due for slot in slots] == [moment(*parts) for parts in utc]


def test_leap_days_come_when_they_come():
    slot = find_latest_slot("0 6 29 2 *", "UTC", moment(2027, 1, 1))
    assert slot.due == moment(2024, 2, 29, 6)
    assert find_next_slot("0 6 29 2 *", "UTC", moment(2027, 1, 1)).due == moment(2028, 2, 29, 6)


@pytest.mark.parametrize("cadence", ["daily", "weekly", "monthly", "quarterly", "yearly", "15 4 1 * *"])
def test_the_next_slot_is_the_first_that_is_not_due_yet(cadence):
    now = moment(2024, 2, 29, 23, 59, 59)
    slot = find_next_slot(cadence, "Europe/Amsterdam", now)
    assert slot.due > now
    assert find_latest_slot(cadence, "Europe/Amsterdam", slot.due) == slot
    just_before = slot.due - dt.timedelta(seconds=1)
    assert find_latest_slot(cadence, "Europe/Amsterdam", just_before).due <= now


@pytest.mark.parametrize(
    ("kind", "day", "since", "until"),
    [
        ("month", (2026, 3, 15), (2026, 2, 1), (2026, 2, 28)),
        ("quarter", (2026, 1, 1), (2025, 10, 1), (2025, 12, 31)),
        ("year", (2024, 2, 29), (2023, 1, 1), (2023, 12, 31)),
        ("rolling", (2024, 2, 29), (2023, 2, 28), (2024, 2, 28)),
    ],
)
def test_a_period_ends_before_the_day_on_which_it_is_due(kind, day, since, until):
    period = find_period(kind, dt.date(*day))
    assert (period.since, period.until) == (dt.date(*since), dt.date(*until))


# What is declared


def test_every_mistake_of_the_declaration_is_told_at_once(project):
    declare(
        project,
        """
        [default]
        [defaults]
        retention_day = 3
        [report.a]
        notebook = "mine"
        source = "made-up-clinic"
        k = 4
        cadence = "sometimes"
        time_zone = "Mars/Olympus"
        audience = "press"
        period = 3
        for_each = "patient"
        [report.b]
        notebook = "mine"
        for_each = "therapist"
        audience = "stakeholder"
        [report."Upper case"]
        """,
    )
    with pytest.raises(ReportError) as caught:
        read_series()
    text = str(caught.value)
    assert caught.value.exit_code == 2
    for piece in (
        "unknown key 'default'; ", "did you mean 'defaults'", "retention_day'", "k must lie from 5 to 100",
        "cadence is neither", "time_zone is no name", "audience must be one of", "period must be a text",
        "for_each must be one of", "[report.b] needs source", "for the team only", "an id is made of",
    ):  # fmt: skip
        assert piece.replace("'default'; ", "'default'") in text, piece


@pytest.mark.parametrize("text", ["[report", "report = 3", ""])
def test_a_file_that_declares_nothing_is_refused(project, text):
    declare(project, text)
    with pytest.raises((ReportError, FactsError)) as caught:
        read_series()
    assert caught.value.exit_code == 2


def test_what_cannot_be_made_is_told_before_anything_is_due(project):
    declare(
        project,
        """
        [defaults]
        source = "made-up-clinic"
        [report.typed]
        notebook = "mine"
        parameters = { kk = 3, site = 7 }
        [report.lacking]
        notebook = "data_quality"
        for_each = "region"
        period = "month"
        [report.absent]
        notebook = "mien"
        [report.unrecorded]
        notebook = "therapy_comparison"
        parameters = { instrument = "ndi", site = "nowhere" }
        [report.nowhere]
        notebook = "mine"
        source = "no-such-source"
        [report.sites]
        notebook = "mine"
        for_each = "site"
        """,
    )
    rows, findings = check_series(read_series(), series_project._read)
    text = "\n".join(str(finding) for finding in findings)
    for piece in (
        "[report.typed]: there is no parameter 'kk'", "[report.typed]: site must be text",
        "has no parameter region", "has no parameter since", "[report.absent]: There is no report",
        "the records hold no such instrument", "the records hold no such site", "[report.nowhere]",
    ):  # fmt: skip
        assert piece in text, piece
    assert "[report.sites]" not in text
    assert {row["series"]: row["pages"] for row in rows}["sites"] == 4


def test_the_shipped_declaration_can_be_made():
    rows, findings = check_series(read_series(), lambda series: read_records(series.source))
    assert not findings
    assert sum(row["pages"] for row in rows) >= 6


# What is done


def test_what_is_due_is_made_once(project):
    first = run()
    assert (first.state, first.slot, len(first.outcomes)) == ("released", "2026-Q3", 1)
    pages = list_pages()
    assert "whole/2026-Q3/mine-made-up-clinic-team.html" in pages
    assert run().state == "not_due"
    assert run(asked=True).outcomes[0].state == "unchanged", "whoever asks gets the page that stands"
    assert list_pages() == pages
    assert len(list_manifests(Path(".outcomes/archive"), "whole")) == 1


def test_a_page_for_each_site_of_its_period(project):
    declare(project, series_project.DECLARED + 'for_each = "site"\nperiod = "rolling"\nrolling_months = 24\n')
    write_notebook(project, "open(f'saw-{site}', 'w').write(f'{since} {until} {period}')")
    ending = run()
    assert ending.state == "released" and len(ending.outcomes) == 4
    # the heading says when the episodes of the records began, not what was asked for
    with (project / "data/raw/made-up-clinic/episodes.csv").open(encoding="utf-8") as file:
        starts = [row["start_date"] for row in csv.DictReader(file)]
    held = [day for day in starts if "2024-10-01" <= day <= "2026-09-30"]
    said = f"2024-10-01 2026-09-30 episodes that began from {min(held)[:7]} to {max(held)[:7]}"
    assert {path.read_text(encoding="utf-8") for path in project.glob("saw-*")} == {said}
    assert len({outcome.page.name for outcome in ending.outcomes}) == 4


def test_the_months_that_stakeholders_read_tell_of_no_few_patients(project):
    declare(project, series_project.DECLARED + 'audience = "stakeholder"\nperiod = "rolling"\n')
    (series,) = read_series().values()
    days = [dt.date(2026, 1, 9)] * 3 + [dt.date(2026, 2, 3)] * 10 + [dt.date(2026, 8, 4)] * 12
    days += [dt.date(2026, 9, 1), dt.date(2026, 11, 2)]
    starts = pd.DataFrame({"patient_id": range(len(days)), "start_date": pd.to_datetime(days)})
    digest = RecordsDigest("", len(days), "2026-11-20", starts, "", {})
    period = find_period("rolling", dt.date(2026, 10, 15))
    said = say_days(series, digest, period)
    assert said == "episodes that began from 2026-02 to 2026-08"
    assert say_days(replace(series, audience="team"), digest, period).endswith("from 2026-01 to 2026-09")
    # of ten patients of a period no month is said, and whole years alone where a profile asks for it
    assert say_days(series, replace(digest, starts=starts[3:13]), period) == ""
    safe = replace(digest, disclosure_profile="safe_harbor")
    assert say_days(series, safe, period).endswith("from 2026 to 2026")


def test_records_that_are_as_before_make_nothing_new(project):
    declare(project, series_project.DECLARED + 'cadence = "monthly"\n')
    assert run().state == "released"
    later = NOW + dt.timedelta(days=30)
    assert (run(now=later).state, run(now=later).state) == ("nothing_new", "not_due")
    touch_records(project)
    assert run(now=later + dt.timedelta(days=31)).state == "released"


def test_a_notebook_that_changed_is_news(project):
    declare(project, series_project.DECLARED + 'cadence = "monthly"\n')
    run()
    write_notebook(project, "## Answer\n\nNo.")
    assert run(now=NOW + dt.timedelta(days=30)).state == "released"


def touch_records(project, drop_episodes=0.0, newest=None):
    """Change the records: leave out a share of the last rows, or only add a comment of nobody."""
    folder = project / "data" / "raw" / "made-up-clinic"
    for name in ("assessments.csv", "sessions.csv", "events.csv"):
        path = folder / name
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = int(len(lines) * (1 - drop_episodes)) - 1
        path.write_text("".join(lines[:kept]), encoding="utf-8")


def test_records_that_shrank_make_nothing_until_somebody_says_why(project):
    declare(project, series_project.DECLARED + 'cadence = "monthly"\n')
    run()
    pages = list_pages()
    touch_records(project, drop_episodes=0.5)
    later = NOW + dt.timedelta(days=30)
    ending = run(now=later)
    assert (ending.state, ending.exit_code, ending.reason) == ("failed", 3, "records")
    assert "SOURCE_REGRESSION" in ending.message and list_pages() == pages
    assert run(now=later, asked=True, accepted="patients withdrew").state == "released"
    assert read_history(Path(".outcomes/archive"), "whole")[-1].accepted == "patients withdrew"


def test_missed_slots_are_caught_up_by_the_latest(project):
    declare(project, series_project.DECLARED + 'cadence = "monthly"\n')
    run(now=moment(2026, 6, 10))
    touch_records(project)
    ending = run(now=moment(2026, 11, 26))
    assert (ending.slot, ending.missed) == ("2026-10", ("2026-06", "2026-07", "2026-08", "2026-09"))
    states = {one.slot: one.state for one in read_history(Path(".outcomes/archive"), "whole")}
    assert states["2026-07"] == "missed" and states["2026-10"] == "released"
    assert run(now=moment(2026, 11, 27)).state == "not_due"


def test_missed_slots_are_caught_up_each_where_that_is_declared(project):
    declare(project, series_project.DECLARED + 'cadence = "monthly"\ncatch_up = "all"\nperiod = "month"\n')
    run(now=moment(2026, 8, 10))
    touch_records(project)
    endings = run_all(now=moment(2026, 11, 26))
    assert [(one.slot, one.state) for one in endings] == [
        ("2026-08", "released"), ("2026-09", "nothing_new"), ("2026-10", "nothing_new"),
    ]  # fmt: skip


def test_a_clock_that_was_set_back_makes_nothing_twice(project):
    declare(project, series_project.DECLARED + 'cadence = "monthly"\n')
    run(now=moment(2026, 11, 2))
    pages = list_pages()
    for now in (moment(2026, 11, 1, 0, 1), moment(2026, 11, 1)):
        assert run(now=now).state == "not_due"
    with pytest.raises(ReportError, match="fell due in the future") as caught:
        run(now=moment(2026, 5, 3))
    assert caught.value.exit_code == 2 and list_pages() == pages


def test_one_page_that_fails_keeps_no_other_from_being_made(project):
    declare(project, series_project.DECLARED + 'for_each = "site"\n')
    write_notebook(project, "if site == 'harbour':\n    raise ValueError('P00017')", "## Answer\n\nYes.")
    ending = run()
    assert (ending.state, ending.exit_code, ending.reason) == ("failed", 6, "notebook")
    assert [outcome.state for outcome in ending.outcomes] == ["failed", *["published"] * 3]
    pages = list_pages()
    assert run(now=NOW + dt.timedelta(minutes=30)).state == "waits"
    write_notebook(project, "if site == 'harbour':\n    pass", "## Answer\n\nYes.")
    again = run(now=NOW + dt.timedelta(minutes=90))
    assert again.state == "released"
    assert all(list_pages()[name] == content for name, content in pages.items() if "harbour" not in name)


def test_only_what_is_missing_is_made_again(project):
    declare(project, series_project.DECLARED + 'for_each = "site"\n')
    write_notebook(
        project, "import os\nif site == 'harbour' and not os.path.exists('mended'):\n    raise ValueError"
    )
    run()
    Path("mended").touch()
    again = run(asked=True)
    assert sorted(outcome.state for outcome in again.outcomes) == ["published", *["unchanged"] * 3]


def test_two_runs_of_a_series_never_meet(project):
    with (
        hold_lock(Path(".outcomes").absolute(), "whole"),
        pytest.raises(ReportError, match="another run holds the lock") as caught,
    ):
        run()
    assert caught.value.exit_code == 8
    assert run().state == "released", "a lock file that is left says nothing"


def test_the_archive_hands_the_last_release_to_the_next(project):
    declare(
        project, series_project.DECLARED + 'cadence = "monthly"\nnotebook = "looking"\n'.replace("[", "[")
    )
    declare(project, series_project.DECLARED.replace("mine", "looking") + 'cadence = "monthly"\n')
    write_notebook(
        project,
        "from outcomes import open_page, read_records, release, summarise_data_quality, tabulate_reading",
        "from outcomes.reports import read_previous",
        "page = open_page(audience, k=k)",
        "quality = release(summarise_data_quality(read_records(source, path or None)), page)",
        "tabulate_reading(quality)",
        "before = read_previous()",
        "open('before', 'a').write(f'{before and before.manifest.slot} {before and len(before.results())};')",
        name="looking",
    )
    assert run(now=moment(2026, 10, 2)).state == "released"
    touch_records(project)
    assert run(now=moment(2026, 11, 2)).state == "released"
    said = Path("before").read_text(encoding="utf-8")
    last = find_last_release(Path(".outcomes/archive"), "whole", before="2026-11-01T00:00:00+00:00")
    results = last.results()
    assert last.manifest.slot == "2026-09"
    assert said == f"None None;2026-09 {len(results)};" and len(results) > 5
    assert set(results["analysis"]) == {"data_quality"} and results["estimate"].notna().any()


def test_how_things_stand(project):
    declared = read_series()
    archive = Path(".outcomes/archive")
    (before,) = list_statuses(declared, archive, NOW)
    assert (before.state, before.due, before.is_well) == ("never", "now", True)
    run()
    (after,) = list_statuses(declared, archive, NOW)
    assert (after.state, after.last, after.due[:10]) == ("released", "2026-Q3", "2027-01-01")


def test_a_list_of_releases_that_cannot_be_read_makes_nothing(project):
    run()
    pages = list_pages()
    Path(".outcomes/archive/whole/slots.json").write_text("[{", encoding="utf-8")
    with pytest.raises(ReportError, match="cannot be read") as caught:
        run()
    assert caught.value.exit_code == 9 and list_pages() == pages


def test_manifests_say_what_a_page_was_made_from(project):
    run()
    (manifest,) = list_manifests(Path(".outcomes/archive"), "whole")
    content = vars(manifest)
    for name in ("key", "records_sha256", "notebook_sha256", "packages_sha256", "page_sha256"):
        assert len(content[name]) == 64, name
    assert manifest.started <= manifest.ended and manifest.state == "published"
    assert json.dumps(dict(manifest.parameters))
    assert "path" not in manifest.parameters and "source" not in manifest.parameters


LOOKING_BACK = (
    "from outcomes import keep_release, open_page, read_records, recall_release, release, say_since_last",
    "from outcomes import select_cohort, split_changes, tabulate_since_last",
    "cohort = select_cohort(read_records(source, path or None))",
    "page = open_page(audience, k=k)\n"
    "since_last = release(split_changes(cohort, earlier=recall_release()), page)\n"
    "keep_release(cohort)",
    "say_since_last(since_last)",
    "tabulate_since_last(since_last)",
)


def correct_scores(project):
    """Correct a score of the pain of every tenth assessment after the start."""
    path = project / "data" / "raw" / "made-up-clinic" / "assessments.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[1::10]:
        row["odi_1"] = {"": "", "0": "1"}.get(row["odi_1"], "0")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_series_says_what_changed_since_its_last_release(project):
    """First release, corrected scores, another notebook: each page says what moved its numbers."""
    declare(project, series_project.DECLARED.replace("mine", "looking"))
    write_notebook(project, "## Since", *LOOKING_BACK, name="looking")
    pages = []
    for month, change in ((1, None), (4, correct_scores), (7, None)):
        if change:
            change(project)
        if month == 7:
            narrower = LOOKING_BACK[2].replace("None)", "None), where={'age_years': (40, 90)}")
            cells = [narrower if cell == LOOKING_BACK[2] else cell for cell in LOOKING_BACK]
            write_notebook(project, "## Since", *cells, name="looking")
        assert run(now=moment(2026, month, 2)).state == "released"
        newest = max(Path("reports/html/whole").rglob("looking*.html"), key=lambda path: path.stat().st_mtime)
        pages.append(newest.read_text(encoding="utf-8"))
    assert "There is no earlier release" in pages[0]
    assert (
        "Since the release 2025-Q4 the records gained 0 new episodes" in pages[1]
        and "by revised records" in pages[1]
    )
    assert "by definitions" not in pages[1]
    assert "the records gained 0 new episodes; 0 known ones" in pages[2]
    assert "by definitions or code" in pages[2] and "by revised" not in pages[2]
    kept = sorted(Path(".outcomes/archive/whole").glob("*/snapshot.zip"))
    assert len(kept) == 2, "those of the last two releases"
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    assert not list(Path(".outcomes/runs").glob("*/kept"))


def index() -> str:
    place = write_site("reports/html", list(read_series().values()), Path(".outcomes"), NOW, {})
    return place.read_text(encoding="utf-8")


def test_a_series_is_spoken_of_in_the_language_of_its_pages(project, capsys):
    write_pseudo_language(project)
    defaults = series_project.DECLARED.partition("[report")[0]
    marked = f'[report.marked]\nparameters = {{ language = "{LANGUAGE}" }}\n'
    declare(project, defaults + marked)
    assert print_status(None, None, as_json=False) == 0
    assert mark("never run") in capsys.readouterr().out
    assert mark("No release yet") in index() and f'lang="{LANGUAGE}"' in index()
    declare(project, f"{defaults}{marked}[report.quiet]\n")
    assert "No release yet" in index() and mark("No release yet") not in index(), (
        "English where languages differ"
    )


def test_a_language_that_there_is_not_fails_its_page_alone(project):
    declare(project, series_project.DECLARED + 'parameters = { language = "yy" }\n')
    assert run(now=NOW).reason == "configuration"
    assert 'lang="en"' in index() and "the declaration or a parameter is wrong" in index()


def test_a_snapshot_that_cannot_be_read_makes_no_page_and_says_what_to_do(project):
    declare(project, series_project.DECLARED.replace("mine", "looking"))
    write_notebook(project, "## Since", *LOOKING_BACK, name="looking")
    assert run(now=moment(2026, 1, 2)).state == "released"
    (kept,) = Path(".outcomes/archive/whole").glob("*/snapshot.zip")
    kept.write_bytes(b"broken")
    correct_scores(project)
    before = list_pages()
    assert run(now=moment(2026, 4, 2)).state == "failed"
    assert list_pages() == before
    kept.unlink()
    assert run(now=moment(2026, 4, 2, 12)).state == "released"
