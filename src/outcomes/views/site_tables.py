"""Sites side by side: the table, and what it says in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.disclosure import Release
from outcomes.facts import Text, read_words
from outcomes.result import Said
from outcomes.views.labels import WHOLE, Labels, read_labels
from outcomes.views.released_rows import (
    explain_absence,
    list_days,
    list_rows,
    write_interval,
    write_size,
)
from outcomes.views.table import build_table_view
from outcomes.views.text import capitalise, join_words, write_html, write_id, write_plain
from outcomes.views.view import View, build_empty_view, build_view

_ADJUSTED = ("adjusted_improvement", "adjusted_share_improved")
_OBSERVED = ("mean_improvement", "share_improved")


def list_sites(sites: Release) -> pd.DataFrame:
    """Return the shown adjusted rows of a release of sites, by name; a rank is no verdict."""
    held = sites.where(statistic=_ADJUSTED, shown=True).table
    return held.sort_values("group", kind="stable").reset_index(drop=True)


def explain_no_sites(sites: Release) -> str:
    """Say why no site is shown: none recorded, too few, or not for this audience."""
    known = [Text(f"methods.site_funnel.{key}") for key in ("not_recorded", "not_estimated")]
    reasons: list[Said] = [text for text in sites.warnings if text in known]
    if not reasons and sites.warnings[1:]:
        reasons = [sites.warnings[0]]
    league = (note for note in sites.notes if isinstance(note, Text) and note.key == "release.league_note")
    said = next(iter(reasons), None) or next(league, None)
    return str(read_words().write(said)) if said else explain_absence(sites)


def tabulate_sites(sites: Release) -> View:
    """Tabulate the named sites: patients, completeness, outcome as observed and adjusted, and position.

    Parameters
    ----------
    sites : Release
        Of the analysis ``site_funnel``.
    """
    labels, shown = read_labels(sites), list_sites(sites)
    if shown.empty:
        return build_empty_view("sites", "table", (sites,), explain_no_sites(sites))
    words = read_words()
    cells = {
        (str(row.group), "observed" if row.statistic in _OBSERVED else str(row.statistic)): row
        for row in list_rows(sites.table)
    }
    rows = [
        {
            "row": name_site(str(row.group)),
            "n": write_size(row, sites),
            "share": _display(cells.get((row.group, "share_seen"))),
            "observed": _write_observed(cells.get((row.group, "observed")), sites),
            "adjusted": str(row.display),
            "position": _display(cells.get((row.group, "position"))),
        }
        for row in list_rows(shown)
    ]
    whole = cells.get((WHOLE, "observed"))
    if whole is not None:
        rows.append(
            {
                "row": words.say("views.sites.all"),
                "n": write_size(whole, sites),
                "observed": write_interval(whole, sites),
            }
        )
    headings = {
        key: words.say(f"views.sites.{key}") for key in ("n", "share", "observed", "adjusted", "position")
    }
    return build_table_view(
        "sites", (sites,), pd.DataFrame(rows, columns=["row", *headings]), headings=headings,
        stub=words.say("views.sites.site"), released=sites.table,
        caption=" ".join([words.say(f"views.sites.{_key(shown, 'caption')}", **_place(shown, labels))]),
    )  # fmt: skip


def _write_observed(row: Any, sites: Release) -> str:
    return "" if row is None else write_interval(row, sites)


def _display(row: Any) -> str:
    return "" if row is None else str(row.display)


def name_site(site: str) -> str:
    """Return how a site is called: its alias, with a capital."""
    return capitalise(write_id(site))


def _key(shown: pd.DataFrame, name: str) -> str:
    return f"{name}_share" if shown["statistic"].iloc[0] == _ADJUSTED[1] else f"{name}_mean"


def _place(shown: pd.DataFrame, labels: Labels) -> dict[str, str]:
    return {
        "measure": labels.measure,
        "unit": labels.instrument.unit,
        "time": labels.time(str(shown["timepoint"].iloc[0])),
    }


def say_sites(sites: Release) -> View:
    """Say how many sites are set side by side, which lie outside the limits, and how to read that.

    Parameters
    ----------
    sites : Release
        Of the analysis ``site_funnel``.
    """
    words, labels, shown = read_words(), read_labels(sites), list_sites(sites)
    counts = {row.level: int(row.estimate) for row in list_rows(sites.where(statistic="n_sites").table)}
    unnamed = {key: n for key, n in counts.items() if key != "named" and n}
    texts = [explain_no_sites(sites)]
    if len(shown):
        texts = [words.say("views.sites.lead", n=len(shown), **_place(shown, labels)), *_say_outside(sites)]
    texts += [words.say(f"views.sites.{key}", n=n) for key, n in unnamed.items()]
    if len(shown):
        texts.append(words.say("views.sites.caution"))
    if days := list_days(shown):  # the findings stand here in words, without the mark of a number
        texts.append(words.say("release.held.unmarked", days=days))
    return build_view(
        "sites-sentence", "sentence", (sites,), f'<p id="{{id}}">{write_html(" ".join(texts))}</p>',
        alt=write_plain(" ".join(texts)),
    )  # fmt: skip


def _say_outside(sites: Release) -> list[str]:
    words = read_words()
    held = sites.where(statistic="position", shown=True).table
    texts = []
    for level in ("above_998", "above_95", "below_95", "below_998"):
        names = [f"**{name_site(str(site))}**" for site in held.loc[held["level"] == level, "group"]]
        if names:
            texts.append(words.say(f"views.sites.{level}", sites=join_words(names)))
    return texts or [words.say("views.sites.within")]
