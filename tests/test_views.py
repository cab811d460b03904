"""What a page shows: the same released numbers in figure, table, sentence and alt text, or why none."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import replace

import html5lib
import numpy as np
import pandas as pd
import pytest

from outcomes import views
from outcomes.disclosure import release
from outcomes.errors import DisclosureError, ReportError
from outcomes.facts import read_instrument, read_therapies, read_timepoints
from outcomes.result import Origin, build_result
from outcomes.views.comparison import plot_forest
from outcomes.views.cumulative_curve import choose_steps, plot_cumulative
from outcomes.views.figure import darken, spread_apart
from outcomes.views.labels import pick_marked, read_labels
from outcomes.views.trajectory import plot_trajectory

THERAPIES = ("strengthening", "manual_therapy", "combined_pt", "usual_care")
TIMES = ("baseline", "week_6", "month_3", "month_6")
EVIL = '<img src=x onerror="alert(1)">'


def people(n, start=0):
    return np.arange(start, start + n)


def trace(outcome="odi", **kwargs):
    told = {
        "source": "made-up",
        "fingerprint": "abcdef0123",
        "instrument": outcome.split(":")[0],
        "design": "routine",
        "primary": "month_6",
        "reference": "usual_care",
        "covariates": ("age_years",),
        "therapies": {id: read_therapies()[id] for id in THERAPIES},
        "timepoints": {id: read_timepoints()[id] for id in TIMES},
        **kwargs,
    }
    return Origin(**told)


def change(groups=THERAPIES, n=200, outcome="odi", start=42.0, gain=15.0, **kwargs):
    rows, sets = [], []
    sizes = n if isinstance(n, dict) else dict.fromkeys(groups, n)
    for place, group in enumerate([*groups, "all"]):
        size = sizes.get(group, sum(sizes.values()))
        for step, time in enumerate(TIMES):
            score = start - (gain + place) * step / 3
            row = {"outcome": outcome, "group": group, "timepoint": time, "n": size, "unit": "points"}
            for statistic, value in (
                ("mean_expected" if step else "mean_score", score),
                ("sd_score", 14.123),
                ("mean_improvement", start - score),
                ("mean_start_seen", start),
                ("mean_score_seen", score),
                ("sd_score_seen", 14.123),
                ("mean_improvement_seen", start - score),
                ("sd_improvement", 9.876),
            ):
                if statistic != "sd_score" if step else statistic in ("mean_score", "sd_score"):
                    rows.append(
                        {
                            **row,
                            "statistic": statistic,
                            "estimate": value,
                            "std_error": 1.0,
                            "conf_low": value - 1.96,
                            "conf_high": value + 1.96,
                        }
                    )
                    sets.append({"all": people(size, 1000 * place)})
    return build_result("change", rows, method="Means.", support=sets, origin=trace(outcome, **kwargs))


def contrasts(
    effects=(-7.94, -2.05, -9.31, 0.0),
    outcome="odi",
    comparable=True,
    error=1.3,
    n=200,
    groups=THERAPIES,
    **kwargs,
):
    rows, sets = [], []
    for i, group in enumerate(groups):
        for j in range(i + 1, len(groups)):
            found = effects[i] - effects[j]
            p = 0.0001 if abs(found / error) > 3 else 0.2
            rows.append(
                {
                    "outcome": outcome,
                    "statistic": "contrast",
                    "group": group,
                    "versus": groups[j],
                    "timepoint": "month_6",
                    "estimate": found,
                    "std_error": error,
                    "unit": "points",
                    "conf_low": found - 1.96 * error,
                    "conf_high": found + 1.96 * error,
                    "p_value": p,
                    "n": n,
                    "n_versus": n,
                }
            )
            sets.append({"group": people(n, 1000 * i), "versus": people(n, 1000 * j)})
    return build_result(
        "ancova",
        rows,
        method="ANCOVA.",
        support=sets,
        origin=trace(outcome, **kwargs),
        comparable=comparable,
    )


def checks(verdict, warnings=(), **kwargs):
    fair = verdict in ("comparable", "randomised")
    row = {"outcome": "odi", "timepoint": "month_6"}
    rows = [
        {
            **row,
            "statistic": "check",
            "term": "n_seen",
            "level": "usual_care",
            "estimate": 200,
            "x": 30,
            "n": 200,
        },
        {
            **row,
            "statistic": "check",
            "term": "smd",
            "level": "age_years",
            "estimate": 0.1 if fair else 0.4,
            "x": 0.25,
            "n": 200,
        },
        {**row, "statistic": "verdict", "level": verdict, "estimate": float(fair), "n": 200},
    ]
    sets = [{"all": people(200)}, {"group": people(200), "versus": people(200, 500)}, {"all": people(200)}]
    return build_result(
        "comparability",
        rows,
        method="Checks.",
        support=sets,
        warnings=warnings,
        comparable=fair,
        origin=trace(**kwargs),
    )


def standardised(level="ostelo-2008-absolute", outcome="odi"):
    rows = [
        {
            "outcome": outcome,
            "statistic": "share_improved_standardised",
            "group": group,
            "timepoint": "month_6",
            "level": level,
            "x": 10,
            "estimate": estimate,
            "conf_low": estimate - 0.1,
            "conf_high": estimate + 0.1,
            "n": 200,
            "unit": "proportion",
        }
        for group, estimate in zip(THERAPIES, (0.684, 0.561, 0.758, 0.463), strict=True)
    ]
    return build_result(
        "standardised",
        rows,
        method="g.",
        support=[{"all": people(200)}] * 4,
        comparable=True,
        origin=trace(outcome),
    )


def cumulative():
    rows, sets = [], []
    rng = np.random.default_rng(3)
    for place, group in enumerate(THERAPIES):
        improvement = np.round(rng.normal(12 + place, 14, 150) / 2) * 2
        members = people(150, 1000 * place)
        for x in np.arange(improvement.min(), improvement.max() + 2, 2):
            has = improvement >= x
            rows.append(
                {
                    "outcome": "odi",
                    "statistic": "share_improved_by",
                    "group": group,
                    "timepoint": "month_6",
                    "x": x,
                    "estimate": has.mean(),
                    "n": 150,
                    "unit": "proportion",
                }
            )
            sets.append({"all": members, "with": members[has], "without": members[~has]})
    return build_result("cumulative", rows, method="Shares.", support=sets, origin=trace())


def completeness(n=200):
    rows, sets = [], []
    for place, group in enumerate(THERAPIES):
        for step, time in enumerate(TIMES):
            members, cut = people(n, 1000 * place), int(n * (1 - 0.15 * step))
            row = {"outcome": "odi", "group": group, "timepoint": time}
            for name, held in (("n_due", members), ("n_seen", members[:cut]), ("n_missing", members[cut:])):
                rows.append({**row, "statistic": name, "estimate": len(held), "n": len(held)})
                sets.append({"all": held})
            rows.append({**row, "statistic": "share_seen", "estimate": cut / n, "n": n})
            sets.append({"all": members, "with": members[:cut], "without": members[cut:]})
    return build_result("completeness", rows, method="Counts.", support=sets, origin=trace())


def flow():
    rows, sets, left = [], [], people(700)
    for step, n in enumerate((0, 54, 4, 110)):
        gone, left = left[:n], left[n:]
        for name, held in (
            ("n_episodes", left),
            ("n_patients", left),
            ("n_excluded_episodes", gone),
            ("n_excluded_patients", gone),
        ):
            rows.append(
                {
                    "outcome": "odi",
                    "statistic": name,
                    "term": f"step{step}",
                    "level": f"reason {step}",
                    "group": "all",
                    "estimate": len(held),
                    "n": len(held),
                }
            )
            sets.append({"all": held})
    return build_result("flow", rows, method="Flow.", support=sets, origin=trace())


def baseline(groups=THERAPIES, n=200):
    rows, sets = [], []
    for place, group in enumerate(groups):
        members = people(n, 1000 * place)
        row = {"outcome": "odi", "group": group, "timepoint": "baseline", "n": n}
        rows.append({**row, "statistic": "n", "term": "patients", "estimate": n})
        for name, value in (("mean", 51.23), ("sd", 12.81)):
            rows.append({**row, "statistic": name, "term": "age_years", "estimate": value})
        sets += [{"all": members}] * 3
        for level, cut in (("female", slice(0, 116)), ("male", slice(116, None))):
            held = members[cut]
            rows.append(
                {**row, "statistic": "share", "term": "sex", "level": level, "estimate": len(held) / n}
            )
            sets.append({"all": members, "with": held, "without": np.setdiff1d(members, held)})
    for term in ("age_years", "sex"):
        rows.append(
            {"outcome": "odi", "statistic": "max_smd", "term": term, "group": "all", "estimate": 0.123}
        )
        sets.append({"group": people(n), "versus": people(n, 1000)})
    return build_result("baseline", rows, method="Baseline.", support=sets, origin=trace())


def responders():
    rows, sets = [], []
    for place, group in enumerate(THERAPIES):
        members = people(200, 1000 * place)
        for term in ("seen", "due"):
            for statistic, n_with in (("share_improved", 120 + place), ("share_worse", 4)):
                rows.append(
                    {
                        "outcome": "odi",
                        "statistic": statistic,
                        "term": term,
                        "level": "ostelo-2008-absolute",
                        "group": group,
                        "timepoint": "month_6",
                        "x": 10,
                        "estimate": n_with / 200,
                        "conf_low": 0.5,
                        "conf_high": 0.7,
                        "n": 200,
                        "unit": "proportion",
                    }
                )
                sets.append({"all": members, "with": members[:n_with], "without": members[n_with:]})
    return build_result("responders", rows, method="Shares.", support=sets, origin=trace())


def parse(view):
    return html5lib.parse(view.html, namespaceHTMLElements=False)


def chunks(png):
    names, place = [], 8
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        names.append(png[place + 4 : place + 8].decode())
        place += size + 12
    return names


DRAWN = {
    "trajectory": lambda audience: views.draw_trajectory(release(change(), audience)),
    "forest": lambda audience: views.draw_forest(release(contrasts(), audience)),
    "cumulative": lambda audience: views.draw_cumulative(release(cumulative(), audience)),
    "flow": lambda audience: views.draw_flow(release(flow(), audience)),
    "completeness": lambda audience: views.draw_completeness(release(completeness(), audience)),
}
TABULATED = {
    "baseline": lambda audience: views.tabulate_baseline(
        release(baseline(), audience), release(completeness(), audience)
    ),
    "change": lambda audience: views.tabulate_change(release(change(), audience)),
    "responders": lambda audience: views.tabulate_responders(release(responders(), audience)),
    "comparability": lambda audience: views.tabulate_comparability(release(checks("comparable"), audience)),
    "contrasts": lambda audience: views.tabulate_contrasts(release(contrasts(), audience)),
    "completeness": lambda audience: views.tabulate_completeness(release(completeness(), audience)),
    "standardised": lambda audience: views.tabulate_standardised(release(standardised(), audience)),
}


@pytest.mark.parametrize("audience", ["stakeholder", "team"])
@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_has_alt_text_a_caption_and_nothing_in_its_bytes_but_the_picture(name, audience):
    view = DRAWN[name](audience)
    assert set(chunks(view.png)) <= {"IHDR", "pHYs", "IDAT", "IEND"}
    assert len(view.png) < 250_000
    image = parse(view).find(".//img")
    assert image.get("alt") == view.alt
    assert len(view.alt) > 60
    assert parse(view).find(".//figcaption").text == view.caption
    assert (view.kind, view.audience) == ("figure", audience)
    assert "shown" not in view.table


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_release_gives_the_same_bytes(name):
    first, second = DRAWN[name]("stakeholder"), DRAWN[name]("stakeholder")
    assert (first.id, first.html, first.png) == (second.id, second.html, second.png)
    assert first.id != DRAWN[name]("team").id


@pytest.mark.parametrize("audience", ["stakeholder", "team"])
@pytest.mark.parametrize("name", TABULATED)
def test_a_table_has_a_caption_and_scopes_on_its_headers(name, audience):
    tree = parse(TABULATED[name](audience))
    table = tree.find(".//table")
    assert table.find("caption").text
    assert all(head.get("scope") in ("col", "row", "rowgroup") for head in table.iter("th"))
    assert {cell.get("class") for cell in table.iter("td")} == {"n"}
    assert not list(tree.iter("style"))
    assert "style=" not in TABULATED[name](audience).html


def test_marks_are_the_shown_rows_and_no_others():
    released = release(
        change(n={"strengthening": 200, "manual_therapy": 60, "combined_pt": 8, "usual_care": 90})
    )
    view = views.draw_trajectory(released)
    shown = released.table.query("statistic in ('mean_score', 'mean_expected') and shown and group != 'all'")
    figure = plot_trajectory(shown, read_labels(released), released)
    marks = [line for line in figure.axes[0].lines if line.get_label() in THERAPIES]
    drawn = sorted(round(float(y), 6) for line in marks for y in line.get_ydata())
    assert drawn == sorted(shown["estimate"].round(6))
    assert len(view.table) == len(shown) == 12
    assert "Combined" not in view.alt


def test_steps_are_the_shown_rows_and_no_others():
    released = release(cumulative())
    labels = read_labels(released)
    points = choose_steps(released, "month_6")
    figure = plot_cumulative(points, labels, pick_marked(labels))
    for group, rows in points.groupby("group"):
        line = next(line for line in figure.axes[0].lines if line.get_label() == group)
        # One vertex more than steps: the lowest step reaches one grid step to its left.
        assert list(line.get_xdata())[1:] == rows["x"].tolist()
        assert [round(y / 100, 6) for y in line.get_ydata()[1:]] == rows["estimate"].round(6).tolist()


def test_no_threshold_is_laid_over_a_difference():
    released = release(contrasts())
    rows = released.table.query("versus == 'usual_care'")
    axes = plot_forest(rows, read_labels(released), released).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "-"] == [0]
    assert not [text.get_text() for text in axes.texts if "10" in text.get_text() and "by" in text.get_text()]


def test_only_a_threshold_of_single_patients_in_points_is_drawn_on_the_distribution():
    labels = read_labels(release(cumulative()))
    threshold = pick_marked(labels)
    assert (threshold.level, threshold.rule) == ("individual", "absolute")
    assert pick_marked(labels, "ostelo-2008-percent") is None


def test_direction_follows_the_instrument():
    worse = views.draw_forest(release(contrasts()))
    better = views.draw_forest(release(contrasts(outcome="oks")))
    assert "Negative differences favour" in worse.alt
    assert "Positive differences favour" in better.alt


@pytest.mark.parametrize(
    "view",
    [
        lambda: views.draw_trajectory(release(change(n=1, groups=THERAPIES[:2]))),
        lambda: views.tabulate_change(release(change(n=1, groups=THERAPIES[:2]))),
        lambda: views.draw_completeness(release(completeness(n=4))),
        lambda: views.draw_forest(release(contrasts(comparable=False))),
        lambda: views.tabulate_contrasts(release(contrasts(comparable=False))),
        lambda: views.tabulate_effect_sizes(release(change())),
        lambda: views.draw_cumulative(release(change())),
    ],
)
def test_an_empty_panel_says_why(view):
    view = view()
    assert view.png is None
    assert len(parse(view).find(".//p").text) > 20
    assert "nan" not in view.html
    with pytest.raises(ReportError):
        view.save_figure("x.png")


def test_all_therapies_together_stand_in_where_no_single_one_may_be_shown():
    released = release(change(n=8, groups=THERAPIES))
    view = views.draw_trajectory(released)
    assert set(view.table["group"]) == {"all"}
    assert "no single therapy" in view.caption


def named_evil(result):
    swapped = result.table.replace({"strengthening": EVIL})
    origin = replace(result.origin, therapies=None)
    return build_result(
        result.name,
        swapped.to_dict("records"),
        method=EVIL,
        support=result.support,
        origin=origin,
        comparable=result.comparable,
        warnings=[EVIL],
    )


def test_labels_are_escaped_wherever_they_stand():
    names = release(named_evil(change()))
    differences, fair = (
        release(named_evil(contrasts())),
        release(named_evil(checks("not_comparable", [EVIL]))),
    )
    shown = [
        views.draw_trajectory(names),
        views.tabulate_change(names),
        views.draw_forest(differences),
        views.tabulate_contrasts(differences),
        views.tabulate_comparability(fair),
        views.say_answer(names, differences, None, release(checks("comparable"))),
        views.say_answer(names, None, None, fair),
        views.say_methods(names, differences),
        views.say_limits(names),
        views.say_title(names),
    ]
    for view in shown:
        for element in parse(view).iter():
            assert not [key for key in element.attrib if key.startswith("on")], view.id
            assert element.tag != "script"
            assert element.tag != "img" or element.get("src").startswith("data:image/png")


def say(**kwargs):
    design = kwargs.pop("design", "routine")
    verdict = kwargs.pop("verdict", "comparable")
    outcome = kwargs.get("outcome", "odi")
    shares = release(standardised(outcome=outcome)) if kwargs.pop("shares", True) else None
    return views.say_answer(
        release(change(outcome=outcome, design=design)),
        release(contrasts(design=design, **kwargs)),
        shares,
        release(checks(verdict, design=design)),
    ).alt


def test_the_answer_names_differences_with_their_intervals_and_always_the_caution():
    text = say()
    assert text.startswith(
        "At 6 months, patients given combined physical therapy or strengthening and core stabilisation "
        "exercise each had less disability than patients given manual therapy or usual care who were similar "
        "on what was recorded: combined physical therapy 7.3 points less than manual therapy (95 % interval "
        "4.7 to 9.8) and 9.3 points less than usual care (95 % interval 6.8 to 11.9); strengthening and core "
        "stabilisation exercise 5.9 points less than manual therapy (95 % interval 3.3 to 8.4) and 7.9 "
        "points less than usual care (95 % interval 5.4 to 10.5) on the ODI, 0–100."
    )
    assert (
        "These pairs stay open, because the interval includes 0, which does not show that both do equally "
        "well: manual therapy against usual care (from 4.6 points less to 0.5 more) and combined physical "
        "therapy against strengthening and core stabilisation exercise (from 3.9 points less to 1.2 more)."
    ) in text
    assert "Of 6 pairs of therapies, 4 can be told apart after allowing for how many" in text
    # no share without the interval of its difference
    assert "% with" not in text and "stands in a table of its own; whether these shares differ is not" in text
    assert "a table of its own" not in say(shares=False)
    assert text.endswith(
        "Pain often improves without treatment; these records cannot say how much of the "
        "improvement that was."
    )


def test_the_answer_speaks_without_jargon_and_never_of_causes():
    for text in (say(), say(verdict="not_comparable"), say(outcome="oks")):
        assert not re.search(r"SMD|p-value|Holm|propensity|ANCOVA|caused|\bp\b|nan", text)


def test_higher_is_better_reads_the_other_way_round():
    text = say(outcome="oks", effects=(7.94, 2.05, 9.31, 0.0))
    similar = "patients given manual therapy or usual care who were similar on what was recorded"
    assert f"each had better function than {similar}" in text
    assert "7.9 points more than usual care (95 % interval 5.4 to 10.5)" in text
    assert "5 points is taken to matter" in text
    assert "the whole interval lies beyond it" in text


def test_a_difference_is_read_against_a_threshold_between_groups_or_none():
    assert "no cited threshold says how large a difference between groups must be" in say()
    assert any(entry.level == "between-group" for entry in read_instrument("oks").thresholds)
    assert "the interval reaches it, as nearly as it is written" in say(
        outcome="oks", effects=(5.0, 0, 5.5, 0.0), error=1.2
    )


def test_a_reference_that_did_better_and_no_difference_are_said():
    text = say(effects=(9, 0, 8, 0.0))
    assert text.startswith(
        "At 6 months, patients given manual therapy or usual care each had less disability"
    )
    none = say(effects=(0.5, 0.2, 0.1, 0.0))
    assert none.startswith("At 6 months, none of the therapies can be told from another on the ODI.")
    assert "Of 6 pairs of therapies, none can be told apart" in none and none.count(" against ") == 6


def test_pairs_are_named_whatever_the_reference():
    """Only two therapies differ, and neither is the reference: they are named, and only they."""
    text = say(effects=(-2.4, 2.4, 0.0, 0.0))
    assert text.startswith(
        "At 6 months, patients given strengthening and core stabilisation exercise had less disability than "
        "patients given manual therapy who were similar on what was recorded: 4.8 points less (95 % interval "
        "2.3 to 7.3) on the ODI, 0–100. What stays open?"
    )
    assert "Of 6 pairs of therapies, 1 can be told apart" in text


def test_therapies_in_a_row_are_named_best_first_and_two_by_two():
    text = say(effects=(0.0, -4.0, -8.0, 4.0))
    first, second, third = (
        f"given {name} had less disability than" for name in ("combined physical therapy", "manual therapy",
        "strengthening and core stabilisation exercise")
    )  # fmt: skip
    assert text.index(first) < text.index(second) < text.index(third)
    assert "Of 6 pairs of therapies, all can be told apart" in text and "stays open" not in text


def test_an_interval_that_ends_at_0_as_written_is_judged_by_its_p_value():
    """2.53 less 1.96 x 1.3 is -0.02: written 0.0, with a p-value that says on which side it ends."""
    for found, p_value, clear in ((2.53, 0.052, False), (2.57, 0.048, True), (2.55, 0.0501, None)):
        held = contrasts(effects=(found, 0.0), groups=THERAPIES[:2])
        result = replace(held, table=held.table.assign(p_value=p_value))
        answer = views.say_answer(
            release(change(groups=THERAPIES[:2])), release(result), None, release(checks("comparable"))
        ).alt
        lead = {
            True: "had less disability than",
            False: "none of the therapies can be told from another",
            None: "none of the differences between therapies that are shown here is clear",
        }
        assert lead[clear] in answer.partition("What stays open?")[0]
        said = "cannot be told from none" if clear is False else "can be told from none"
        assert (said in answer) == (clear is not None)
        assert ("or reaches it as written" in answer) == (clear is None)


def test_a_pair_that_is_withheld_is_not_shown_and_nothing_is_said_of_it():
    held = contrasts(effects=(0.5, 0.2, 0.1, 0.0))
    sizes = [{**sets} for sets in held.support]
    sizes[0]["versus"] = sizes[0]["versus"][:5]
    result = replace(held, support=tuple(sizes))
    released = release(result)
    assert list(released.table["shown"]) == [False] + 5 * [True]
    text = views.say_answer(release(change()), released, None, release(checks("comparable"))).alt
    assert "none of the differences between therapies that are shown here is clear on the ODI" in text
    assert (
        "Not shown: strengthening and core stabilisation exercise against manual therapy." in text
        and "too few patients" not in text
    )
    assert (
        "Of 6 pairs of therapies, 0 can be told apart as shown, after allowing for how many were looked at; "
        "5 stay open and 1 is not shown."
    ) in text


def test_of_many_differences_the_therapies_are_named_and_the_amounts_left_to_the_table():
    groups, effects = ("a", "b", "c", "d", "e"), (0.0, 6.0, 12.0, 18.0, 24.0)
    text = views.say_answer(
        release(change(groups=groups)), release(contrasts(effects=effects, groups=groups)), None,
        release(checks("comparable")),
    ).alt  # fmt: skip
    assert "patients given a had less disability than patients given b, c, d or e" in text
    assert text.count("the table of differences gives the amounts") == 4
    assert "Of 10 pairs of therapies, all can be told apart" in text


def test_a_randomised_design_is_worded_as_one():
    text = say(design="randomised", verdict="randomised")
    assert "patients allocated to" in text
    assert "allocated at random" in text
    assert "associations in routine care" not in text


def test_therapies_that_are_not_comparable_are_described_with_the_reason():
    reason = "The therapies are not comparable on what was recorded, because the ages differ."
    fair = release(checks("not_comparable", [reason]))
    view = views.say_answer(release(change()), release(contrasts(comparable=False)), None, fair)
    assert view.alt.startswith(reason)
    assert "a description of each therapy only" in view.alt
    assert "7.9" not in view.html


def test_one_therapy_leaves_nothing_to_compare():
    result = release(change(groups=("usual_care",), n=603, outcome="nprs", start=5.9, gain=3))
    view = views.say_answer(result)
    assert view.alt.startswith("Patients of only one therapy are part of this report")
    assert "as expected from 605 patients followed up" in view.alt


def test_too_few_patients_fall_back_to_all_together():
    few = views.say_answer(
        release(change(n=8)), release(contrasts(n=8)), None, release(checks("comparable"))
    ).alt
    assert "No single therapy is shown; all therapies together:" in few
    none = views.say_answer(
        release(change(n=2)), release(contrasts(n=2)), None, release(checks("comparable"))
    ).alt
    assert "the rules that protect patients leave no number of it" in none


def test_only_the_team_reads_p_values_and_effect_sizes():
    assert "p, all pairs together" in views.tabulate_contrasts(release(contrasts(), "team")).html
    assert "p, all" not in views.tabulate_contrasts(release(contrasts())).html


def test_a_harm_is_bounded_in_the_table():
    assert "fewer than 11 (under 6 %)" in views.tabulate_responders(release(responders())).html


def test_the_flow_says_exclusions_in_order_and_joins_steps_whose_count_is_withheld():
    view = views.say_flow(release(flow()))
    assert view.alt == (
        "In the records: 700 patients. Left out: Reason 1: 55 patients; Reason 2: number withheld; "
        "Reason 3: number withheld. In this report: 530 patients."
    )


def test_releases_for_two_audiences_do_not_mix():
    with pytest.raises(DisclosureError, match="one audience"):
        views.tabulate_baseline(release(baseline()), release(completeness(), "team"))


def test_in_a_notebook_a_view_is_html_and_in_a_report_only_an_id(tmp_path, monkeypatch):
    view = DRAWN["trajectory"]("stakeholder")
    monkeypatch.delenv("OUTCOMES_RUN_DIR", raising=False)
    assert view.html in view._repr_mimebundle_()["text/html"]
    monkeypatch.setenv("OUTCOMES_RUN_DIR", str(tmp_path))
    assert view._repr_mimebundle_() == {"application/vnd.outcomes.view+json": {"id": view.id}}
    held = json.loads((tmp_path / "views" / f"{view.id}.json").read_text(encoding="utf-8"))
    assert held["audience"] == "stakeholder"
    again = views.read_view(tmp_path / "views", view.id)
    assert (again.html, again.png, again.k) == (view.html, view.png, 11)
    pd.testing.assert_frame_equal(again.table, view.table, check_dtype=False)
    for bad in ("../x", "missing-1", "A"):
        with pytest.raises(ReportError):
            views.read_view(tmp_path / "views", bad)


def test_a_figure_is_saved_where_one_says(tmp_path):
    view = DRAWN["forest"]("stakeholder")
    assert view.save_figure(tmp_path).read_bytes() == view.png
    assert view.save_figure(tmp_path / "own.png").name == "own.png"
    width = int.from_bytes(view.png[16:20], "big")
    assert width == 1472
    assert zlib.crc32(view.png) == zlib.crc32((tmp_path / "own.png").read_bytes())


def test_therapies_of_a_page_share_neither_colour_nor_marker():
    groups = ("strengthening", "psychological", "modalities", "injection", "unheard_of", "usual_care")
    origin = {"therapies": {id: read_therapies()[id] for id in groups if id in read_therapies()}}
    labels = read_labels(release(change(groups=groups, **origin)))
    for key in ("colour", "marker"):
        assert len({getattr(labels.therapies[id], key) for id in groups}) == len(groups)


def test_labels_keep_apart_and_text_can_be_read():
    placed = spread_apart([20.0, 20.1, 20.2, 35.0], 1.0)
    assert min(b - a for a, b in zip(sorted(placed)[:-1], sorted(placed)[1:], strict=True)) >= 1.0 - 1e-9
    for therapy in read_therapies().values():
        assert re.fullmatch(r"#[0-9a-f]{6}", darken(therapy.colour, 4.5))
