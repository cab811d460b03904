"""What stands around a page's sections, and what the page's file is called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import outcomes
from outcomes.cohort import read_filters
from outcomes.facts import Source, Words
from outcomes.reports.page import Page, build_sections
from outcomes.reports.parameters import Value
from outcomes.views.labels import name_column, name_level, name_measure
from outcomes.views.view import View

if TYPE_CHECKING:
    from nbformat import NotebookNode

# parameters that tell pages of one notebook and source apart, in the order of their file name
_TELLING = (
    "instrument", "variant", "timepoint", "reference", "threshold", "therapy", "site", "therapist", "region",
    "only", "therapies", "timepoints", "since", "until", "measured", "every", "audience",
)  # fmt: skip
# what a page of a part of the records is about, shown above its title
_PARTS = ("site", "therapist", "region")
_SHOWN_OF_FINGERPRINT = 12
_LONGEST_NAME = 160


def build_page(
    report: str,
    notebook: NotebookNode,
    views: Mapping[str, View],
    values: Mapping[str, Value],
    source: Source | None,
    day: datetime,
    fingerprint: str,
    words: Words,
) -> Page:
    """Put a page together from an executed notebook, its released views and what was asked.

    Parameters
    ----------
    report : str
        Name of the notebook.
    notebook : NotebookNode
    views : mapping of View
        By id.
    values : mapping
        The run's parameters; only audience, instrument, clinic, period, prepared_by and contact are shown.
    source : Source or None
        Of the records, where the notebook has one.
    day : datetime
        Of the run; shown to the day.
    fingerprint : str
        Of the records; its beginning is shown.
    words : Words

    Returns
    -------
    Page
    """
    title, opening, sections = build_sections(report, notebook, views, words)
    return Page(
        title=title,
        kicker=_say_kicker(values, source, words),
        byline=_say_byline(values, words),
        banners=_say_banners(source, words),
        caveats=_list_answered(views) if values["audience"] == "team" else (),
        footer=_say_footer(day, fingerprint, words),
        opening=opening,
        sections=sections,
    )


def name_page(name: str, values: Mapping[str, Value], source: Source | None) -> str:
    """Return a page's file name without suffix, made of plain letters.

    Examples
    --------
    >>> name_page("therapy_comparison", {"instrument": "nprs", "variant": "", "audience": "team"}, None)
    'therapy_comparison-nprs-team'
    """
    primary = source.primary if source else {}
    parts = [name, source.name if source else ""]
    for key in _TELLING:
        value = values.get(key) or (primary.get(key) if key == "instrument" and key in values else "")
        parts.append("-".join(map(str, value)) if isinstance(value, list) else str(value or ""))
    slugs = [re.sub(r"[^a-z0-9_]+", "-", part.lower()).strip("-") for part in parts]
    spelled = "-".join(slug for slug in slugs if slug)
    # names that plain letters cannot tell apart, such as those of sites, are told apart by their hash
    if (
        any(slug != part.lower() for slug, part in zip(slugs, parts, strict=True))
        or len(spelled) > _LONGEST_NAME
    ):
        digest = hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()[:8]
        spelled = f"{spelled[: _LONGEST_NAME - 9]}-{digest}"
    return spelled


def _say_kicker(values: Mapping[str, Value], source: Source | None, words: Words) -> tuple[str, ...]:
    primary = source.primary if source else {}
    instrument = (values.get("instrument") or primary.get("instrument")) if "instrument" in values else None
    variant = str(values.get("variant") or "")
    if not variant and instrument == primary.get("instrument"):
        variant = str(primary.get("variant") or "")
    parts = (
        values.get("clinic") or (source and (source.clinic or source.label)),
        instrument and name_measure(str(instrument), variant, words),
        *(name_level(name, str(values[name]), words) for name in _PARTS if values.get(name)),
        *_label_filters(values.get("only"), words),
        values.get("period") or (source and source.period),
        words.say(f"page.audiences.{values['audience']}"),
    )
    return tuple(str(part) for part in parts if part)


def _label_filters(only: Value, words: Words) -> Iterator[str]:
    """Yield what each filter keeps, in words."""
    for name, wanted in read_filters(only if isinstance(only, list) else []).items():
        said = wanted if isinstance(wanted, list) else [wanted]
        if isinstance(wanted, tuple):
            said = ["–".join(end or "" for end in wanted)]
        levels = ", ".join(name_level(name, str(one), words) for one in said)
        yield f"{name_column(name, words)}: {levels}"


def _say_byline(values: Mapping[str, Value], words: Words) -> tuple[str, ...]:
    return tuple(
        words.say(f"page.{key}", who=values[key]) for key in ("prepared_by", "contact") if values.get(key)
    )


def _say_banners(source: Source | None, words: Words) -> tuple[str, ...]:
    return (words.say("page.made_up"),) if source and source.made_up else ()


def _list_answered(views: Mapping[str, View]) -> tuple[str, ...]:
    """Return what the source answered against the evidence: it counts patients, and is for the team."""
    told = (text for view in views.values() for text in view.provenance.get("answered", ()))
    return tuple(dict.fromkeys(map(str, told)))


def _say_footer(day: datetime, fingerprint: str, words: Words) -> tuple[str, ...]:
    made_from = (
        [words.say("page.records", fingerprint=fingerprint[:_SHOWN_OF_FINGERPRINT])] if fingerprint else []
    )
    version = words.say("page.version", version=outcomes.__version__)
    return (*made_from, version, words.say("page.day", day=day.date().isoformat()))
