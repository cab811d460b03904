"""Sentences around the answer: the title, the flow, the methods, what the records cannot show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import Instrument, Threshold, read_instrument, read_words
from outcomes.views.amounts import say_better
from outcomes.views.flow_chart import read_steps
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import list_merged
from outcomes.views.rules import SIGNS
from outcomes.views.table import render_list
from outcomes.views.text import capitalise, join_words, write_html
from outcomes.views.view import View, build_view


def say_title(change: Release) -> View:
    """Say the question of a page: it becomes the page's title.

    Parameters
    ----------
    change : Release
        Of the analysis ``change`` or ``domains``; what improves and under which therapies is read from it.
    """
    labels = read_labels(change)
    groups = [group for group in labels.therapies if group in set(change.table["group"])]
    words, merged = read_words(), list_merged(change)
    if EVERY in merged:
        text = words.say("sentences.title.together")
    elif len(groups) > 1 and change.name == "domains":
        text = words.say("sentences.title.profile")
    elif len(groups) == 1:
        text = words.say("sentences.title.one_therapy", therapy=labels.name(groups[0]))
    else:
        key = "several_kinds" if merged else "several"
        text = words.say(f"sentences.title.{key}", better=say_better(labels))
    return build_view("title", "title", (change,), f'<p id="{{id}}">{write_html(text)}</p>', alt=text)


def say_flow(flow: Release) -> View:
    """Say how many episodes and patients the records held, who was excluded and who remained."""
    steps = read_steps(flow)
    words = read_words()
    texts = [steps[0].remaining] if steps else [words.say("views.empty_nothing")]
    if len(steps) > 1:
        excluded = [text for step in steps for text in step.excluded]
        if excluded:
            texts.append(words.say("sentences.excluded", steps="; ".join(excluded)))
        texts.append(steps[-1].remaining)
    return _say("flow-sentence", (flow,), " ".join(f"{text}." for text in texts))


def say_limits(
    change: Release, regression_to_mean: Release | None = None, *, caveats: Iterable[str] = ()
) -> View:
    """Say what the records cannot show.

    Parameters
    ----------
    change : Release
        Of the analysis ``change``.
    regression_to_mean : Release, optional
        Of the analysis ``regression_to_mean``; without it nothing is said of its size.
    caveats : iterable of str
        Further sentences, beside those of the source that the release names.
    """
    words = read_words()
    labels = read_labels(change)
    items = [words.say(f"sentences.limit_choice_{labels.design}")]
    items += list(map(words.write, regression_to_mean.warnings)) if regression_to_mean is not None else []
    items += _say_regression(regression_to_mean)
    items += [words.say("sentences.limit_lost"), words.say("sentences.limit_cause")]
    items += [*map(words.write, change.origin.caveats or ()), *caveats]
    releases = (change,) if regression_to_mean is None else (change, regression_to_mean)
    body = "".join(f"<li>{write_html(item)}</li>" for item in dict.fromkeys(items) if item)
    return build_view(
        "limits", "sentence", releases, f'<ul class="facts" id="{{id}}">{body}</ul>', alt=" ".join(items)
    )


def _say_regression(release: Release | None) -> list[str]:
    if release is None:
        return []
    ends = [
        release.where(statistic=f"regression_to_mean_{end}", group="all", shown=True).table["display"]
        for end in ("low", "high")
    ]
    if not all(len(end) for end in ends):
        return []
    low, high = (end.iloc[0] for end in ends)
    unit = read_labels(release).instrument.unit
    return [read_words().say("sentences.regression", low=low, high=high, unit=unit)]


def say_methods(*releases: Release) -> View:
    """Say how the numbers were made: measure, analyses, estimand, rules, precision, where from.

    Parameters
    ----------
    *releases : Release
        Those of the page; each analysis is told once.
    """
    words = read_words()
    labels = read_labels(*releases)
    entries = _describe_instrument(labels)
    rules = {key: words.write(text) for key, text in (releases[0].origin.rules or {}).items()}
    # a release of several measures says of the first one too how it was read
    told_of = [words.write((release.origin.rules or {}).get("reading", "")) for release in releases]
    rules["reading"] = max(told_of, key=len)
    entries += [(words.say(f"sentences.rule.{key}"), text) for key, text in rules.items() if text]
    told = set()
    for release in releases:
        if release.name not in told:
            told.add(release.name)
            text = words.write((release.method, *release.warnings))
            entries.append((words.say(f"sentences.analysis.{release.name}"), text))
    estimands = dict.fromkeys(words.write(release.estimand) for release in releases if release.estimand)
    entries += [(words.say("sentences.estimand"), text) for text in estimands]
    noted = dict.fromkeys(words.write(note) for release in releases for note in release.notes)
    notes = [*noted, *_count_held(releases)]
    entries += [(words.say("sentences.numbers"), " ".join(notes))] if notes else []
    entries.append((words.say("sentences.made_from"), describe_origin(releases[0])))
    alt = " ".join(f"{term}: {text}" for term, text in entries)
    return build_view("methods", "sentence", releases, render_list(entries), alt=alt)


def _count_held(releases: Iterable[Release]) -> Iterator[str]:
    """Yield how many numbers are those of an earlier edition, where any is."""
    days = pd.concat([release.table["as_of"] for release in releases])
    if days.notna().any():
        words = read_words()
        yield words.say(
            "release.held.counted",
            n=int(days.notna().sum()),
            of=len(days),
            mark=words.say("release.as_of_mark"),
        )


def tabulate_instrument(release: Release) -> View:
    """List what is known of the measure: version, range, direction, thresholds with their source."""
    entries = _describe_instrument(read_labels(release))
    alt = " ".join(f"{term}: {text}" for term, text in entries)
    return build_view("instrument", "table", (release,), render_list(entries), alt=alt)


def _describe_instrument(labels: Labels) -> list[tuple[str, str]]:
    words, instrument, value_set = read_words(), labels.instrument, labels.value_set
    whole = read_instrument(instrument.id)
    variant = "" if value_set or not labels.variant else f" ({whole.name_variant(labels.variant)})"
    text = words.say(
        "sentences.instrument_text", name=f"{instrument.name}{variant}", unit=instrument.unit,
        version=instrument.version, low=f"{instrument.minimum:g}", high=f"{instrument.maximum:g}",
        source=instrument.source,
        direction=words.say(f"sentences.direction_{instrument.direction}"),
    )  # fmt: skip
    entries = [(words.say("sentences.instrument"), text)]
    if value_set is not None:
        text = words.say("sentences.value_set_text", label=value_set.label, source=value_set.source)
        entries.append((words.say("sentences.value_set"), f"{text} {value_set.note}".strip()))
    cited = [_describe_threshold(entry, instrument) for entry in instrument.thresholds if entry.verified]
    if cited:
        entries.append((words.say("sentences.thresholds"), "; ".join(cited)))
    return entries


def _describe_threshold(threshold: Threshold, instrument: Instrument) -> str:
    unit = instrument.unit if threshold.rule == "absolute" else "%"
    text = read_words().say(
        f"sentences.threshold_{threshold.rule}", value=f"{threshold.value:g}", unit=unit,
        comparison=SIGNS[threshold.comparison], source=threshold.source,
        kind=read_words().say(f"instrument_sheet.thresholds.kind.{threshold.kind}"),
        level=read_words().say(f"instrument_sheet.thresholds.level.{threshold.level}"),
        population=threshold.population,
    )  # fmt: skip
    return f"{text} {threshold.note}".strip()


def describe_origin(release: Release) -> str:
    """Return in words what a release was made from: source, records, version, day."""
    from outcomes import __version__

    words = read_words()
    origin = release.origin
    parts = [
        words.say("sentences.origin_source", source=origin.source) if origin.source else "",
        words.say("sentences.origin_records", fingerprint=(origin.fingerprint or "")[:8]),
        words.say("sentences.origin_package", version=__version__),
    ]
    return capitalise(join_words([part for part in parts if part]))


def _say(name: str, releases: tuple[Release, ...], text: str) -> View:
    return build_view(name, "sentence", releases, f'<p id="{{id}}">{write_html(text)}</p>', alt=text)
