"""Mutation check (A12): with each guard switched off in turn, an attack that failed before succeeds.

So each guard is needed, and each attack has teeth. An attack looks at what was released or published; the
truth is used to see whether it hit. Guards are switched off within the test's own process.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import math
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest
from acting import assert_harmless
from bounding import Knowledge, hides
from linked_tables import (
    count_from_a_table,
    count_from_linked_tables,
    publish_tables_apart,
    take_a_mean_from_two_tables,
)
from made_editions import Course, open_series
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from planted_scripts import open_planted
from scipy import special
from searching import find_planted
from test_editions_in_series import find_isolated, list_cells

from outcomes.analyses import summarise_change, summarise_data_quality
from outcomes.disclosure import release
from outcomes.disclosure.decisions import Fate, Reason
from outcomes.errors import OutcomesError
from outcomes.facts import Count, Text
from outcomes.records import read_records
from outcomes.reports import run_report
from outcomes.reports.page import render_page
from outcomes.result import Origin, Patients, build_result
from outcomes.synthetic import simulate_clinic, write_clinic

K = 11


def people(n: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + n)


def make(name, rows, support, **kwargs):
    place = {"outcome": "odi", "timepoint": "month_6", "unit": "points"}
    return build_result(name, [{**place, **row} for row in rows], method="How.", support=support, **kwargs)


def show(name, rows, support, **kwargs):
    return release(make(name, rows, support, **kwargs), k=K)


def share(n_with, n_without, start=0, statistic="share_improved", **columns):
    n = n_with + n_without
    members = people(n, start)
    row = {"statistic": statistic, "term": "seen", "estimate": n_with / n, "n": n, **columns}
    return row, {"all": members, "with": members[:n_with], "without": members[n_with:]}


def mean(n, group="a", value=30.0, **columns):
    return {"statistic": "mean_score", "group": group, "estimate": value, "n": n, **columns}


def counts(sizes):
    rows = [
        {"statistic": "n", "term": "patients", "group": name, "estimate": n, "n": n}
        for name, n in sizes.items()
    ]
    return rows, [{"all": people(n, 1000 * i)} for i, n in enumerate(sizes.values())]


# Attacks: each says whether it hit


def see_an_effect_of_seven() -> bool:
    row = {"statistic": "srm", "group": "a", "estimate": 0.84, "n": 7}
    return bool(show("effect_sizes", [row], [{"all": people(7)}]).table["shown"].any())


def see_a_share_that_few_lack() -> bool:
    row, sets = share(80, 3, group="a")
    return bool(show("responders", [row], [sets]).table["shown"].any())


def see_that_all_said_the_same() -> bool:
    rows = [mean(40, std_error=0.0), {"statistic": "sd_score", "group": "a", "estimate": 0, "n": 40}]
    return bool(show("change", rows, [{"all": people(40)}] * 2).table["shown"].any())


def subtract_from_a_total() -> bool:
    sizes = {"a": 9, "b": 32, "c": 42, "all": 83}
    table = show("baseline", *counts(sizes)).table.set_index("group")
    known = Knowledge()
    for name, row in table.iterrows():
        value = row["estimate"]
        known.number(name, *((value - 2.5, value + 2) if value == value else (0, math.inf)))
    known.equal({"all": 1, "a": -1, "b": -1, "c": -1})
    low, high = known.bound({"a": 1})
    return not hides(low, high, K)


def read_a_count() -> bool:
    """47 patients, to the patient: whoever knows 46 of them knows whether there is one more."""
    row = {"statistic": "n", "term": "patients", "group": "a", "estimate": 47, "n": 47}
    return bool((show("baseline", [row], [{"all": people(47)}]).table["estimate"] == 47).any())


def count_from_a_percentage() -> bool:
    row, sets = share(17, 23, group="a")
    value = float(show("responders", [row], [sets]).table["estimate"].iloc[0])
    fitting = [(w, n) for n in range(38, 43) for w in range(n + 1) if abs(w / n - value) < 1e-9]
    return fitting == [(17, 40)]


def score_from_two_means() -> bool:
    """A mean before and after a newcomer, as shown: the score follows where means are exact."""
    values = [float(value) for value in (np.arange(200) * 7 % 51 * 2)]
    means = []
    for n in (150, 151):
        exact = float(np.mean(values[:n]))
        means.append(
            float(show("change", [mean(n, value=exact)], [{"all": people(n)}]).table["estimate"].iloc[0])
        )
    return abs(151 * means[1] - 150 * means[0] - values[150]) < 0.5


def count_from_degrees_of_freedom() -> bool:
    table = show("change", [mean(43, df=42, std_error=1.5)], [{"all": people(43)}]).table
    return bool(table[["df", "std_error"]].notna().any(axis=None))


def count_from_a_spread() -> bool:
    """n = (t SD / half the interval)^2, to the patient."""
    n, sd = 23, 17.3
    half = float(special.stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
    rows = [
        mean(n, conf_low=30 - half, conf_high=30 + half),
        {"statistic": "sd_score", "group": "a", "estimate": sd, "n": n},
    ]
    table = show("change", rows, [{"all": people(n)}] * 2).table.set_index("statistic")
    if "sd_score" not in table.index:
        return False
    width = (table.at["mean_score", "conf_high"] - table.at["mean_score", "conf_low"]) / 2
    spread = table.at["sd_score", "estimate"]
    off = [abs(float(special.stdtrit(m - 1, 0.975)) * spread / math.sqrt(m) - width) for m in range(21, 27)]
    return 21 + int(np.argmin(off)) == n


def see_a_small_step_of_a_curve() -> bool:
    steps, members = (60, 55, 20), people(90)
    rows = [{"statistic": "share_improved_by", "group": "a", "x": 5.0 * i, "estimate": n / 90, "n": 90}
            for i, n in enumerate(steps)]  # fmt: skip
    sets = [{"all": members, "with": members[:n], "without": members[n:]} for n in steps]
    shown = show("cumulative", rows, sets).table["x"].tolist()
    return {0.0, 5.0} <= set(shown)


def take_sites_from_their_mean() -> bool:
    sizes = {"north": 60, "south": 50, "west": 40, "east": 12}
    rows = [{"statistic": "mean_improvement", "term": "site", "group": name, "estimate": 10.0, "n": n}
            for name, n in [*sizes.items(), ("all", 162)]]  # fmt: skip
    sets = [{"all": people(n, 1000 * i)} for i, n in enumerate([*sizes.values(), 162])]
    return bool(show("site_funnel", rows, sets).table["shown"].any())


def take_a_centre_from_its_limits() -> bool:
    sizes = {"2023Q1": 40, "2023Q2": 5, "all": 45}
    rows = [{"statistic": "mean_improvement", "term": "baseline", "group": name, "estimate": 10.0, "n": n}
            for name, n in sizes.items()]  # fmt: skip
    rows.append(
        {
            "statistic": "control_limit",
            "group": "2023Q1",
            "estimate": 10.3,
            "conf_low": 4.0,
            "conf_high": 16.6,
            "n": 40,
        }
    )
    sets = [{"all": people(n, 1000 * i)} for i, n in enumerate(sizes.values())] + [{"all": people(40)}]
    table = show("trend", rows, sets).table
    centre = table[(table["group"] == "all") & table["shown"]]
    return centre.empty and bool(table.loc[table["statistic"] == "control_limit", "shown"].any())


def read_an_unfair_comparison() -> bool:
    row = {"statistic": "contrast", "group": "a", "versus": "b", "estimate": -7.8, "n": 100, "n_versus": 100}
    sets = {"group": people(100), "versus": people(100, 500)}
    return bool(len(show("over_time", [row], [sets], comparable=False).table))


def take_shares_from_a_difference() -> bool:
    rows, sets = [], []
    for group, n in (("seen", 300), ("not_seen", 100)):
        members = people(n, 1000 * n)
        for level, held, others in (("x", members[:4], members[4:]), ("y", members[4:], members[:4])):
            rows.append({"statistic": "share", "term": "region", "level": level, "group": group,
                         "estimate": len(held) / n, "n": n})  # fmt: skip
            sets.append({"all": members, "with": held, "without": others})
    rows.append(
        {"statistic": "smd", "term": "region", "group": "seen", "versus": "not_seen", "estimate": 0.21}
    )
    sets.append({"group": people(300), "versus": people(100, 5000)})
    table = show("nonresponse", rows, sets).table
    return bool(table.loc[table["statistic"] == "smd", "shown"].any())


def take_the_unseen_from_two_bases() -> bool:
    """The same patients improved of those seen and of those due: the quotient tells who was not seen."""
    seen, due = share(100, 60, group="a"), share(100, 64, group="a")
    table = show("responders", [seen[0], {**due[0], "term": "due"}], [seen[1], due[1]]).table
    return bool(table["shown"].all())


def take_the_unseen_from_completeness() -> bool:
    """Completeness in whole percents of 300 due: four were not seen."""
    row, sets = share(296, 4, statistic="share_seen", term=None, group="a")
    value = float(show("completeness", [row], [sets]).table["estimate"].iloc[0])
    return round(300 * (1 - value)) == 4


def read_a_count_in_a_sentence() -> bool:
    told = show(
        "change", [mean(50)], [{"all": people(50)}], warnings=["3 patients were refused for their age."]
    )
    return bool(told.warnings)


def read_how_few_a_sentence_counts() -> bool:
    said = Text.of("methods.clusters.nested", nested=Count(3, people(3)), found=3)
    return bool(show("change", [mean(50)], [{"all": people(50)}], warnings=[said]).warnings)


def read_that_all_were_alike() -> bool:
    sentence = Text.of("methods.over_time.degenerate", time="6 months")
    return sentence in show("change", [mean(50)], [{"all": people(50)}], warnings=[sentence]).warnings


def read_where_the_records_lie() -> bool:
    told = show(
        "change",
        [mean(50)],
        [{"all": people(50)}],
        origin=Origin(answered=("/home/nurse/p.csv",), source="s"),
    )
    return told.origin.answered is not None


def compare_editions() -> bool:
    course = Course(3, n_start=120, joiners=4, seed=7)
    with tempfile.TemporaryDirectory() as folder, open_series(Path(folder)) as series:
        made = [
            series.publish(records, (summarise_change,), timepoints=["month_6"])
            for records in course.follow()
        ]
    return any(
        find_isolated(list({cell.tobytes(): cell for cell in cells}.values()), K)
        for cells in list_cells(made).values()
    )


def combine_editions() -> bool:
    """A total that gains 23 and a part that gains 20: the other part gained three."""

    def measure(groups: dict[str, list[int]]):
        everybody = sorted(groups["all"])
        code = {one: number for number, one in enumerate(everybody)}
        patients = Patients(
            np.array([f"P{one}" for one in everybody], dtype=object), np.array(everybody, dtype="uint64")
        )
        rows = [
            mean(len(members), group=name, value=float(np.mean(members))) for name, members in groups.items()
        ]
        sets = [{"all": np.array([code[one] for one in members])} for members in groups.values()]
        return [make("change", rows, sets, patients=patients)]

    a, b = [*range(40)], [*range(40, 80)]
    more_a, more_b = [*a, *range(100, 120)], [*b, *range(200, 203)]
    with tempfile.TemporaryDirectory() as folder, open_series(Path(folder)) as series:
        made = [
            series.publish_results(lambda groups=groups: measure(groups))
            for groups in (
                {"all": [*a, *b], "a": a, "b": b},
                {"all": [*more_a, *more_b], "a": more_a, "b": more_b},
            )
        ]
    cells = [cell for found in list_cells(made).values() for cell in found]
    return bool(find_isolated(list({cell.tobytes(): cell for cell in cells}.values()), K))


def group_by_patient() -> bool:
    records = simulate_clinic(60, seed=1)
    with contextlib.suppress(OutcomesError):
        table = release(summarise_data_quality(records, by="patient_id")).table
        return bool(set(table["group"]) & set(records.episodes["patient_id"].astype(str)))
    return False


def name_an_address(tmp_path) -> bool:
    import pandas as pd

    write_clinic(tmp_path, n_episodes=40, seed=1)
    episodes = pd.read_csv(tmp_path / "episodes.csv", dtype="str")
    episodes["therapist"] = [f"anna{site}@clinic.example" for site in episodes["site"]]
    episodes.to_csv(tmp_path / "episodes.csv", index=False)
    with contextlib.suppress(OutcomesError):
        records = read_records("made-up-clinic", tmp_path)
        return any("@" in str(name) for name in records.episodes["therapist"].cat.categories)
    return False


# Attacks on a whole page


PARAMETERS = (
    'audience = "stakeholder"  # one of: team, stakeholder\nk = 11  # from 5 to 100\nclinic = ""  # alias'
)
FRAME = """\
import io
import pandas as pd
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo
from outcomes.views.view import View
told = PngInfo(); told.add_text("note", "fell off a ladder"); held = io.BytesIO()
Picture.new("RGB", (3, 3)).save(held, "png", pnginfo=told)
def view(name, kind="sentence", html="<p>said</p>", png=None, table=None, to=audience, **texts):
    return View(name, kind, html, png, texts.get("alt", ""), texts.get("caption", ""), table, to, k)
"""


def publish(tmp_path, *cells: str):
    """Make a page of a notebook with the given cells in the current folder, which is `tmp_path`."""
    (tmp_path / "notebooks").mkdir(exist_ok=True)
    tagged = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    made = [
        new_code_cell(FRAME),
        new_markdown_cell("## Answer\n\nYes.<script>alert(1)</script>"),
        *map(new_code_cell, cells),
    ]
    notebook = new_notebook(cells=[new_markdown_cell("# Which?"), tagged, *made])
    nbformat.write(notebook, tmp_path / "notebooks" / "mine.ipynb")
    return run_report("mine", {})


def run_a_script(tmp_path) -> bool:
    report = publish(
        tmp_path, "view('acting', kind='table', html='<p onclick=alert(1)>x</p><script>alert(1)</script>')"
    )
    try:
        assert_harmless(report.page)
    except AssertionError:
        return True
    return False


def hide_a_text_in_a_picture(tmp_path) -> bool:
    report = publish(tmp_path, "view('drawn', kind='figure', png=held.getvalue())")
    return bool(find_planted(report.folder, ["fell off a ladder"]))


def write_a_formula(tmp_path) -> bool:
    report = publish(
        tmp_path, "view('listed', kind='table', table=pd.DataFrame({'text': ['=1+1'], 'estimate': [1.5]}))"
    )
    with (report.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return any(value.startswith("=") for row in csv.reader(file) for value in row)


def show_the_teams_numbers(tmp_path) -> bool:
    with contextlib.suppress(OutcomesError):
        return (
            "said-to-the-team"
            in publish(tmp_path, "view('inner', html='<p>said-to-the-team</p>', to='team')").page.read_text()
        )
    return False


def print_a_row(tmp_path) -> bool:
    report = publish(tmp_path, "print('P00017 fell off a ladder')")
    return (
        bool(find_planted(tmp_path / "reports", ["fell off a ladder"])) or "ladder" in report.page.read_text()
    )


def run_what_was_planted(tmp_path, browser) -> bool:
    return open_planted(publish(tmp_path, "view('shown')").page, browser)


@dataclass(frozen=True)
class Guard:
    """A guard, where it stands, what stands in its place when it is off, and the attack that it stops."""

    name: str
    place: str
    off: Callable
    attack: Callable
    needs_folder: bool = False
    needs_browser: bool = False


def _nothing(*_):
    return None


def _all_shown(result, rules):
    from outcomes.disclosure.decisions import Decisions
    from outcomes.disclosure.thresholds import judge_rows

    return Decisions(len(result.table)), judge_rows(result, rules)[1]


def _without_policy(page, words):
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render_page(page, words))


_JOINT = "outcomes.disclosure.joint"
_POLICY, _THRESHOLDS = "outcomes.disclosure.policy", "outcomes.disclosure.thresholds"
GUARDS = (
    Guard("k patients behind a number", f"{_POLICY}.judge_rows", _all_shown, see_an_effect_of_seven),
    Guard(
        "k patients on both sides", f"{_THRESHOLDS}.Sizes.split", lambda *_: True, see_a_share_that_few_lack
    ),
    Guard("all alike", f"{_THRESHOLDS}._find_constant", lambda *_: set(), see_that_all_said_the_same),
    Guard("lines", f"{_POLICY}.protect_lines", _nothing, subtract_from_a_total),
    Guard("counts in fives", f"{_POLICY}.round_count", lambda value, cells: value, read_a_count),
    Guard(
        "percentages in steps",
        f"{_POLICY}.round_share",
        lambda value, n, cells: value,
        count_from_a_percentage,
    ),
    Guard("scores to one decimal", f"{_POLICY}.round_to", lambda value, *_: value, score_from_two_means),
    Guard("no degrees of freedom", f"{_POLICY}._NEVER", (), count_from_degrees_of_freedom),
    Guard(
        "no spread beside an interval",
        f"{_THRESHOLDS}._is_spread_of_interval",
        lambda *_: False,
        count_from_a_spread,
    ),
    Guard("steps of curves", f"{_POLICY}.thin_curves", _nothing, see_a_small_step_of_a_curve),
    Guard(
        "league",
        f"{_POLICY}.protect_sites",
        _nothing,
        take_sites_from_their_mean,
    ),
    Guard("control charts", f"{_POLICY}.protect_charts", _nothing, take_a_centre_from_its_limits),
    Guard(
        "comparable only", f"{_THRESHOLDS}._compares_unfairly", lambda *_: False, read_an_unfair_comparison
    ),
    Guard(
        "differences that tell",
        "outcomes.disclosure.lines._differences_that_tell",
        lambda *_: [],
        take_shares_from_a_difference,
    ),
    Guard("two bases", f"{_THRESHOLDS}._tells_unseen", lambda *_: False, take_the_unseen_from_two_bases),
    Guard(
        "bands of completeness",
        f"{_POLICY}.pick_band",
        lambda share, *_: (100 * share, 100 * share),
        take_the_unseen_from_completeness,
    ),
    Guard(
        "numbers in somebody's own words",
        "outcomes.disclosure.notes._DIGIT",
        re.compile("(?!)"),
        read_a_count_in_a_sentence,
    ),
    Guard(
        "counts of sentences",
        f"{_POLICY}.hush_counts",
        lambda table, decisions: [
            decisions.settle(place, Fate.SHOWN, Reason.FEW)
            for place, name in enumerate(table["statistic"])
            if name == "n_said"
        ],
        read_how_few_a_sentence_counts,
    ),
    Guard(
        "sentences kept back",
        "outcomes.disclosure.notes.Sentences._may_say",
        lambda sentences, said: True,
        read_that_all_were_alike,
    ),
    Guard(
        "what a result was made from",
        f"{_POLICY}.allow_origin",
        lambda origin, rules: origin,
        read_where_the_records_lie,
    ),
    Guard(
        "numbers of patients of a page",
        f"{_JOINT}.page.ShownNumbers._protect_counts",
        _nothing,
        count_from_linked_tables,
    ),
    Guard(
        "sums of a page",
        f"{_JOINT}.page.ShownNumbers._protect_sums",
        _nothing,
        take_a_mean_from_two_tables,
    ),
    Guard(
        "complements of a table",
        f"{_JOINT}.page.choose_secondary",
        lambda *_, **__: frozenset(),
        count_from_a_table,
    ),
    Guard(
        "audit of a page", "outcomes.reports.report.audit_run", lambda *_: None, publish_tables_apart, True
    ),
    Guard(
        "ledger",
        "outcomes.disclosure.page_context.read_earlier_cells",
        lambda folder: None,
        compare_editions,
    ),
    Guard(
        "combinations",
        "outcomes.disclosure.ledger.comparison._judge_together",
        lambda *_: None,
        combine_editions,
    ),
    Guard(
        "groups that name", "outcomes.analyses.data_quality.may_group", lambda column: True, group_by_patient
    ),
    Guard("gate", "outcomes.records.reader.find_identifying", lambda *_, **__: [], name_an_address, True),
    Guard("allow-list of HTML", "outcomes.reports.prose._clean", lambda html, tags: html, run_a_script, True),
    Guard(
        "pixels only",
        "outcomes.reports.exports.strip_png",
        lambda content: content,
        hide_a_text_in_a_picture,
        True,
    ),
    Guard("no formulas", "outcomes.reports.exports._make_safe", lambda value: value, write_a_formula, True),
    Guard(
        "views of this audience",
        "outcomes.reports.released._check_audience",
        lambda view, *_: view,
        show_the_teams_numbers,
        True,
    ),
    Guard(
        "Content-Security-Policy",
        "outcomes.reports.report.render_page",
        _without_policy,
        run_what_was_planted,
        needs_folder=True,
        needs_browser=True,
    ),
)


@pytest.mark.parametrize(
    "guard",
    [pytest.param(guard, marks=[pytest.mark.browser] if guard.needs_browser else []) for guard in GUARDS],
    ids=lambda guard: guard.name,
)
def test_without_the_guard_the_attack_succeeds(guard, monkeypatch, tmp_path, request):
    for name in ("on", "off"):
        (tmp_path / name).mkdir()

    def attack(name: str) -> bool:
        monkeypatch.chdir(tmp_path / name)
        needed = [tmp_path / name] if guard.needs_folder else []
        return guard.attack(*needed, *([request.getfixturevalue("browser")] if guard.needs_browser else []))

    assert not attack("on"), "the guard does not hold"
    switch_off(guard, monkeypatch)
    assert attack("off"), "the attack has no teeth, or the guard no use"


def switch_off(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, name = guard.place.rpartition(".")
    try:
        owner = importlib.import_module(module)
    except ModuleNotFoundError:
        module, _, kind = module.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    monkeypatch.setattr(owner, name, guard.off)
