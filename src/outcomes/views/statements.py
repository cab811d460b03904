"""Sentences around the answer: title, flow, methods, the ends of the measure, what records cannot show."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, product
from typing import Any

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import Text, Threshold, Value, Words, read_facts, read_instrument
from outcomes.result import ALL, Said
from outcomes.views.claims import Truth, all_of, deny, read_span, say_if
from outcomes.views.comparing import say_better
from outcomes.views.flow_chart import read_steps
from outcomes.views.labels import SIGNS, Labels, capitalise, name_variant, read_labels
from outcomes.views.released_rows import list_merged, list_rows, write_texts
from outcomes.views.table import build_list_view
from outcomes.views.view import View, build_sentence, build_view, made_from, write_html

#: Reasons that views print themselves, so that Methods need not repeat them.
_REASONS = {
    "detail.nothing_compared",
    "methods.change.no_baseline",
    "methods.change.no_direction",
    "methods.comparability.not_comparable",
    "methods.comparability.one_therapy",
    "methods.comparison.no_direction",
    "methods.site_funnel.few_sites",
    "methods.site_funnel.not_estimated",
    "methods.site_funnel.not_recorded",
    "methods.trend.few_periods",
    "methods.trend.no_dates",
    "release.not_compared",
}

__all__ = ["say_ends", "say_flow", "say_limits", "say_methods", "say_title", "tabulate_instrument"]


@made_from("change", "domains")
def say_title(change: Release) -> View:
    """Say the question of a page: it becomes the page's title.

    What improves and under which therapies is read from the release.
    """
    labels, words, merged = read_labels(change), change.words, list_merged(change)
    groups = [group for group in labels.therapies if group in set(change.table["group"])]
    if EVERY in merged:
        text = words.say("sentences.title.together")
    elif len(groups) > 1 and change.name == "domains":
        text = words.say("sentences.title.profile")
    elif len(groups) == 1:
        text = words.say("sentences.title.one_therapy", therapy=labels.name(groups[0]))
    else:
        key = "several_kinds" if merged else "several"
        text = words.say(f"sentences.title.{key}", better=say_better(labels))
    return build_sentence("title", change, text, "title")


@made_from("flow")
def say_flow(flow: Release) -> View:
    """Say how many episodes and patients the records held, who was excluded and who remained."""
    steps, words = read_steps(flow), flow.words
    texts = [steps[0].remaining] if steps else [words.say("views.empty_nothing")]
    if len(steps) > 1:
        excluded = [text for step in steps for text in step.excluded]
        if excluded:
            texts.append(words.say("sentences.excluded", steps="; ".join(excluded)))
        texts.append(steps[-1].remaining)
    return build_sentence("flow-sentence", flow, " ".join(f"{text}." for text in texts))


@made_from("floor_ceiling")
def say_ends(ends: Release) -> View:
    """Say at which times many patients had the lowest or the highest score there is.

    Sentences: the shares that are higher than an accepted limit (see ``psychometrics.toml``), of all patients
    or else of a therapy's; for a measurement that stops at some value every share that stopped there; and
    what that means. That no share is higher is said only where it follows from what is shown.
    """
    return build_sentence("ends", ends, " ".join(_say_ends(ends, read_labels(ends))))


def _say_ends(ends: Release, labels: Labels) -> Iterator[str]:
    words, stop = labels.words, labels.instrument.censored_at
    if stop is not None:
        values = {"measure": labels.measure, "limit": f"{stop:g}", "unit": labels.unit}
        yield words.say("sentences.ends_censored", **values)
    most = read_facts("psychometrics")["floor_ceiling"]["most_share"]
    said = [text for end in ("floor", "ceiling") if (text := _say_end(end, ends, labels, most))]
    if said:
        yield capitalise(" ".join([*said, words.say("sentences.ends_meaning")]))
        return
    for key, group in (("ends_few", None), ("ends_few_together", ALL)):
        few = say_if(_has_few(ends, labels, most, group), words, f"sentences.{key}", most=f"{100 * most:g} %")
        if few:
            yield few
            return
    yield words.say("sentences.ends_withheld")


def _say_end(end: str, ends: Release, labels: Labels, most: float) -> str:
    """Say which shares at an end are higher than the limit: of all patients, else of single therapies."""
    words, stop = labels.words, labels.instrument.censored_at
    limit = getattr(labels.instrument, "maximum" if end == "ceiling" else "minimum")
    above = [
        row
        for row in list_rows(ends.where(statistic=f"share_at_{end}", shown=True).table)
        if read_span(row, ends, marked=True).is_above(0 if stop == limit else most)
    ]
    of_all = {row.timepoint for row in above if row.group == ALL}
    told = [row for row in above if row.group == ALL or row.timepoint not in of_all]
    if not told:
        return ""
    shares = []
    for row in told:
        key, time = f"ends_share{'' if row.group == ALL else '_of'}", labels.time(row.timepoint)
        group = labels.name(row.group)
        shares.append(words.say(f"sentences.{key}", share=row.display, time=time, group=group))
    value = f"{limit:g}".replace("-", "−")
    value += "" if labels.instrument.unit == "points" else f" {labels.unit}"
    return words.say(f"sentences.ends_{end}", shares=words.join(shares), value=value)


def _has_few(ends: Release, labels: Labels, most: float, group: str | None) -> Truth:
    """Return whether at no time a share at an end is above the limit: of any group, or of one."""
    rows = {(row.statistic, row.group, row.timepoint): row for row in list_rows(ends.table)}
    groups = [group] if group else {ALL, *(ends.origin.therapies or ()), *(key[1] for key in rows)}
    places = product(("share_at_floor", "share_at_ceiling"), groups, labels.timepoints)
    return all_of(_is_few(rows.get(place), ends, most) for place in places)


def _is_few(row: Any, ends: Release, most: float) -> Truth:
    """Return whether a share is not above the limit; True where no patient was seen."""
    nobody = row is not None and read_span(row, ends, "n").high == 0
    return nobody or deny(read_span(row, ends).is_above(most))


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
    words = change.words
    items = [words.say(f"sentences.limit_choice_{read_labels(change).design}")]
    if regression_to_mean is not None:
        items += [*write_texts(regression_to_mean.warnings, words), *_say_regression(regression_to_mean)]
    items += [words.say("sentences.limit_lost"), words.say("sentences.limit_cause")]
    items += write_texts([*(change.origin.caveats or ()), *caveats], words)
    releases = (change,) if regression_to_mean is None else (change, regression_to_mean)
    body = "".join(f"<li>{write_html(item)}</li>" for item in dict.fromkeys(items) if item)
    return build_view(
        "limits", "sentence", releases, f'<ul class="facts" id="{{id}}">{body}</ul>', alt=" ".join(items)
    )


def _say_regression(release: Release) -> list[str]:
    ends = [
        release.where(statistic=f"regression_to_mean_{end}", group=ALL, shown=True).table["display"]
        for end in ("low", "high")
    ]
    if not all(len(end) for end in ends):
        return []
    low, high = (end.iloc[0] for end in ends)
    return [release.words.say("sentences.regression", low=low, high=high, unit=read_labels(release).unit)]


def say_methods(*releases: Release) -> View:
    """Say how the numbers were made: measure, analyses, estimand, rules, precision, where from.

    Parameters
    ----------
    *releases : Release
        Those of the page; each analysis is told once.
    """
    first, words = releases[0], releases[0].words
    entries = _describe_instrument(read_labels(*releases))
    estimands = merge_estimands(release.estimand for release in releases)
    stated = {str(words.write(part)) for text in estimands for part in text.values.values()}
    rules = dict(first.origin.rules or {})
    # a release of several measures says of the first one too how it was read
    told_of = [words.write((release.origin.rules or {}).get("reading", "")) for release in releases]
    rules["reading"] = max(map(str, told_of), key=len)
    written = {key: str(words.write(text)) for key, text in rules.items() if text}
    entries += [
        (words.say(f"sentences.rule.{key}"), text) for key, text in written.items() if text not in stated
    ]
    entries += _describe_analyses(releases, words)
    entries += [(words.say("sentences.estimand"), text) for text in write_texts(estimands, words)]
    notes = write_texts(drop_reasons(note for release in releases for note in release.notes), words)
    notes = list(dict.fromkeys(notes))
    entries += [(words.say("sentences.numbers"), " ".join(notes))] if notes else []
    entries.append((words.say("sentences.made_from"), describe_origin(first)))
    return build_list_view("methods", "sentence", releases, entries)


def _describe_analyses(releases: Iterable[Release], words: Words) -> list[tuple[str, str]]:
    """Return how each analysis works, by its name; what holds for several of them under all their names."""
    said: dict[str, list[str]] = {}  # the first release of each
    for release in releases:
        method = release.method if isinstance(release.method, tuple) else (release.method,)
        said.setdefault(release.name, write_texts(drop_reasons([*method, *release.warnings]), words))
    entries: dict[tuple[str, ...], dict[str, None]] = {}
    for text in chain.from_iterable(said.values()):
        names = tuple(name for name, texts in said.items() if text in texts)
        entries.setdefault(names, {})[text] = None
    return [
        (words.join(words.say(f"methods.{name}.name") for name in names), " ".join(texts))
        for names, texts in entries.items()
    ]


def drop_reasons(texts: Iterable[object]) -> list[object]:
    """Return texts without the reasons that the views give."""
    return [text for text in texts if not (isinstance(text, Text) and text.key in _REASONS)]


def merge_estimands(estimands: Iterable[Said]) -> list[Text]:
    """Return estimands, those of the same patients, therapies and events as one with several summaries."""
    merged: dict[str, Text] = {}
    summaries: dict[str, dict[Value, None]] = {}
    for text in (text for text in estimands if isinstance(text, Text)):
        key = str(replace(text, values={**text.values, "summary": ""}))
        summaries.setdefault(key, {})[text.values["summary"]] = None
        merged[key] = replace(text, values={**text.values, "summary": tuple(summaries[key])})
    return list(merged.values())


@made_from("change")
def tabulate_instrument(release: Release) -> View:
    """List what is known of the measure: version, range, direction, thresholds with their source."""
    return build_list_view("instrument", "table", release, _describe_instrument(read_labels(release)))


def _describe_instrument(labels: Labels) -> list[tuple[str, str]]:
    words, instrument, value_set = labels.words, labels.instrument, labels.value_set
    name = words.name("instruments", instrument.id, instrument.name)
    if labels.variant and not value_set:
        name = f"{name} ({name_variant(read_instrument(instrument.id), labels.variant, words)})"
    text = words.say(
        "sentences.instrument_text",
        name=name,
        unit=labels.unit,
        version=words.name("versions", instrument.id, instrument.version),
        low=f"{instrument.minimum:g}",
        high=f"{instrument.maximum:g}",
        source=instrument.source,
        direction=words.say(f"sentences.direction_{instrument.direction}"),
    )
    entries = [(words.say("sentences.instrument"), text)]
    if value_set is not None:
        label = words.name("value_sets", value_set.id, value_set.label)
        text = words.say("sentences.value_set_text", label=label, source=value_set.source)
        note = words.name("value_set_notes", value_set.id, value_set.note)
        entries.append((words.say("sentences.value_set"), f"{text} {note}".strip()))
    cited = [_describe_threshold(entry, labels) for entry in instrument.thresholds if entry.verified]
    if cited:
        entries.append((words.say("sentences.thresholds"), "; ".join(cited)))
    return entries


def _describe_threshold(threshold: Threshold, labels: Labels) -> str:
    words, place = labels.words, f"{labels.instrument.id}:{threshold.id}"
    text = words.say(
        f"sentences.threshold_{threshold.rule}",
        value=f"{threshold.value:g}",
        unit=labels.unit if threshold.rule == "absolute" else "%",
        comparison=SIGNS[threshold.comparison],
        source=threshold.source,
        kind=words.say(f"instrument_sheet.thresholds.kind.{threshold.kind}"),
        level=words.say(f"instrument_sheet.thresholds.level.{threshold.level}"),
        population=words.name("populations", place, threshold.population),
    )
    return f"{text} {words.name('threshold_notes', place, threshold.note)}".strip()


def describe_origin(release: Release) -> str:
    """Return in words what a release was made from: source, records, version, day."""
    from outcomes import __version__

    words, origin = release.words, release.origin
    parts = [
        words.say("sentences.origin_source", source=origin.source) if origin.source else "",
        words.say("sentences.origin_records", fingerprint=origin.fingerprint[:8])
        if origin.fingerprint
        else "",
        words.say("sentences.origin_package", version=__version__),
    ]
    return capitalise(words.join(part for part in parts if part))
