"""The one way from a result to what an audience may see.

The order of work: who stands behind each row (`thresholds`), what would tell of a few beside an earlier page
(`ledger`), what could be computed from its neighbours (`lines`), how exactly it is written (`rounding`,
`writing`), what may be said beside it (`notes`). Several results that are released together share patients; a
joint audit belongs between the last two steps.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pandas as pd

from outcomes.disclosure.backing import Backing, join_support
from outcomes.disclosure.control_charts import protect_charts, refuse_dates
from outcomes.disclosure.curves import thin_curves
from outcomes.disclosure.episodes import leave_out_episodes
from outcomes.disclosure.joint.page import open_page
from outcomes.disclosure.league import protect_league
from outcomes.disclosure.ledger.holding import hold_back, hold_vanishing, note_shown
from outcomes.disclosure.ledger.memory import recall_language, recall_memory
from outcomes.disclosure.lines import protect_lines
from outcomes.disclosure.notes import (
    allow_provenance,
    choose_sentences,
    drop_counts,
    write_held_notes,
    write_notes,
)
from outcomes.disclosure.released import RELEASE_COLUMNS, Release
from outcomes.disclosure.rounding import (
    pick_band,
    round_away,
    round_count,
    round_p,
    round_share,
    round_to,
    share_of_rounded,
)
from outcomes.disclosure.rules import AUDIENCES, Rules, read_rules
from outcomes.disclosure.thresholds import judge_rows
from outcomes.disclosure.writing import (
    SHARES,
    find_decimals,
    find_kind,
    write_band,
    write_few,
    write_held,
    write_value,
)
from outcomes.errors import DisclosureError
from outcomes.facts import Words, read_words
from outcomes.result import WITH_ESTIMATE, Result

_NUMBERS = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "n", "n_versus")
#: Never shown to a stakeholder: with them an exact count or a sum can be computed back.
_NEVER = ("std_error", "df")
_SIZES = ("n", "n_versus")
_NO_TRACE = frozenset({"dropped", "not_compared", "spread", "league", "unsaid", "collapsed"})


def release(
    result: Result, audience: str = "stakeholder", *, k: int | None = None, language: str | None = None
) -> Release:
    """Release a result for an audience.

    Parameters
    ----------
    result : Result
    audience : str
        ``stakeholder``, the default, for whatever leaves the clinic: k distinct patients stand behind every
        number, its complement and every statistic; a line that adds up with one withheld cell loses a
        second, or its total; counts go to multiples of 5, percentages to steps that fit the group, scores
        to 1 decimal; completeness is given in bands and few as "fewer than k"; therapies that are not
        comparable are not compared. ``team`` for the clinic's own people: nothing is rounded or withheld.
    k : int, optional
        Smallest number of distinct patients behind what a stakeholder sees; that of the profile which the
        source declares where absent, such as 11. Some profiles allow a smaller one, none below 5.
    language : str, optional
        Of the page that shows it; that of the report which is being made, else English.

    Returns
    -------
    Release
        With one row per row of the result, less those that may leave no trace: comparisons of therapies
        that are not comparable, and steps of a distribution beyond which fewer than k patients lie.

    Raises
    ------
    DisclosureError
        When the audience is unknown, `k` is smaller than the profile allows, or the profile does not let
        periods as short as these leave.

    Examples
    --------
    >>> import numpy as np
    >>> from outcomes.result import build_result
    >>> rows = [{"statistic": "mean_score", "estimate": 30.26, "std_error": 1.0, "n": 12, "unit": "points"}]
    >>> result = build_result("change", rows, method="Mean.", support=[{"all": np.arange(12)}])
    >>> release(result).table[["estimate", "std_error", "n", "display"]].values.tolist()
    [[30.3, nan, 10.0, '30.3']]
    """
    if audience not in AUDIENCES:
        raise DisclosureError(f"There is no audience {audience!r}; choose {' or '.join(AUDIENCES)}.")
    rules = read_rules(k, result.provenance.get("disclosure_profile"))
    words = read_words(language or recall_language())
    make = _release_to_team if audience == "team" else _release_outside
    return make(result, rules, words)


def _release_to_team(result: Result, rules: Rules, words: Words) -> Release:
    table = result.to_frame()
    table["shown"] = table["estimate"].notna()
    table["display"] = [_write(row, "team", rules, words) for row in table.itertuples(index=False)]
    table["as_of"] = pd.Series(math.nan, index=table.index, dtype="str")
    return Release(
        result.name, table, result.method, result.warnings, result.estimand, dict(result.provenance),
        result.comparable, "team", rules.k, 0, language=words.language,
    )  # fmt: skip


def _release_outside(result: Result, rules: Rules, words: Words) -> Release:
    refuse_dates(result, rules)
    own, sizes = judge_rows(result, rules)
    own = thin_curves(result.table, own, sizes, rules)
    memory, exact = recall_memory(), result.table.to_dict("records")

    def write(place: int, fate: str, unsized: bool = False) -> dict[str, Any]:
        row = {str(key): value for key, value in exact[place].items()}
        return _write_outside(row, fate, sizes[place].whole, rules, unsized, words)

    written = [write(place, fate) for place, fate in enumerate(own)]
    held = hold_back(result, written, own, rules, memory)
    fates = protect_lines(result.table, held.fates, sizes, rules)
    fates = protect_league(result, fates, sizes, rules)
    fates = protect_charts(result.table, fates, rules)
    fates = leave_out_episodes(result, fates, rules)
    for place, statistic in enumerate(result.table["statistic"]):
        if fates[place] == "withheld" and rules.kind_of.get(str(statistic)) == "curve":
            fates[place] = "dropped"
    page = open_page()
    fates, unsized = page.protect(result.table, fates, result.support, result.patients, rules)
    page.remember(result.table, fates, result.support, result.patients, rules, unsized)
    held = hold_vanishing(held, fates, rules, memory)
    fates = list(held.fates)
    kept = [place for place, fate in enumerate(fates) if fate not in _NO_TRACE]
    note_shown(held, fates, memory)
    rows = [
        write_held(written[i], held.rows[i].row, held.rows[i].as_of)
        if fates[i] == "held"
        else written[i]
        if fates[i] == own[i] and i not in unsized
        else write(i, fates[i], i in unsized)
        for i in kept
    ]
    table = _build_table(rows, result.table)
    notes = write_held_notes(rows, bool(held.n_withheld), rules)
    bands = any(rules.kind_of.get(str(name)) == "band" for name in table["statistic"])
    earlier = tuple(held.find_earlier(place, fate) for place, fate in enumerate(fates))
    backing = Backing(tuple(fates), result.support, result.patients, join_support(result.support), earlier)
    return Release(
        result.name, table, drop_counts(result.method), choose_sentences(result.warnings, rules),
        drop_counts(result.estimand), allow_provenance(result.provenance, rules), result.comparable,
        "stakeholder", rules.k, sum(fate not in ("shown", "state", "spread", "held") for fate in fates),
        (*write_notes(fates, bands, rules), *notes), backing.at(kept), words.language,
    )  # fmt: skip


def _build_table(rows: list[dict[str, Any]], like: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(RELEASE_COLUMNS))
    types = {column: like[column].dtype for column in like.columns}
    return table.astype({**types, "shown": "bool", "display": "str", "as_of": "str"})


def _write_outside(
    row: dict[str, Any], fate: str, n: int, rules: Rules, unsized: bool, words: Words
) -> dict[str, Any]:
    """Return one row with its numbers rounded or removed, those of patients too where they would tell."""
    if unsized:
        row |= dict.fromkeys(_SIZES, math.nan)
    row |= dict.fromkeys(_NEVER, math.nan)
    if fate == "withheld":
        # Its state could tell a group of none or one from one of ten.
        return _blank({**row, "state": "ok"}, words.say("release.withheld"), keep_n=False)
    if fate == "state":
        return _blank(_round_sizes(row, rules), words.say(f"release.state.{row['state']}"))
    if fate == "few":
        display = write_few(SimpleNamespace(**row), math.nan if unsized else n, rules, words)
        return _blank(_round_sizes(row, rules), display, keep_n=row["statistic"] != "check")
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
    if row["statistic"] == "check":
        return _round_check(row, kind, rules, words)
    for column in ("estimate", "conf_low", "conf_high"):
        row[column] = _round_number(row, column, kind, n, rules)
    return {**row, "shown": True, "display": _write(SimpleNamespace(**row), "stakeholder", rules, words)}


def _round_number(row: dict[str, Any], column: str, kind: str, n: int, rules: Rules) -> float:
    if kind == "count":
        return round_count(row[column], rules.cells)
    if kind in SHARES:
        counted = column == "estimate" and row["statistic"] not in rules.roles["of_a_model"]
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
    if rules.kind_of.get(str(row.statistic)) in ("verdict", "signal"):
        return words.say(f"release.verdict.{row.level}")
    if row.state not in WITH_ESTIMATE:
        return words.say(f"release.state.{row.state}")
    return write_value(row, "estimate", audience, rules)
