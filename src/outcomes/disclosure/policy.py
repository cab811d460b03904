"""The one way from a result to what an audience may see.

The order of work: who stands behind each row (`thresholds`), what would tell of a few beside an earlier page
(`ledger`), what could be computed from its neighbours (`lines`) and from the rest of the page (`joint`), how
exactly it is written (`writing`), what may be said beside it (`notes`). Each rule records its
reason (`decisions`).
"""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd

from outcomes.disclosure.decisions import NO_TRACE, Decisions, Fate, Reason
from outcomes.disclosure.differences import protect_differences, write_differences
from outcomes.disclosure.joint import ShownNumbers
from outcomes.disclosure.ledger.earlier_cells import HeldRows, hold_back, hold_vanishing, note_shown
from outcomes.disclosure.lines import (
    protect_charts,
    protect_episodes,
    protect_lines,
    protect_sites,
    refuse_dates,
    thin_curves,
)
from outcomes.disclosure.notes import (
    Sentences,
    add_counts,
    allow_origin,
    hush_counts,
    write_held_notes,
    write_notes,
)
from outcomes.disclosure.page_context import PageContext, find_page
from outcomes.disclosure.released import RELEASE_COLUMNS, Backing, Release, join_support, tell_reasons
from outcomes.disclosure.rules import Rules, read_rules
from outcomes.disclosure.thresholds import judge_rows, refuse_comparisons
from outcomes.disclosure.writing import (
    find_decimals,
    find_kind,
    pick_band,
    round_away,
    round_count,
    round_p,
    round_share,
    round_to,
    share_of_rounded,
    write_band,
    write_few,
    write_held,
    write_value,
)
from outcomes.facts import Text, Words, read_words
from outcomes.result import WITH_ESTIMATE, Result

_NUMBERS = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")
#: Never shown to a stakeholder: with them an exact count or a sum can be computed back.
_NEVER = ("std_error", "df")
_SIZES = ("n", "n_versus")


def release(result: Result, page: PageContext | str = "stakeholder", *, k: int | None = None) -> Release:
    """Release a result to a page, or for an audience.

    Parameters
    ----------
    result : Result
    page : PageContext or str
        Of `open_page`, in a notebook; elsewhere an audience. ``stakeholder``, the default, for whatever
        leaves the clinic: k distinct patients stand behind every number, its complement and every statistic;
        a line that adds up with one withheld cell loses a second, or its total; counts go to multiples of 5,
        percentages to steps that fit the group, scores to 1 decimal; completeness is given in bands and few
        as "fewer than k"; therapies that are not comparable are not compared. ``team`` for the clinic's own
        people: nothing is rounded or withheld. Neither sees therapies compared that are not comparable.
    k : int, optional
        Smallest number of distinct patients behind what a stakeholder sees; that of the profile which the
        source declares where absent, such as 11. Some profiles allow a smaller one, none below 5. A page
        has its own.

    Returns
    -------
    Release
        With one row per row of the result, less those that may leave no trace: comparisons of therapies
        that are not comparable, and steps of a distribution beyond which fewer than k patients lie.

    Raises
    ------
    DisclosureError
        When the audience is unknown, `k` is smaller than the profile allows, the profile does not let periods
        as short as these leave, or a report that runs is for stakeholders and `page` is not its page.

    Examples
    --------
    >>> import numpy as np
    >>> from outcomes.result import build_result
    >>> rows = [{"statistic": "mean_score", "estimate": 30.26, "std_error": 1.0, "n": 12, "unit": "points"}]
    >>> result = build_result("change", rows, method="Mean.", support=[{"all": np.arange(12)}])
    >>> release(result).table[["estimate", "std_error", "n", "display"]].values.tolist()
    [[30.3, nan, 10.0, '30.3']]
    """
    page = find_page(page, k)
    rules = read_rules(page.k, result.origin.disclosure_profile)
    make = _release_to_team if page.audience == "team" else _release_outside
    return make(result, rules, page, read_words(page.language))


def _release_to_team(result: Result, rules: Rules, page: PageContext, words: Words) -> Release:
    decisions = refuse_comparisons(result, rules)
    kept = [place for place, fate in enumerate(decisions.fates) if fate not in NO_TRACE]
    for place in kept:
        if pd.isna(result.table["estimate"].iloc[place]):
            decisions.settle(place, Fate.STATE, Reason.NOT_FITTED)
    table = result.table.iloc[kept].reset_index(drop=True)
    table["shown"] = table["estimate"].notna()
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    for row in rows:
        row["display"] = _write(SimpleNamespace(**row), "team", rules, words)
    write_differences(rows, list(table["shown"]), "team", rules)
    table["display"] = pd.Series([row["display"] for row in rows], index=table.index, dtype="str")
    table["as_of"] = pd.Series(math.nan, index=table.index, dtype="str")
    table["fate"] = pd.Series([str(decisions.fates[i]) for i in kept], index=table.index, dtype="str")
    said = _say_refused(result, decisions, rules)
    why = Text(f"release.not_compared{'' if result.comparable is False else '_here'}")
    notes = (why,) if len(kept) < len(result.table) else ()
    return Release(
        name=result.name,
        table=table,
        method=said.method,
        warnings=said.warnings,
        estimand=said.estimand,
        origin=result.origin,
        comparable=result.comparable,
        audience="team",
        k=rules.k,
        n_withheld=0,
        notes=notes,
        language=page.language,
        reasons=tell_reasons(result, decisions),
    )


def _say_refused(result: Result, decisions: Decisions, rules: Rules) -> Result:
    """Return a result whose method and estimand are not told where all that it estimates is refused."""
    own = [
        reasons[:1] == (Reason.NOT_COMPARABLE,)
        for statistic, reasons in zip(result.table["statistic"], decisions.reasons, strict=True)
        if rules.statistics[str(statistic)].kind not in ("count", "inside")
    ]
    refused = result.comparable is False and bool(own) and all(own)
    return replace(result, method=Text.of("release.not_compared"), estimand="") if refused else result


def _release_outside(result: Result, rules: Rules, page: PageContext, words: Words) -> Release:
    refuse_dates(result, rules)
    n_rows, result = len(result.table), add_counts(result)
    decisions, sizes = judge_rows(result, rules)
    result = _say_refused(result, decisions, rules)
    thin_curves(result.table, decisions, sizes, rules)
    hush_counts(result.table, decisions)
    earlier, exact, own = page.earlier, result.table.to_dict("records"), list(decisions.fates)

    def write(place: int, fate: Fate, unsized: bool = False) -> dict[str, Any]:
        row = {str(key): value for key, value in exact[place].items()}
        return _write_outside(row, fate, sizes[place].whole, rules, unsized, words)

    written = [write(place, fate) for place, fate in enumerate(own)]
    # before the ledger compares them: it holds the numbers of earlier editions as these wrote them
    write_differences(written, [fate == Fate.SHOWN for fate in own], page.audience, rules)
    held = hold_back(result, written, own, rules, earlier)
    _take_over(decisions, held)
    protect_lines(result.table, decisions, sizes, rules)
    protect_sites(result, decisions, sizes, rules)
    protect_charts(result.table, decisions, rules)
    protect_episodes(result, decisions, rules)
    for place, statistic in enumerate(result.table["statistic"]):
        if decisions.fates[place] == Fate.WITHHELD and rules.statistics[str(statistic)].kind == "curve":
            decisions.settle(place, Fate.DROPPED, decisions.reasons[place][-1])
    beside = ShownNumbers() if page.shown is None else page.shown
    hush_counts(result.table, decisions)
    decisions = beside.protect(result, decisions, rules)
    protect_differences(result.table, decisions, rules)
    hush_counts(result.table, decisions)
    beside.remember(result, decisions, rules)
    held = hold_vanishing(held, decisions.fates, rules, earlier)
    _take_over(decisions, held)
    hush_counts(result.table, decisions)
    fates, unsized = decisions.fates, decisions.unsized
    kept = [place for place, fate in enumerate(fates) if fate not in NO_TRACE]
    note_shown(held, fates, earlier)
    rows = [
        write_held(written[i], held.rows[i].row, held.rows[i].as_of, rules)
        if fates[i] == Fate.HELD
        else written[i]
        if fates[i] == own[i] and i not in unsized
        else write(i, fates[i], i in unsized)
        for i in kept
    ]
    write_differences(rows, [fates[i] == Fate.SHOWN for i in kept], page.audience, rules)
    types = {column: result.table[column].dtype for column in result.table.columns}
    table = pd.DataFrame(rows, columns=list(RELEASE_COLUMNS))
    table = table.astype({**types, "shown": "bool", "display": "str", "as_of": "str"})
    table["fate"] = pd.Series([str(fates[i]) for i in kept], index=table.index, dtype="str")
    notes = write_held_notes(rows, bool(held.n_withheld), rules)
    bands = any(rules.statistics[name].kind == "band" for name in table["statistic"])
    replaced = tuple(held.find_earlier(place, fate) for place, fate in enumerate(fates))
    everybody, records = join_support(result.support), result.origin.fingerprint or ""
    backing = Backing(tuple(fates), result.support, result.patients, everybody, replaced, records).at(kept)
    said = Sentences(rules, table, backing.support)
    # What becomes of a sentence's count is no withheld number.
    left_out = decisions.list_why_left_out(n_rows)
    n_visible = sum(fate in (Fate.SHOWN, Fate.STATE, Fate.HELD) for fate in fates[:n_rows])
    return Release(
        name=result.name,
        table=table,
        method=said.choose(result.method),
        warnings=said.choose_all(result.warnings),
        estimand=said.choose(result.estimand),
        origin=allow_origin(result.origin, rules),
        comparable=result.comparable,
        audience="stakeholder",
        k=rules.k,
        n_withheld=n_rows - n_visible - left_out.count(Reason.SPREAD),
        notes=(*write_notes([*fates[:n_rows], *left_out], bands, rules, result.comparable), *notes),
        backing=backing,
        language=page.language,
        reasons=tell_reasons(result, decisions),
    )


def _take_over(decisions: Decisions, held: HeldRows) -> None:
    """Record what the ledger of releases makes of the rows."""
    for place, fate in enumerate(held.fates):
        decisions.settle(place, Fate(fate), Reason.EARLIER_EDITION)


def _write_outside(
    row: dict[str, Any], fate: Fate, n: int, rules: Rules, unsized: bool, words: Words
) -> dict[str, Any]:
    """Return one row with its numbers rounded or removed, those of patients too where they would tell."""
    if unsized:
        row |= dict.fromkeys(_SIZES, math.nan)
    row |= dict.fromkeys(_NEVER, math.nan)
    if fate == Fate.WITHHELD:
        # Its state could tell a group of none or one from one of ten.
        return _blank({**row, "state": "ok"}, words.say("release.withheld"), keep_n=False)
    if fate == Fate.STATE:
        return _blank(_round_sizes(row, rules), words.say(f"release.state.{row['state']}"))
    if fate == Fate.FEW:
        is_check = rules.statistics[row["statistic"]].kind == "check"
        display = write_few(SimpleNamespace(**row), math.nan if unsized else n, rules, words)
        return _blank(_round_sizes(row, rules), display, keep_n=not is_check)
    return _round(row, n, rules, words)


def _round_sizes(row: dict[str, Any], rules: Rules) -> dict[str, Any]:
    return {**row, **{name: round_count(row[name], rules.cells) for name in ("n", "n_versus")}}


def _blank(row: dict[str, Any], display: str, keep_n: bool = True) -> dict[str, Any]:
    gone = _NUMBERS[:-2] if keep_n else _NUMBERS
    return {**row, **dict.fromkeys(gone, math.nan), "shown": False, "display": display}


def _round(row: dict[str, Any], n: int, rules: Rules, words: Words) -> dict[str, Any]:
    cells, kind = rules.cells, find_kind(SimpleNamespace(**row), rules)
    row = {**_round_sizes(row, rules), "p_value": round_p(row["p_value"], cells)}
    if kind == "band":
        low, high = pick_band(row["estimate"], n, rules.k, cells) or (0.0, 100.0)
        row |= {"estimate": low / 100, "conf_low": math.nan, "conf_high": math.nan}
        return {**row, "shown": True, "display": write_band(low, high, words)}
    if rules.statistics[row["statistic"]].kind == "check":
        return _round_check(row, kind, rules, words)
    for column in ("estimate", "conf_low", "conf_high"):
        row[column] = _round_number(row, column, kind, n, rules)
    return {**row, "shown": True, "display": _write(SimpleNamespace(**row), "stakeholder", rules, words)}


def _round_number(row: dict[str, Any], column: str, kind: str, n: int, rules: Rules) -> float:
    if kind == "count":
        return round_count(row[column], rules.cells)
    statistic = rules.statistics[row["statistic"]]
    if statistic.is_share:
        counted = column == "estimate" and not statistic.is_modelled
        share = share_of_rounded(row[column], n, rules.cells) if counted else row[column]
        return round_share(share, n, rules.cells)
    decimals = find_decimals(SimpleNamespace(**row), "stakeholder", rules)
    return round_to(row[column], f"1e-{decimals}", "ROUND_HALF_EVEN")


def _round_check(row: dict[str, Any], kind: str, rules: Rules, words: Words) -> dict[str, Any]:
    """Round what a check found without carrying it across what it needed."""
    multiple: Any = (
        rules.cells["count_multiple"] if kind == "count" else f"1e-{rules.cells['effect_decimals']}"
    )
    at_least = row["term"] in rules.roles["smallest_needed"]
    row["estimate"] = round_away(row["estimate"], multiple, row["x"], at_least)
    return {**row, "shown": True, "display": _write(SimpleNamespace(**row), "stakeholder", rules, words)}


def _write(row: Any, audience: str, rules: Rules, words: Words) -> str:
    if rules.statistics[str(row.statistic)].kind in ("verdict", "signal"):
        return words.say(f"release.verdict.{row.level}")
    if row.state not in WITH_ESTIMATE:
        return words.say(f"release.state.{row.state}")
    return write_value(row, "estimate", audience, rules)
