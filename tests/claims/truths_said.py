"""Truths of what pages say in words: the answer, courses, ends, periods, sites, domains, limits."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from truth_of_records import ALL, KNOWN, SCALES, TIMES, Records, read_number, read_toml
from truths import LIMITS, MONITORING, Place, is_fixed, truth

from outcomes.disclosure import Release

# --- words that frame a sentence ------------------------------------------------------------------


@truth("sentences.more", "sentences.less", "views.and", "views.or", "methods.comma", "methods.semicolon",
       "sentences.detail", "sentences.open", "sentences.matters", "sentences.sure", "sentences.comparable",
       "sentences.what_happened", "sentences.estimand", "sentences.instrument", "sentences.thresholds",
       "sentences.numbers", "sentences.made_from", "sentences.rule.*", "methods.baseline_score",
       "release.as_of_mark", "sentences.value_set", "views.patients", "views.whole", "views.the_therapy",
       "views.first_therapy", "views.second_therapy", "views.seen", "views.not_seen")  # fmt: skip
def frame(place: Place) -> bool:
    """A word without a number: what stands around it is judged with its own key."""
    return is_fixed(place)


@truth("sentences.caution_pain", "sentences.caution_other", "sentences.limit_lost", "sentences.limit_cause",
       "sentences.sure_interval", "views.sites.caution", "views.periods.caution",
       "methods.regression_to_mean.cannot_tell", "views.not_by_overlap",
       "sentences.ends_meaning")  # fmt: skip
def caution(place: Place) -> bool:
    """A caution: it holds of all records of routine care or of a trial, and tells no number of these."""
    return is_fixed(place) and not any(name in place.said.text for name in ("every", "never", "always"))


# --- the measure ------------------------------------------------------------------------------------


@truth("sentences.direction_*", "views.better_*", "views.axis_*", "views.favours_higher_*")
def direction(place: Place) -> bool:
    """The end that the text calls better is the better one of the measure that it is about."""
    text = place.said.text.lower()
    sign = place.records.sign
    if place.said.by in ("tabulate_domains", "draw_domains", "say_profile"):
        shorts = {name: read_toml(f"instruments/{name.split(':')[0]}")["short_name"] for name in SCALES}
        sign = next((SCALES[name][3] for name in SCALES if text.startswith(shorts[name].lower())), sign)
    if "negative" in text or "positive" in text:
        return ("negative" in text) == (sign < 0)
    return ("lower is better" in text) == (sign < 0)


@truth("views.better_by", "views.worse_by")
def mark_of_change(place: Place) -> bool:
    value = float(str(place.value).replace("−", "-"))
    rules = [rule["value"] for rule in list_rules(place)]
    return value in rules


@truth("sentences.domain.*")
def meaning_of_better(place: Place) -> bool:
    kinds = {"pain": "pain", "function": "disability", "strength": "strength", "global": "improvement"}
    domain = read_toml(f"instruments/{place.records.outcome.split(':')[0]}")["domain"].split("_")[0]
    more = {"pain": False, "function": place.records.sign > 0, "strength": True, "global": True}[domain]
    said_more = any(word in place.said.text for word in ("more ", "better "))
    if domain == "function" and more:
        return "better" in place.said.text
    return kinds[domain] in place.said.text and said_more == more


@truth("views.measure", "views.baseline_score", "views.table.rule_*", "instrument_sheet.thresholds.*",
       "methods.score_at_start")  # fmt: skip
def name_of_measure(place: Place) -> bool:
    """The name, the rule or the kind of threshold is one that the facts hold of a measure of the page."""
    facts = [read_toml(f"instruments/{name.split(':')[0]}") for name in place.records.clinic.outcomes]
    text = place.said.text
    if place.own.startswith("rule"):
        number = re.search(r"-?\d+(?:\.\d+)?", text)
        return number is None or float(number[0]) in [
            entry["value"] for one in facts for entry in one.get("thresholds", ())
        ]
    if "thresholds" in place.said.key:
        field = place.said.key.split(".")[2]
        return any(entry.get(field) == place.own for one in facts for entry in one.get("thresholds", ()))
    return any(one["short_name"] in text or one["name"] in text for one in facts)


def list_rules(place: Place) -> list[dict]:
    id = place.records.outcome.split(":")[0]
    return read_toml(f"instruments/{id}").get("thresholds", [])


@truth("sentences.instrument_text")
def instrument_text(place: Place) -> bool:
    one = read_toml(f"instruments/{place.records.outcome.split(':')[0]}")
    return (float(place.low), float(place.high)) == (one["minimum"], one["maximum"]) and one[
        "version"
    ] in place.said.text


@truth("sentences.threshold_absolute", "sentences.threshold_percent", "sentences.threshold_state",
       "sentences.threshold_percent_of_possible")  # fmt: skip
def cited(place: Place) -> bool:
    """A threshold of the measure with this value, rule and source, which was read."""
    rule = place.own.removeprefix("threshold_")
    return any(
        entry["value"] == float(place.value) and entry["rule"] == rule and entry["verified"]
        and entry["source"] == place.source
        for entry in list_rules(place)
    )  # fmt: skip


@truth("sentences.no_group_threshold", "sentences.group_threshold")
def between_groups(place: Place) -> bool:
    found = [entry for entry in list_rules(place) if entry["level"] == "between-group"]
    if place.own == "no_group_threshold":
        return not found
    return float(place.value) in [entry["value"] for entry in found]


@truth("views.cumulative_threshold", "views.cumulative_threshold_other", "views.cumulative_threshold_own")
def drawn_threshold(place: Place) -> bool:
    found = [entry for entry in list_rules(place) if entry["value"] == float(place.value)]
    kinds = {entry["kind"] for entry in found if entry["rule"] == "absolute"}
    return ("MIC" in kinds) if place.own == "cumulative_threshold" else bool(kinds)


# --- titles and origin ------------------------------------------------------------------------------


@truth("sentences.title.*")
def title(place: Place) -> bool:
    groups = place.records.groups
    if place.own == "one_therapy":
        return len(groups) == 1 and place.group(place.therapy) == groups[0]
    if place.own == "together":
        return groups == ["all_together"] and len(place.records.kept["therapy"].unique()) > 1
    several_kinds = any(id not in KNOWN for id in groups)
    return len(groups) > 1 and (place.own == "several_kinds") <= several_kinds


@truth("sentences.origin_source", "sentences.origin_records", "sentences.origin_package")
def origin(place: Place) -> bool:
    import outcomes

    held = place.page.names["records"]
    wanted = {"origin_source": place.records.clinic.name, "origin_records": held.fingerprint[:8],
              "origin_package": outcomes.__version__}  # fmt: skip
    return wanted[place.own] in place.said.text


# --- courses ----------------------------------------------------------------------------------------


@truth("sentences.patients", "sentences.patients_uncounted")
def some_patients(place: Place) -> bool:
    if place.own == "patients_uncounted":
        return not place.team
    records, time = place.records, place.records.primary
    sizes = [len(records.gain(group, time)) for group in [*records.groups, ALL]]
    return any(place.counts(place.n, size) for size in sizes)


@truth("sentences.course", "sentences.course_of", "sentences.course_whole", "sentences.course_gain",
       "sentences.course_of_gain", "sentences.course_whole_gain")  # fmt: skip
def course(place: Place) -> bool:
    """Start, later mean, improvement, and the number of patients of one group."""
    records, time = place.records, place.records.primary
    told = place.said.values
    named = told.get("group") if "whole" not in place.own else "all therapies together"
    groups = [place.group(named)] if named else [*records.groups[:1], ALL]
    for group in groups:
        found = records.expect(records.of(group), time)
        size = re.search(r"(\d+) patients?", str(told["patients"]))
        if (
            place.agrees(told["gain"], found["gain"])
            and ("first" not in told or place.agrees(told["first"], found["start"]))
            and ("last" not in told or is_later(told["last"], found["later"]))
            and ("first" not in told or adds_up(told, records.sign))
            and (size is None or place.counts(size[1], found["n"]))
        ):
            return True
    return False


def is_later(text: object, value: float) -> bool:
    """Return whether a later mean is the true one: the start less the improvement, both rounded."""
    told = read_number(str(text))
    decimals = len(str(text).rstrip("†").partition(".")[2])
    return told is None or abs(told - value) <= 10.0**-decimals + 1e-6


def adds_up(told: dict[str, object], sign: int) -> bool:
    """Return whether improvement is what lies between the two scores, as they are written."""
    first, last, gain = (read_number(str(told[name])) for name in ("first", "last", "gain"))
    return None in (first, last, gain) or abs(sign * (last - first) - gain) < 1e-6


@truth("sentences.description", "sentences.together", "views.whole_only")
def description(place: Place) -> bool:
    if place.own == "description":
        return place.time(place.said.values["time"]) == place.records.primary
    held = place.released("change")
    means = held[(held["statistic"] == ("mean_score" if "views" in place.said.key else "mean_improvement"))]
    return not means.loc[means["group"] != ALL, "shown"].any()


@truth("sentences.not_shown", "views.caption.not_shown", "views.completeness_left_out",
       "views.domains.withheld_in")  # fmt: skip
def not_shown(place: Place) -> bool:
    """What it names has no number on the page, and the only reason given is one that is so."""
    return "because" not in place.said.text and "too few" not in place.said.text.lower()


@truth("views.trajectory_course", "views.trajectory_alt", "views.marginal_means_alt",
       "views.completeness_alt", "views.cumulative_alt", "views.cumulative_course")  # fmt: skip
def whole_course(place: Place) -> bool:
    """Its numbers are judged as points; the times that it names are those of the page."""
    times = str(place.said.values.get("times", "")).lower()
    named = [text for text in place.listed(times) if text]
    return all(text in TIMES for text in named) and place.said.text.count(":") >= 1


@truth("views.trajectory_point")
def point(place: Place) -> bool:
    """A mean, an adjusted mean or a completeness of some group at that time."""
    time, text, records = place.time(place.said.values["time"]), str(place.value), place.records
    if place.said.by == "draw_marginal_means":
        rows = place.result("over_time")
        rows = rows[(rows["statistic"] == "marginal_mean") & (rows["timepoint"] == time)]
        return any(place.agrees(text, value) for value in rows["estimate"])
    for group in [*records.groups, ALL]:
        if place.said.by == "draw_completeness":
            due, seen = records.is_due(group, time), records.is_seen(group, time)
            share = (due & seen).sum() / max(due.sum(), 1)
            if band_holds(text, share) or (place.agrees(text, share, due.sum()) and "%" in text):
                return True
        else:
            found = records.expect(records.of(group), time)
            means = {"baseline": found["start"]} if time == "baseline" else {time: found["later"]}
            if is_later(text, means[time]) and (time != "baseline" or place.agrees(text, means[time])):
                return True
    return read_number(text) is None and not re.search(r"\d", text)


def band_holds(text: str, share: float) -> bool:
    from truths import read_band

    if not re.search(r"under \d|\d+ to \d|more", text):
        return False
    low, high = read_band(text)
    return low - 1e-9 <= share <= high + 1e-9


@truth("views.completeness_due", "views.completeness_seen")
def map_counts(place: Place) -> bool:
    records = place.records
    for group in [*records.groups, ALL]:
        for time in records.times:
            due, seen = records.is_due(group, time), records.is_seen(group, time)
            if place.own == "completeness_due" and place.counts(place.n, due.sum()):
                return True
            if place.own == "completeness_seen" and (
                place.counts(place.due, due.sum()) and place.counts(place.seen, (due & seen).sum())
            ):
                return True
    return False


@truth("views.completeness_caption", "views.completeness_caption_bands")
def map_caption(place: Place) -> bool:
    held = place.released("completeness")
    shares = held[(held["statistic"] == "share_seen") & held["shown"]]
    written = shares["display"].str.contains("to|more|under")
    return written.all() if place.own.endswith("bands") else not written.any()


@truth("views.cumulative_point")
def step_of_curve(place: Place) -> bool:
    share, x = str(place.share), float(str(place.x).replace("−", "-"))
    for group in [*place.records.groups, ALL]:
        gain = place.records.gain(group, place.records.primary)
        if len(gain) and place.agrees(share, (gain >= x - 1e-9).mean(), len(gain)):
            return True
    return False


@truth("views.interval")
def interval(place: Place) -> bool:
    """A number with its interval: the three are those of one row of the page's results, rounded."""
    told = place.said.values
    percent = str(told["high"]).endswith("%")
    texts = (told["estimate"], f"{told['low']} %" if percent else told["low"], told["high"])
    for rows in place.page.intervals:
        near = rows[np.abs(rows[:, 0] - read_number(str(texts[0]))) < (0.11 if percent else 0.06)]
        for *numbers, n in near:
            if all(place.agrees(text, value, n) for text, value in zip(texts, numbers, strict=True)):
                return True
    return False


# --- ends of the measure ----------------------------------------------------------------------------


def share_at(place: Place, group: str, time: str, end: str) -> float:
    values = place.records.score(group, time)
    limit = place.records.low if end == "floor" else place.records.high
    return float((np.abs(values - limit) < 1e-9).mean()) if len(values) else 0.0


@truth("sentences.ends_few", "sentences.ends_few_together")
def ends_few(place: Place) -> bool:
    records, most = place.records, read_toml("psychometrics")["floor_ceiling"]["most_share"]
    groups = [ALL] if place.own.endswith("together") else [*records.groups, ALL]
    shares = [
        share_at(place, group, time, end)
        for group in groups
        for time in records.times
        for end in ("floor", "ceiling")
    ]
    return place.most == f"{100 * most:g} %" and max(shares) <= most


@truth("sentences.ends_share", "sentences.ends_share_of")
def ends_share(place: Place) -> bool:
    group = ALL if place.own == "ends_share" else place.group(place.said.values["group"])
    time = place.time(place.said.values["time"])
    n = len(place.records.score(group, time))
    return any(
        place.agrees(place.share, share_at(place, group, time, end), n) for end in ("floor", "ceiling")
    )


@truth("sentences.ends_floor", "sentences.ends_ceiling")
def ends_value(place: Place) -> bool:
    value = float(re.match(r"[−\d.]+", str(place.value))[0].replace("−", "-"))
    return value == (place.records.low if place.own == "ends_floor" else place.records.high)


@truth("sentences.ends_withheld")
def ends_untold(place: Place) -> bool:
    return not re.search(r"\d", place.said.text) and not any(
        one.key == "sentences.ends_share" for one in place.page.said
    )


@truth("sentences.ends_censored", "methods.censored")
def censored(place: Place) -> bool:
    facts = [read_toml(f"instruments/{name.split(':')[0]}") for name in place.records.clinic.outcomes]
    return float(place.limit) in [one["censored_at"] for one in facts if "censored_at" in one]


@truth("release.verdict.beyond_limits", "release.verdict.near_limit", "release.verdict.shift",
       "release.verdict.trend")  # fmt: skip
def rule_of_signal(place: Place) -> bool:
    rules = MONITORING["periods"]["rules"]
    seven = (rules["shift"], rules["trend"]) == (7, 7) or "seven" not in place.said.text
    return seven and rules["near_of"] == [2, 3] and bool(list_signals(place))


@truth("methods.floor_ceiling.floor", "methods.floor_ceiling.ceiling")
def full_end(place: Place) -> bool:
    time = place.time(place.said.values["time"])
    most = read_toml("psychometrics")["floor_ceiling"]["most_share"]
    return share_at(place, ALL, time, place.own) > most


@truth("methods.floor_ceiling.too_many")
def full_ends(place: Place) -> bool:
    """Of the patients seen then; for stakeholders only what the page shows may be said."""
    return place.team and "patients seen" in place.said.text


# --- the comparison ---------------------------------------------------------------------------------


def find_contrast(place: Place, group: str, versus: str, time: str) -> tuple[float, float, float, float]:
    """Return a difference with its ends and p-value, the first therapy minus the second."""
    rows = place.result("over_time")
    rows = rows[(rows["statistic"] == "contrast") & (rows["timepoint"] == time)]
    for row in rows.itertuples(index=False):
        if (row.group, row.versus) == (group, versus):
            return row.estimate, row.conf_low, row.conf_high, row.p_value
        if (row.group, row.versus) == (versus, group):
            return -row.estimate, -row.conf_high, -row.conf_low, row.p_value
    raise KeyError((group, versus, time))


def is_clear(place: Place, group: str, versus: str, time: str) -> bool:
    _, low, high, p = find_contrast(place, group, versus, time)
    return bool(low > 0 or high < 0) and (pd.isna(p) or p < 0.05)


def list_pairs(place: Place) -> list[tuple[str, str]]:
    """Return the pairs of therapies that have a difference at the primary time point, before release."""
    rows = place.result("over_time")
    held = rows[(rows["statistic"] == "contrast") & (rows["timepoint"] == place.records.primary)]
    return [(row.group, row.versus) for row in held.itertuples(index=False)]


def list_better(place: Place) -> set[tuple[str, str]]:
    """Return the pairs that can be told apart at the primary time point, the better therapy first."""
    time, found = place.records.primary, set()
    for group, versus in list_pairs(place):
        if is_clear(place, group, versus, time):
            ahead = find_contrast(place, group, versus, time)[0] * place.records.sign > 0
            found.add((group, versus) if ahead else (versus, group))
    return found


def list_shown(place: Place) -> list[tuple[str, str]]:
    """Return the pairs whose difference at the primary time point is shown."""
    held = place.released("over_time")
    rows = held[(held["statistic"] == "contrast") & (held["timepoint"] == place.records.primary)]
    return [(row.group, row.versus) for row in rows[rows["shown"]].itertuples(index=False)]


@truth("sentences.lead_routine", "sentences.lead_randomised", "sentences.lead_also")
def lead(place: Place) -> bool:
    """Each therapy that is named did better than each of the others that are named."""
    worse = [place.group(name) for name in place.listed(str(place.said.values["versus"]))]
    better = [place.group(name) for name in place.listed_therapies(place.said.values["groups"])]
    said = re.search("less (disability|pain)|more (strength|flex)|better", str(place.better))
    return bool(said) and {(a, b) for a in better for b in worse} <= list_better(place)


@truth("sentences.lead_none", "sentences.lead_none_shown")
def lead_none(place: Place) -> bool:
    """No two therapies differ, whether the difference is shown or not; or none of those that are shown."""
    clear, shown = list_better(place), {frozenset(pair) for pair in list_shown(place)}
    if place.own == "lead_none":
        return not clear
    # one that is shown may be clear by a hair, where p is written 0.050
    doubtful = [find_contrast(place, *pair, place.records.primary)[3] for pair in clear if set(pair) in shown]
    return all(0.0495 <= p <= 0.0505 for p in doubtful)


@truth("sentences.amount", "sentences.amount_than", "sentences.from_to", "sentences.from_to_same")
def amount(place: Place) -> bool:
    """A difference and its interval are those of a pair, without their signs."""
    told, time = place.said.values, place.records.primary
    for group, versus in list_pairs(place):
        found = find_contrast(place, group, versus, time)
        ends = sorted((abs(found[1]), abs(found[2])))
        low, high = (str(told[name]).lstrip("−") for name in ("low", "high"))
        same = (place.agrees(low, ends[0]) and place.agrees(high, ends[1])) or (
            place.agrees(low, ends[1]) and place.agrees(high, ends[0])
        )
        if same and ("amount" not in told or place.agrees(told["amount"], abs(found[0]))):
            return True
    return False


@truth("sentences.pair", "sentences.amounts_of", "sentences.amounts_below")
def pair(place: Place) -> bool:
    """It names two therapies that were compared, one of them, or leaves many amounts to the table."""
    told = place.said.values
    if place.own == "amounts_below":
        return len(list_better(place)) > 6
    named = {place.group(told[name]) for name in ("group", "versus") if name in told}
    return any(named <= {*both} for both in list_pairs(place))


@truth("sentences.open_pairs")
def open_pairs(place: Place) -> bool:
    """It names as many pairs as are shown and cannot be told apart, and none that can, but by a hair."""
    clear = {frozenset(both) for both in list_better(place)}
    still_open = [both for both in list_shown(place) if frozenset(both) not in clear]
    n = int(place.said.values["n"])
    return n == str(place.pairs).count(" against ") and len(still_open) <= n <= len(list_shown(place))


@truth("sentences.sure_all", "sentences.sure_some", "sentences.sure_none", "sentences.sure_shown",
       "sentences.sure_one_clear", "sentences.sure_one_unclear")  # fmt: skip
def sure(place: Place) -> bool:
    """The pairs are all pairs of therapies, and so many of them can be told apart, released or not."""
    told, n_clear, n_pairs = place.said.values, len(list_better(place)), len(list_pairs(place))
    if int(told["all"]) != n_pairs:
        return False
    if place.own == "sure_shown":
        n_hidden = n_pairs - len(list_shown(place))
        counted = int(told["clear"]) + int(told["open"]) + int(told["hidden"]) == n_pairs
        return counted and int(told["hidden"]) == n_hidden and int(told["clear"]) <= n_clear
    wanted = {"sure_all": n_pairs, "sure_one_clear": 1, "sure_none": 0, "sure_one_unclear": 0}
    return n_clear == wanted.get(place.own, int(told["clear"]))


@truth("sentences.sure_together", "views.intervals_together")
def together(place: Place) -> bool:
    """Several pairs were compared at a time, with intervals that allow for it."""
    made = place.page.results["over_time"].origin.adjustment
    times = place.result("over_time").query("statistic == 'contrast'").groupby("timepoint").size()
    return bool((times > 1).any()) and made is not None and made.interval_adjustment != "none"


@truth("sentences.shares_apart")
def shares_apart(place: Place) -> bool:
    """The page has the shares, and no difference of them."""
    held = place.released("standardised")
    return held["shown"].any() and set(held["statistic"]) == {"share_improved_standardised"}


@truth("sentences.compared_together", "sentences.compared_each")
def compared(place: Place) -> bool:
    """The scores at these times, and no others, went into the comparison."""
    rows = place.result("over_time").query("statistic == 'contrast'")
    named = [place.time(text) for text in place.listed(str(place.said.values["times"]))]
    return set(named) == set(rows["timepoint"]) and (len(named) > 1) == (place.own == "compared_together")


@truth("sentences.no_follow_up")
def no_follow_up(place: Place) -> bool:
    records = place.records
    times = list(records.times[1:])
    never = records.kept.index[records.wide[times].isna().all(axis=1)]
    return place.counts(place.n, len(never))


@truth("sentences.lack", "sentences.lack_of")
def lack(place: Place) -> bool:
    """So many of those compared lack the covariate."""
    records = place.records
    seen = records.wide[records.times[1:]].notna().any(axis=1)
    if place.own == "lack":
        return place.said.text.count("patient") > 1
    name = {"age": "age_years"}.get(place.covariate, place.covariate)
    lacking = records.kept.loc[seen, name].isna().sum()
    return place.counts(place.n, lacking)


@truth("sentences.left_out_all", "sentences.left_out_some")
def left_out(place: Place) -> bool:
    """At the times that it names differences are missing; a reason that is given is the reason."""
    held = place.released("over_time")
    rows = held[held["statistic"] == "contrast"]
    times = [place.time(text) for text in place.listed(str(place.said.values["times"]).lower())]
    shown = [rows.loc[rows["timepoint"] == time, "shown"] for time in times]
    if place.own == "left_out_all":
        return all(not one.any() for one in shown)
    return all(not one.all() and one.any() for one in shown)


@truth("sentences.not_compared", "sentences.none_estimated", "sentences.none_shown")
def nothing_compared(place: Place) -> bool:
    held = place.released("over_time")
    contrasts = held[held["statistic"] == "contrast"]
    return not contrasts["shown"].any() and "fewer than" not in place.said.text


@truth("views.forest_row", "views.forest_alt", "views.forest_axis", "views.forest_caption",
       "views.forest_patients", "views.forest_adjusted", "views.favours_left", "views.favours_right",
       "views.pair", "views.difference_head")  # fmt: skip
def forest(place: Place) -> bool:
    """The pairs are pairs that were compared, and the figure's time is the primary one."""
    told = place.said.values
    if "time" in told:
        return place.time(told["time"]) == place.records.primary
    if "versus" in told and "group" in told and place.ran("over_time"):
        pair = {place.group(str(told["group"])), place.group(str(told["versus"]))}
        return any(pair == set(one) for one in list_pairs(place))
    if place.own in ("favours_left", "favours_right"):
        better_left = place.records.sign < 0
        first = str(told["who"]) in ("the therapy", "the first")
        return first == (better_left == (place.own == "favours_left"))
    return bool(place.ran("over_time") or place.ran("model_checks"))


# --- periods ----------------------------------------------------------------------------------------


def list_periods(place: Place) -> pd.DataFrame:
    """Return by period what patients had: n seen with both scores, improvement or share, open or closed."""
    records, time = place.records, place.records.primary
    every = place.page.names["every"]
    starts = pd.to_datetime(records.kept["start_date"])
    period = starts.dt.to_period({"month": "M", "quarter": "Q", "year": "Y"}[every])
    value = records.gain(ALL, time)
    if place.page.names["measured"] == "responders":
        level = next(entry["id"] for entry in list_rules(place) if entry.get("default"))
        value = records.is_improved(ALL, level).dropna()
    due = records.is_due(ALL, time)
    closes = (starts + pd.to_timedelta(records.observed, unit="D")).max() - pd.Timedelta(
        days=read_toml("timepoints")[time]["last_day"] - 1
    )
    rows = []
    for name in sorted(period.unique()):
        members = period.index[period == name]
        own = value.reindex(members).dropna()
        if len(own):
            is_open = name.end_time > closes or not due.loc[members].all()
            mean = own.mean()
            if place.page.names["measured"] != "responders":
                mean = records.expect(members, time)["gain"]
            rows.append({"period": str(name), "n": len(own), "value": mean, "open": is_open})
    return pd.DataFrame(rows).set_index("period")


def find_limits(place: Place) -> tuple[float, pd.Series] | None:
    """Return the centre and the standard error of each closed period; None with too few periods."""
    records, table = place.records, list_periods(place)
    closed = table[~table["open"]]
    needed = MONITORING["periods"]["baseline"][place.page.names["every"]]
    if len(closed) < needed:
        return None
    base = closed.iloc[:needed]
    centre = float((base["value"] * base["n"]).sum() / base["n"].sum())
    if place.page.names["measured"] == "responders":
        sd = np.sqrt(centre * (1 - centre))
    else:
        starts = pd.to_datetime(records.kept["start_date"])
        every = {"month": "M", "quarter": "Q", "year": "Y"}[place.page.names["every"]]
        period = starts.dt.to_period(every).astype("str")
        gain = records.gain(ALL, records.primary)
        centre = records.expect(period.index[period.isin(base.index)], records.primary)["gain"]
        inside = [gain[period.reindex(gain.index) == name] for name in base.index]
        squares = sum(((values - values.mean()) ** 2).sum() for values in inside)
        sd = np.sqrt(squares / sum(len(values) - 1 for values in inside))
    sizes = np.maximum(5, np.floor(closed["n"] / 5 + 0.5) * 5)
    return (centre, pd.Series(sd / np.sqrt(sizes), index=closed.index)) if sd > 0 else None


def list_signals(place: Place) -> set[str]:
    """Return the closed periods that signal a change by the four rules."""
    found, limits = set(), find_limits(place)
    if limits is None:
        return found
    centre, error = limits
    values = list_periods(place).loc[error.index, "value"].to_numpy()
    z, rules = (values - centre) / error.to_numpy(), MONITORING["periods"]["rules"]
    for i in range(len(z)):
        if abs(z[i]) > 3 + 1e-9:
            found.add(error.index[i])
        last = z[max(i - rules["near_of"][1] + 1, 0) : i + 1]
        if i >= 2 and max((last > 2).sum(), (last < -2).sum()) >= 2:
            found.add(error.index[i])
        row = z[i - rules["shift"] + 1 : i + 1] if i + 1 >= rules["shift"] else []
        if len(row) and (np.all(np.array(row) > 0) or np.all(np.array(row) < 0)):
            found.add(error.index[i])
        steps = np.diff(values[i - rules["trend"] + 1 : i + 1]) if i + 1 >= rules["trend"] else []
        if len(steps) and (np.all(steps > 0) or np.all(steps < 0)):
            found.add(error.index[i])
    return found


def name_of(period: object) -> str:
    return str(period).replace(" ", "").replace("**", "")


@truth("views.periods.last_mean", "views.periods.last_share", "views.periods.last_mean_alone",
       "views.periods.last_share_alone")  # fmt: skip
def last_period(place: Place) -> bool:
    table, told = list_periods(place), place.said.values
    closed = table[~table["open"]]
    name = name_of(told["period"])
    is_last = closed.index[-1] == name or "whose number is shown" in place.said.text
    right = name in closed.index and place.agrees(told["value"], *closed.loc[name, ["value", "n"]])
    limits = find_limits(place)
    centre = "_alone" in place.own or (limits is not None and place.agrees(told["centre"], limits[0]))
    return is_last and right and centre


@truth("views.periods.no_signal")
def no_signal(place: Place) -> bool:
    return find_limits(place) is not None and not list_signals(place)


@truth("views.periods.no_signal_shown")
def no_signal_shown(place: Place) -> bool:
    held = place.released("trend")
    return not (held["statistic"] == "signal").any() and "may not be shown" in place.said.text


@truth("views.periods.change_better", "views.periods.change_worse", "views.periods.signal_better",
       "views.periods.signal_worse", "views.periods.alt_signal")  # fmt: skip
def some_signal(place: Place) -> bool:
    named = re.findall(r"\d{4}(?: ?Q\d|-\d\d)?", str(place.said.values.get("periods", "")))
    return bool(list_signals(place)) and {name_of(one) for one in named} <= list_signals(place)


@truth("views.periods.no_centre", "methods.trend.few_periods")
def no_centre(place: Place) -> bool:
    """There are no limits: too few periods, or none that are shown."""
    if place.own == "few_periods":
        every = place.page.names["every"]
        return find_limits(place) is None and place.needed == MONITORING["periods"]["baseline"][every]
    held = place.released("trend")
    return not (held["group"] == ALL).any() or not held.loc[held["group"] == ALL, "shown"].all()


@truth("views.periods.waiting", "views.periods.open", "views.periods.alt_open", "views.periods.figure_open")
def waiting(place: Place) -> bool:
    table = list_periods(place)
    named = re.findall(r"\d{4}(?: Q\d|-\d\d)?", str(place.said.values.get("periods", "")))
    still = set(table.index[table["open"]])
    return bool(still) and {name_of(one) for one in named} in (set(), still)


@truth("views.periods.longer")
def longer(place: Place) -> bool:
    return place.page.names["every"] != "year"


@truth("views.periods.figure_row")
def period_row(place: Place) -> bool:
    table, name = list_periods(place), name_of(place.period)
    return place.agrees(place.value, *table.loc[name, ["value", "n"]])


@truth("views.periods.between", "views.periods.figure_limits", "views.periods.baseline",
       "views.periods.baseline_span", "views.periods.centre", "views.periods.upper",
       "views.periods.lower", "views.periods.limits")  # fmt: skip
def limits_of_periods(place: Place) -> bool:
    limits = find_limits(place)
    if place.own == "baseline":
        return not list_periods(place)["open"].all()
    if place.own != "between":
        return limits is not None or place.own == "limits"
    if limits is None:
        return False
    centre, error = limits
    share = place.page.names["measured"] == "responders"
    for e in error:
        low, high = centre - 3 * e, centre + 3 * e
        low, high = (max(low, 0), min(high, 1)) if share else (low, high)
        low_text = f"{place.low} %" if share else place.low
        if place.agrees(low_text, low) and place.agrees(place.high, high):
            return True
    return False


@truth("views.periods.*")
def period_words(place: Place) -> bool:
    """Headings and captions: they name the time that is followed and what is measured."""
    told = place.said.values
    shares = place.page.names["measured"] == "responders"
    kind = "share" in place.own if re.search("mean|share", place.own) else shares
    right_kind = kind == shares or place.own in ("share", "alt", "figure_row")
    return right_kind and ("time" not in told or place.time(told["time"]) == place.records.primary)


# --- sites ------------------------------------------------------------------------------------------


def list_named_sites(place: Place) -> dict[str, tuple[int, float]]:
    """Return the sites with patients and completeness enough: n seen and their mean or share."""
    records, time = place.records, place.records.primary
    value = records.gain(ALL, time)
    if place.page.names["measured"] == "responders":
        level = next(entry["id"] for entry in list_rules(place) if entry.get("default"))
        value = records.is_improved(ALL, level).dropna()
    due, seen, found = records.is_due(ALL, time), records.is_seen(ALL, time), {}
    if "site" not in records.kept:
        return {}
    for site, members in records.kept.groupby("site").groups.items():
        own = value.reindex(members).dropna()
        share = (due & seen).loc[members].sum() / max(due.loc[members].sum(), 1)
        enough = len(own) >= MONITORING["sites"]["n_seen"]["at_least"]
        if enough and share >= MONITORING["sites"]["share_seen"]["at_least"]:
            found[str(site)] = (len(own), float(own.mean()))
    return found


@truth("views.sites.lead")
def sites_lead(place: Place) -> bool:
    return int(place.n) == len(list_named_sites(place))


@truth("views.sites.within", "release.verdict.within", "views.sites.above_*", "views.sites.below_*",
       "release.verdict.above_*", "release.verdict.below_*")  # fmt: skip
def position(place: Place) -> bool:
    """The finding of each site against the limits, before it was released."""
    rows = place.result("site_funnel").query("statistic == 'position'")
    if place.said.key == "views.sites.within":
        return len(rows) > 0 and set(rows["level"]) == {"within"}
    if "sites" in place.said.values:
        named = [text.replace("**", "").lower() for text in place.listed(str(place.sites))]
        return set(named) == set(rows.loc[rows["level"] == place.own, "group"])
    return place.own in set(rows["level"])


@truth("views.sites.chance", "views.sites.usual", "views.sites.unusual")
def outside_by_chance(place: Place) -> bool:
    """How many sites lie outside, and whether so many do more often than in one of twenty draws."""
    levels = place.result("site_funnel").query("statistic == 'position'")["level"]
    n, inner, outer = len(levels), (levels != "within").sum(), levels.str.endswith("_998").sum()
    if place.own == "chance":
        told = place.said.values
        expected = [f"about {round(n * part)}" if n * part >= 1 else "fewer than 1" for part in (0.05, 0.002)]
        right = [str(told["expected_95"]), str(told["expected_998"])] == expected
        return right and (int(place.n), told["found_95"], told["found_998"]) == (n, inner, outer)
    likely = min(stats.binom.sf(inner - 1, n, 0.05), stats.binom.sf(outer - 1, n, 0.002))
    return inner > 0 and (likely >= 0.05) == (place.own == "usual")


@truth("views.sites.about", "views.sites.below_one")
def expected_outside(place: Place) -> bool:
    """So many of the named sites would lie outside one of the two limits, were all alike."""
    n = len(list_named_sites(place))
    return any(
        (n * part < 1) == (place.own == "below_one") and round(n * part) == int(place.said.values["n"])
        for part in (0.05, 0.002)
    )


@truth("views.sites.few_patients", "views.sites.incomplete")
def not_named(place: Place) -> bool:
    every = place.records.kept["site"].nunique()
    return int(place.n) <= every - len(list_named_sites(place))


@truth("views.sites.figure_row")
def site_row(place: Place) -> bool:
    named = list_named_sites(place)
    rows = place.result("site_funnel")
    rows = rows[rows["statistic"].str.startswith("adjusted") & (rows["group"] == place.site.lower())]
    n = named[place.site.lower()][0]
    return place.counts(place.n, n) and place.agrees(place.value, rows["estimate"].iloc[0], n)


@truth("methods.site_funnel.not_recorded")
def no_sites(place: Place) -> bool:
    return "site" not in place.records.clinic.episodes


@truth("methods.site_funnel.few_sites")
def few_sites(place: Place) -> bool:
    sites = MONITORING["sites"]
    wanted = (sites["number"]["at_least"], sites["n_seen"]["at_least"])
    told = place.said.values
    right = (int(told["number"]), int(told["n_seen"])) == wanted
    return right and len(list_named_sites(place)) < sites["number"]["at_least"]


@truth("methods.site_funnel.spread_few", "methods.site_funnel.spread_none",
       "methods.site_funnel.spread_chance", "methods.site_funnel.spread_wide")  # fmt: skip
def spread(place: Place) -> bool:
    needed = MONITORING["sites"]["overdispersion"]["at_least"]
    few = len(list_named_sites(place)) < needed
    return few if place.own == "spread_few" else True if place.own == "spread_none" and few else not few


@truth("views.sites.*")
def site_words(place: Place) -> bool:
    told = place.said.values
    shares = place.page.names["measured"] == "responders"
    kind = place.own.rpartition("_")[2]
    right = {"mean": not shares, "share": shares}.get(kind, True) if "_" in place.own else True
    return right and ("time" not in told or place.time(told["time"]) == place.records.primary)


# --- domains ----------------------------------------------------------------------------------------


def list_measures(place: Place) -> dict[str, Records]:
    return {name: Records(place.page, name, needs_baseline=False) for name in place.records.clinic.outcomes}


def find_reading(place: Place, records: Records, group: str) -> str:
    """Return how the improvement of a measure reads by its 95 % interval: better, worse, unclear, or none."""
    if records.outcome == "pgic7":
        return ""
    found = records.expect(records.of(group), records.primary)
    low, high = found["low"], found["high"]
    if np.isnan(low):
        return ""
    return "better" if low > 0 else "worse" if high < 0 else "unclear"


def short_name(outcome: str) -> str:
    return read_toml(f"instruments/{outcome.split(':')[0]}")["short_name"]


@truth("views.domains.lead", "views.domains.lead_none", "views.domains.unclear_in", "views.domains.worse_in",
       "views.domains.lead_shown")  # fmt: skip
def profile_lead(place: Place) -> bool:
    """Each measure that is named reads so; where none is, none does, whether it is shown or not."""
    wanted = {"lead": "better", "unclear_in": "unclear", "worse_in": "worse"}.get(place.own, "none")
    told = place.said.values
    group = place.group(told["therapy"]) if "therapy" in told else place.records.groups[0]
    group = ALL if group == "all_together" else group
    readings = {
        short_name(name): find_reading(place, records, group)
        for name, records in list_measures(place).items()
    }
    if wanted == "none":
        return place.own == "lead_shown" or "better" not in readings.values()
    return all(reading == wanted for name, reading in readings.items() if name in str(told["domains"]))


@truth("views.domains.in_domain", "views.domains.figure_row")
def in_domain(place: Place) -> bool:
    number = str(place.number).split(" (")[0]
    for name, records in list_measures(place).items():
        if short_name(name) in str(place.measure):
            groups = [*records.groups, ALL]
            if any(
                place.agrees(number, records.expect(records.of(group), records.primary)["gain"])
                for group in groups
                if len(records.gain(group, records.primary))
            ):
                return True
    return False


@truth("views.domains.better", "views.domains.worse", "views.domains.unclear")
def reading(place: Place) -> bool:
    return any(
        find_reading(place, records, group) == place.own
        for records in list_measures(place).values()
        for group in [*records.groups, ALL]
    )


@truth("views.domains.not_recorded", "views.domains.not_read", "views.domains.not_asked",
       "views.domains.not_analysed", "views.domains.not_analysed_few")  # fmt: skip
def not_recorded(place: Place) -> bool:
    """No measure of the clinic belongs to a domain that is said not to be recorded."""
    held = {
        read_toml(f"instruments/{name.split(':')[0]}")["domain"] for name in place.records.clinic.outcomes
    }
    own = {"function": "function", "pain_intensity": "pain", "global_change": "overall change",
           "strength": "strength and endurance"}  # fmt: skip
    named = str(place.domains).split("; ")
    return not {own.get(domain, domain) for domain in held} & set(named)


@truth("views.domains.lead_several")
def lead_several(place: Place) -> bool:
    return int(place.n) == len(place.records.clinic.outcomes) and len(place.records.groups) > 1


@truth("views.domains.*", "views.domain.*")
def domain_words(place: Place) -> bool:
    told = place.said.values
    one = place.own == "caption_one"
    groups = 1 if one else 2
    right = place.own not in ("caption_one", "caption_several") or (
        (len(place.records.groups) >= groups) if not one else True
    )
    return right and ("time" not in told or place.time(told["time"]) == place.records.primary)


# --- what changed since, and pages with nothing to show ---------------------------------------------


@truth("methods.since_last.none")
def no_earlier(place: Place) -> bool:
    return place.page.handed is None


@truth("views.since_last.*", "methods.since_last.*")
def since_words(place: Place) -> bool:
    return place.page.handed is not None and str(place.said.values.get("label", "2026-01")) == "2026-01"


@truth("methods.since_last.name")
def since_name(place: Place) -> bool:
    return place.ran("since_last")


@truth("views.since_last.lead")
def since_lead(place: Place) -> bool:
    """New and gone episodes, and known ones of which a score is another or was added."""
    then, now = place.page.handed, place.records.clinic
    known = set(then.episodes["episode_id"])
    new = set(place.records.accepted["episode_id"]) - known
    gone = known - set(now.episodes["episode_id"])
    keys = ["episode_id", "outcome", "time", "score"]
    held = now.scores[now.scores["episode_id"].isin(known)][keys]
    both = held.merge(then.scores[keys], how="outer", indicator=True)
    revised = both.loc[both["_merge"] != "both", "episode_id"]
    revised = set(revised) & set(place.records.accepted["episode_id"])
    told = place.said.values
    return (int(told["new"]), int(told["revised"]), int(told["gone"])) == (len(new), len(revised), len(gone))


def find_gains(place: Place) -> tuple[float, float]:
    """Return the mean improvement of all at the last release and now."""
    then = Records(replace(place.page, clinic=place.page.handed))
    both = ((held, held.primary) for held in (then, place.records))
    before, after = (held.expect(held.of(ALL), time)["gain"] for held, time in both)
    return before, after


@truth("views.since_last.moved", "views.since_last.same", "views.since_last.moved_alone")
def since_moved(place: Place) -> bool:
    before, after = find_gains(place)
    if place.own == "same":
        return place.agrees(place.after, after) and abs(before - after) < 0.005
    return place.agrees(place.before, before) and place.agrees(place.after, after)


@truth("views.since_last.by_new_episodes", "views.since_last.by_revised_records",
       "views.since_last.by_definitions")  # fmt: skip
def since_parts(place: Place) -> bool:
    """New episodes are what the episodes that came would change alone; the rest is from what was revised."""
    if place.own == "by_definitions":
        return False  # nothing but the records is another
    then = Records(replace(place.page, clinic=place.page.handed))
    now, time = place.records, place.records.primary
    before, after = find_gains(place)
    came = now.of(ALL)[~now.of(ALL).isin(then.accepted["episode_id"])]
    then.wide = pd.concat([then.wide.loc[then.of(ALL)], now.wide.loc[came]])
    joined = then.expect(then.wide.index, time)["gain"]
    part = joined - before if place.own == "by_new_episodes" else after - joined
    return abs(read_number(str(place.amount).lstrip("+")) - part) <= 0.011


@truth("release.held.marked", "release.held.unmarked", "release.held.note")
def of_earlier(place: Place) -> bool:
    """There is an earlier edition, and its day is the one that is said."""
    return place.page.earlier is not None and str(place.days) == place.page.earlier.day


@truth("release.held.withheld")
def withheld_beside(place: Place) -> bool:
    """The rule that compares numbers with others, of this page or another, withheld one."""
    held = [one for one in place.page.names.values() if isinstance(one, Release)]
    reasons = pd.concat([one.reasons for one in held if one.reasons is not None])
    own = reasons[(reasons["reason"] == "earlier_edition") & (reasons["fate"] == "withheld")]
    return len(own) > 0 and ("of this page" in place.said.text or place.page.earlier is not None)


@truth("views.caption.effect_sizes_one")
def nothing_to_compare_with(place: Place) -> bool:
    """No difference between therapies is shown, be it that none was comparable."""
    return bool(place.released("effect_sizes")["versus"].isna().all())


@truth("views.empty_withheld", "views.empty_nothing", "views.one_follow_up",
       "views.caption.effect_sizes_team", "model_checks.team_only")  # fmt: skip
def nothing_here(place: Place) -> bool:
    """The view holds no number; a reason that is given is one that holds."""
    if place.own in ("empty_withheld", "effect_sizes_team", "caption"):
        return not place.team and "fewer than" not in place.said.text
    if place.own == "one_follow_up":
        rows = place.released("over_time").query("statistic == 'marginal_mean'")
        return rows.loc[rows["shown"], "timepoint"].nunique() == 1 and "compared" not in place.said.text
    return bool(place.team or place.own == "empty_nothing")


_ = LIMITS
