"""Truths of what pages say of their methods, and of the headings of their tables."""

from __future__ import annotations

import re

import html5lib
import numpy as np
import pandas as pd
from truth_of_records import ALL, read_toml
from truths import LIMITS, MONITORING, Place, truth
from truths_said import list_rules, no_follow_up

#: What numbers of a methods sentence must be, by the name of the place that they fill.
STATED = {
    "level": "95 %",
    "smd": f"{LIMITS['smd']['at_most']:g}",
    "resamples": None,
    "baseline": None,
}


def list_analyses(place: Place) -> set[str]:
    return set(place.page.results)


@truth("methods.*")
def method(place: Place) -> bool:
    """The analysis was run for this page, and the numbers in the sentence are those declared."""
    analysis = place.said.key.split(".")[1]
    analysis = {"thresholds": "responders", "comparison": "over_time", "clusters": "over_time"}.get(
        analysis, analysis
    )
    told = place.said.values
    ran = analysis in list_analyses(place) or (
        analysis in ("responders", "over_time", "trend") and bool(list_analyses(place) & {
            "standardised", "trend", "site_funnel", "over_time", "model_checks", "cumulative"})
    )  # fmt: skip
    level = str(told.get("level", "95 %")) == "95 %"
    sites = MONITORING["sites"] if analysis == "site_funnel" else LIMITS
    n_seen = str(told.get("n_seen", sites["n_seen"]["at_least"])) == str(sites["n_seen"]["at_least"])
    share = f"{100 * sites['share_seen']['at_least']:g} %"
    share_seen = str(told.get("share_seen", share)) == share
    smd = float(told.get("smd", LIMITS["smd"]["at_most"])) == LIMITS["smd"]["at_most"]
    time = "time" not in told or place.time(told["time"]) in place.records.times
    return ran and level and n_seen and share_seen and smd and time


@truth("methods.estimand")
def estimand(place: Place) -> bool:
    """The population, the therapies and the variable are those of the page."""
    return all(
        entry.short_label in place.said.text or entry.label.split(" (")[0] in place.said.text
        for entry in place.records.cohort.therapies.values()
    )


@truth("methods.unverified_instrument")
def unverified(place: Place) -> bool:
    facts = [read_toml(f"instruments/{name.split(':')[0]}") for name in place.records.clinic.outcomes]
    return any(one["name"] == place.instrument and not one["verified"] for one in facts)


@truth("methods.thresholds.*")
def rule(place: Place) -> bool:
    if place.own == "none":
        return not any(
            entry["verified"] and entry["level"] == "individual" and entry["kind"] != "MDC"
            for entry in list_rules(place)
        )
    if place.own == "estimated_in" or place.own.startswith("differ_"):
        return is_for_others(place)
    if place.own not in ("absolute", "percent", "state", "percent_of_possible"):
        return bool(place.own == "own" and place.said.text)
    return any(
        entry["rule"] == place.own and f"{entry['value']:g}" == str(place.value)
        and entry["source"] in place.source
        for entry in list_rules(place)
    )  # fmt: skip


@truth("views.table.estimated_in", "methods.responders.other_patients")
def is_for_others(place: Place) -> bool:
    """Some threshold of the measure is for patients of another kind, in the way that is said."""
    column = place.own.removeprefix("differ_").removesuffix("_most")
    asked = [column] if place.own.startswith("differ_") else ["region", "cause", "duration", "treatment"]
    return any(
        differs(place, entry, name) for entry in list_rules(place) for name in asked
        if "differ_" in place.said.key or entry["population"] in place.said.text
    )  # fmt: skip


def differs(place: Place, entry: dict[str, object], column: str) -> bool:
    """Whether at least three patients, and 1 in 100, are of another kind; half of them where most are."""
    kept, own = place.records.kept, entry.get(f"{column}s", [])
    if column == "treatment":
        surgery = [id for id, one in read_toml("therapies").items() if one["group"] == "surgery"]
        return bool(own) and not kept["therapy"].isin(surgery).all()
    if not own or column not in kept:
        return False
    values = kept[column].dropna()
    others = values[~values.isin([*own, "other"])]
    most = place.own.endswith("_most")
    return len(others) >= max(3, len(values) * (0.5 if most else 0.01))


@truth("methods.responders.none")
def no_rule(place: Place) -> bool:
    return not any(
        entry["verified"] and entry["level"] == "individual" and entry["kind"] != "MDC"
        for entry in list_rules(place)
    )


@truth("methods.responders.within_error", "views.caption.responders_error")
def within_error(place: Place) -> bool:
    errors = [entry["value"] for entry in list_rules(place) if entry["kind"] == "MDC"]
    return float(place.error) in errors


@truth("methods.clusters.by_none", "methods.clusters.by_patient", "methods.clusters.by_therapist",
       "methods.clusters.by_site")  # fmt: skip
def clusters(place: Place) -> bool:
    """Whose resemblance is allowed for: therapists, else sites, where there are enough; else nobody's."""
    needed, kept = LIMITS["clusters"]["at_least"], place.records.kept
    found = {name: kept[name].nunique() for name in ("therapist", "site") if name in kept}
    enough = [name for name in ("therapist", "site") if found.get(name, 0) >= needed]
    expected = f"by_{enough[0]}" if enough else "by_none" if kept["patient"].is_unique else "by_patient"
    return place.own == expected


@truth("methods.clusters.few_therapist", "methods.clusters.few_site")
def few_clusters(place: Place) -> bool:
    column = place.own.removeprefix("few_")
    found = place.records.kept[column].nunique()
    return int(place.found) <= found < int(place.needed) == LIMITS["clusters"]["at_least"]


@truth("methods.clusters.nested")
def nested(place: Place) -> bool:
    kept = place.records.kept
    alone = kept.groupby("therapist")["therapy"].nunique() == 1
    return int(place.nested) <= int(alone.sum()) and int(place.found) <= len(alone)


@truth("methods.clusters.site_effect")
def site_effect(place: Place) -> bool:
    sites = place.records.kept.get("site", pd.Series(dtype=str)).nunique()
    return 1 < sites < LIMITS["clusters"]["at_least"]


@truth("methods.clusters.missing")
def covariates_missing(place: Place) -> bool:
    """A declared covariate may be missing; the sentence says what is done where it is."""
    return place.ran("over_time") or place.ran("model_checks") or place.ran("site_funnel")


@truth("methods.over_time.method", "methods.over_time.method_one")
def model(place: Place) -> bool:
    """A model was fitted, of several follow-ups or of one."""
    analysis = "over_time" if place.ran("over_time") else "model_checks"
    rows = place.result(analysis)
    times = rows.loc[rows["statistic"] == "marginal_mean", "timepoint"].nunique()
    return analysis == "model_checks" or (times > 1) == (place.own == "method")


@truth("methods.comparison.several", "methods.comparison.one")
def adjusted(place: Place) -> bool:
    """One pair of therapies, or several, whose intervals leave out 0 exactly where p is below 5 %."""
    n_groups = len(place.records.groups)
    rows = place.result("over_time") if place.ran("over_time") else place.result("model_checks")
    rows = rows[rows["statistic"].isin(["contrast", "alternative_contrast"]) & rows["p_value"].notna()]
    outside = (rows["conf_low"] > 0) | (rows["conf_high"] < 0)
    agrees = bool((outside == (rows["p_value"] < 0.05)).all())
    return agrees and (n_groups > 2) == (place.own == "several") and "5 %" in place.said.text


@truth("methods.over_time.not_converged", "methods.over_time.boundary", "methods.over_time.ladder",
       "methods.over_time.covariance_*")  # fmt: skip
def fitted(place: Place) -> bool:
    rows = place.result("over_time" if place.ran("over_time") else "model_checks")
    states = set(rows["state"])
    return {"not_converged": "not_converged" in states, "boundary": "boundary" in states}.get(place.own, True)


@truth("methods.over_time.rank_deficient", "methods.over_time.degenerate", "methods.over_time.too_few",
       "methods.over_time.few_clusters", "methods.standardised.too_few", "methods.standardised.separated",
       "methods.standardised.rank_deficient", "methods.standardised.not_converged",
       "methods.standardised.few_clusters")  # fmt: skip
def not_estimated(place: Place) -> bool:
    analysis = place.said.key.split(".")[1]
    rows = place.result(analysis if place.ran(analysis) else "model_checks")
    return place.own in {*rows["state"], *rows.loc[rows["term"] == "state", "level"]}


@truth("methods.comparison.empty_group", "methods.comparison.not_followed_up")
def thin_group(place: Place) -> bool:
    """Some therapy had fewer than two, or than are needed, seen at that time."""
    time, records = place.time(place.said.values["time"]), place.records
    sizes = [records.is_seen(group, time).sum() for group in records.groups]
    if place.own == "empty_group":
        return place.team and min(sizes) < 2
    shares = [
        (records.is_seen(group, time) & records.is_due(group, time)).sum()
        / max(records.is_due(group, time).sum(), 1)
        for group in records.groups
    ]
    return min(sizes) < LIMITS["n_seen"]["at_least"] or min(shares) < LIMITS["share_seen"]["at_least"]


@truth("methods.trend.every.*")
def every(place: Place) -> bool:
    return place.own == place.page.names["every"]


@truth("methods.trend.method_improvement", "methods.trend.method_responders")
def trend_method(place: Place) -> bool:
    periods = MONITORING["periods"]
    told = (int(place.baseline), int(place.shift), int(place.trend))
    wanted = (periods["baseline"][place.page.names["every"]], periods["rules"]["shift"],
              periods["rules"]["trend"])  # fmt: skip
    return told == wanted and place.own.endswith(place.page.names["measured"])


@truth("methods.regression_to_mean.method", "sentences.regression")
def regression(place: Place) -> bool:
    return bool(place.records.page.names["records"].source.reference_scores)


# --- tables -----------------------------------------------------------------------------------------


@truth("views.caption.change", "views.caption.change_undirected", "views.caption.change_seen",
       "views.caption.change_observed", "views.trajectory_caption_expected", "views.caption.responders",
       "views.caption.responders_undefined",
       "views.caption.comparability", "views.caption.contrasts", "views.caption.marginal_means",
       "views.caption.completeness", "views.caption.effect_sizes", "views.caption.nonresponse",
       "views.caption.standardised", "views.trajectory_caption", "views.marginal_means_caption",
       "views.cumulative_caption", "views.cumulative_x", "views.cumulative_y",
       "views.equal_distances")  # fmt: skip
def caption(place: Place) -> bool:
    """The time is the primary one, and the covariates that it names are those that are adjusted for."""
    told = place.said.values
    time = "time" not in told or place.time(told["time"]) == place.records.primary
    named = str(told.get("covariates", ""))
    covariates = {"age_years": "age", "sex": "sex"}
    wanted = [covariates[name] for name in place.records.clinic.covariates]
    return time and (not named or all(name in named for name in wanted))


@truth("views.caption.baseline", "views.caption.baseline_one")
def baseline_caption(place: Place) -> bool:
    return (len(place.records.groups) > 1) == (place.own == "baseline")


#: Heading to the statistics whose rows stand under it.
UNDER = {
    "views.table.improvement": ["mean_improvement", "mean_improvement_seen"],
    "views.table.improvement_seen": ["mean_improvement", "mean_improvement_seen"],
    "views.table.start_seen": ["mean_start_seen"],
    "views.table.score_seen": ["mean_score", "mean_expected", "mean_score_seen"],
    "views.table.difference": ["contrast", "alternative_contrast", "smd", "max_smd"],
    "views.table.standardised": ["share_improved_standardised"],
    "views.table.worse": ["share_worse"],
    "views.table.hedges_g": ["hedges_g"],
    "views.table.srm": ["srm"],
    "views.table.ses": ["ses"],
    "views.table.due": ["n_due"],
    "views.table.seen": ["n_seen"],
    "views.table.share": ["share_seen"],
    "views.table.adjusted_mean_team": ["marginal_mean"],
    "views.table.adjusted_mean_stakeholder": ["marginal_mean"],
    "views.table.largest": ["max_smd"],
    "views.difference": ["smd"],
    "model_checks.n_parameters": ["n_parameters"],
    "model_checks.deviance": ["deviance"],
    "model_checks.aic": ["aic"],
    "model_checks.bic": ["bic"],
    "model_checks.standardised_sd": ["standardised_sd"],
    "model_checks.standardised_skewness": ["standardised_skewness"],
    "model_checks.standardised_beyond": ["standardised_beyond"],
    "model_checks.model": ["residual_sd", "residual_correlation"],
    "model_checks.observed": ["observed_residual_sd", "observed_residual_correlation"],
    "views.periods.share": ["share_seen"],
    "views.sites.share": ["share_seen"],
}  # fmt: skip


def read_column(html: str, heading: str) -> list[str]:
    """Return the cells of a table under a heading; none where there is no such heading."""
    tree = html5lib.parse(html, namespaceHTMLElements=False)

    def text(cell) -> str:
        return " ".join("".join(cell.itertext()).split())

    heads = [text(cell) for cell in tree.findall(".//thead//th")]
    if heading not in heads:
        return []
    place = heads.index(heading)
    rows = [[text(cell) for cell in row] for row in tree.findall(".//tbody/tr")]
    return [row[place] for row in rows if len(row) > place]


@truth(*UNDER)
def heading(place: Place) -> bool:
    """Each number under the heading is one of the statistic that it names."""
    view = place.page.view_of(place.said.by)
    if view is None:
        return False
    tables = [held.table for held in view.releases]
    shown = pd.concat(tables)
    shown = shown[shown["statistic"].isin(UNDER[place.said.key])]
    cells = [cell.split(" (")[0] for cell in read_column(view.html, place.said.text) if cell]
    numbers = [cell for cell in cells if re.match(r"−?\d", cell)]
    known = {str(text).split(" (")[0] for text in shown["display"]}
    turned = {text.lstrip("−") for text in known}
    values = {f"{value:.{d}f}" for value in shown["estimate"].dropna() for d in (0, 1, 2)}
    percents = {f"{100 * value:.1f} %" for value in shown["estimate"].dropna()}
    return all(
        cell in known
        or cell.lstrip("−") in turned | {text.lstrip("-") for text in values}
        or cell in percents
        for cell in numbers
    )


@truth("views.table.patients", "views.table.patients_pair", "views.table.improved", "views.table.of_seen",
       "views.table.of_due", "views.table.score", "views.table.score_mean", "views.table.therapy",
       "views.table.time", "views.table.compared", "views.table.check", "views.table.found",
       "views.table.needed", "views.table.verdict", "views.table.followed", "views.table.not_followed",
       "views.table.all_times", "views.table.other_times", "views.table.each_therapy",
       "views.table.by_therapy", "views.table.together", "views.table.p_*", "views.table.missed",
       "views.table.lost", "views.table.not_yet_due", "views.table.visit_*")  # fmt: skip
def column(place: Place) -> bool:
    """The table below has rows: what stands in them is judged by `test_released_rows_fit_the_records`."""
    view = place.page.view_of(place.said.by)
    return view is not None and len(view.releases[0].table) > 0 and "too few" not in place.said.text


@truth("views.table.primary", "views.table.secondary", "views.table.seen_at")
def block(place: Place) -> bool:
    time = place.time(str(place.said.values["time"]))
    return (time == place.records.primary) == (place.own != "secondary")


@truth("views.table.level", "views.table.missing", "views.table.mean_sd", "views.table.mean_only",
       "views.table.check_worst")  # fmt: skip
def row_head(place: Place) -> bool:
    """It names a covariate that is declared, the score, or a check."""
    known = ("age", "sex", "at start", "site", "therap", "Patients seen", "Seen of", "Largest")
    return any(word.lower() in place.said.text.lower() for word in known)


@truth("views.table.check_n_seen", "views.table.check_share_seen", "views.table.check_smd",
       "views.table.at_least", "views.table.at_most")  # fmt: skip
def check(place: Place) -> bool:
    needed = {"30", "60 %", "60.0 %", "0.25"}
    told = place.said.values
    if "value" in told:
        return str(told["value"]) in needed
    return "time" not in told or place.time(told["time"]) == place.records.primary


@truth("views.table.passes", "views.table.fails")
def verdict(place: Place) -> bool:
    """As many checks fail as the records fail."""
    view = place.page.view_of("tabulate_comparability")
    failed = {name for name, _ in place.records.failed}
    cells = dict(zip(("n_seen", "share_seen", "smd"), read_column(view.html, "Result"), strict=True))
    # in a trial the difference at the start is set against what chance brings, by words of its own
    told = {name: cell for name, cell in cells.items() if cell in ("passes", "does not pass")}
    return all((cell == "does not pass") == (name in failed) for name, cell in told.items())


@truth("quality.*")
def quality(place: Place) -> bool:
    """The counts of the table are those of the records."""
    clinic, held = place.records.clinic, place.result("data_quality")
    accepted = place.records.accepted
    scores = clinic.scores["episode_id"].isin(accepted["episode_id"])
    n = {"n_episodes": len(accepted), "n_patients": accepted["patient"].nunique(),
         "n_assessments": int(scores.sum()),
         "n_read": len(clinic.episodes) + len(clinic.scores.groupby(["episode_id", "day"]))}  # fmt: skip
    name = place.own if place.own in n else "n_episodes"
    found = held.loc[held["statistic"] == name, "estimate"]
    return len(found) == 1 and found.iloc[0] == n[name]


# --- the model --------------------------------------------------------------------------------------


@truth("model_checks.*")
def model_words(place: Place) -> bool:
    """For the team alone, of a model that was fitted."""
    return place.team and place.ran("model_checks") and len(place.result("model_checks")) > 0


@truth("model_checks.model_term.*", "model_checks.model_state.*", "model_checks.model_covariance.*",
       "model_checks.model_errors.*", "model_checks.model_df.*", "model_checks.choice.*",
       "model_checks.model_given_up.*")  # fmt: skip
def model_row(place: Place) -> bool:
    """The result has a row of that term, or of that choice."""
    rows = place.result("model_checks")
    if ".model_term." in place.said.key and place.own != "notes":
        return place.own in set(rows.loc[rows["statistic"] == "model", "term"])
    levels = {part for level in rows["level"].dropna() for part in str(level).split("+")}
    return place.own in levels or place.own == "notes"


@truth("model_checks.patterns_caption", "model_checks.no_follow_up")
def patterns(place: Place) -> bool:
    """Patients by follow-ups seen: the numbers of the table are those of the records."""
    rows = place.result("model_checks").query("statistic == 'visit_pattern'")
    records = place.records
    seen = records.wide[records.times[1:]].notna()
    never = int((~seen.any(axis=1)).sum())
    none = rows.loc[rows["level"] == "none", "estimate"].sum()
    return int(rows["estimate"].sum()) == len(seen) and int(none) == never


@truth("model_checks.range")
def spread_of_groups(place: Place) -> bool:
    """The lowest and the highest spread are of the therapies that are named."""
    rows = place.result("model_checks").query("statistic == 'observed_residual_sd' and group != 'all'")
    for _, own in rows.groupby("timepoint"):
        low, high = own.loc[own["estimate"].idxmin()], own.loc[own["estimate"].idxmax()]
        if (
            place.agrees(place.low, low["estimate"])
            and place.group(place.lowest) == low["group"]
            and place.agrees(place.high, high["estimate"])
            and place.group(place.highest) == high["group"]
        ):
            return True
    return False  # fmt: skip


@truth("model_checks.residual_alt_panel")
def panel(place: Place) -> bool:
    rows = place.result("model_checks").query("statistic == 'mean_residual'")
    away = {
        name: (own["estimate"] - (own["x"] if name == "ranked" else 0)).abs().max()
        for name, own in rows.groupby("level")
    }
    return any(place.agrees(place.away, value) for value in away.values())


_ = (ALL, np, no_follow_up)
