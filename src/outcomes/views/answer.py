"""The answer in words: which therapy goes with the larger improvement, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import Therapy, Timepoint, read_words
from outcomes.result import WITHOUT_ESTIMATE
from outcomes.views.amounts import say_amount, say_better, say_between, tells_apart
from outcomes.views.comparing import allows_for_several, pick_contrasts, pick_reference, pick_time
from outcomes.views.description import describe_course, describe_groups
from outcomes.views.labels import Labels, read_labels
from outcomes.views.released_rows import explain_mark, explain_state, list_merged, list_rows, say_detail
from outcomes.views.rules import cite, find_rule, name_rule
from outcomes.views.text import capitalise, escape_emphasis, join_words, write_html, write_plain
from outcomes.views.view import View, build_view


@dataclass(frozen=True)
class Answer:
    """An answer in parts, each a sentence or more with ``**words**`` for emphasis.

    Parameters
    ----------
    lead : str
        The answer itself.
    facts : tuple of (str, str)
        A question in bold and what can be said to it.
    caution : str
        What must not be read into it.
    """

    lead: str
    facts: tuple[tuple[str, str], ...]
    caution: str


def say_answer(
    change: Release,
    contrasts: Release | None = None,
    standardised: Release | None = None,
    comparability: Release | None = None,
    *,
    therapies: Mapping[str, Therapy] | None = None,
    timepoints: Mapping[str, Timepoint] | None = None,
) -> View:
    """Say in words what was found: the answer, whether it matters, how sure it is, whether it is fair.

    Parameters
    ----------
    change, contrasts, standardised, comparability : Release
        Of the analyses ``change``, ``over_time`` (or ``ancova``), ``standardised`` and ``comparability``, for
        one audience.
    therapies, timepoints : mapping, optional
        Labels to use instead of those that the releases name.

    Returns
    -------
    View
        A sentence view. Therapies are compared only where the checks pass or therapy was allocated at random;
        else it says why not and describes each. A difference is set against a threshold between groups where
        one is cited, never against one for single patients.
    """
    releases = tuple(entry for entry in (change, contrasts, standardised, comparability) if entry is not None)
    labels = read_labels(*releases, therapies=therapies, timepoints=timepoints)
    verdict = find_verdict(change, comparability)
    if verdict == "one_therapy":
        answer = _answer_one(change, labels)
    elif verdict == "not_comparable" or contrasts is None:
        answer = _answer_without_comparing(change, comparability, labels)
    else:
        answer = _answer_comparing(change, contrasts, standardised, labels, verdict)
    detail = say_detail(change)
    if detail:
        first = (read_words().say("sentences.detail"), detail)
        answer = replace(answer, facts=(first, *answer.facts))
    return _render(answer, releases)


def find_verdict(change: Release, comparability: Release | None) -> str:
    """Return the verdict of the checks; without them, therapies count as not comparable."""
    if comparability is not None:
        named = comparability.where(statistic="verdict").table["level"]
        if len(named):
            return str(named.iloc[0])
    groups = set(change.table["group"].dropna()) - {"all"}
    return "one_therapy" if len(groups) <= 1 else "not_comparable"


def _answer_one(change: Release, labels: Labels) -> Answer:
    words = read_words()
    course = describe_course(change, labels)
    only = "" if EVERY in list_merged(change) else f"{words.say('sentences.one_therapy')} "
    return Answer(f"{only}{course}", (), _caution(labels))


def _answer_without_comparing(change: Release, comparability: Release | None, labels: Labels) -> Answer:
    words = read_words()
    reasons = list(map(words.write, comparability.warnings)) if comparability is not None else []
    lead = " ".join(map(escape_emphasis, reasons)) or words.say("sentences.not_compared")
    facts = [(words.say("sentences.what_happened"), describe_groups(change, labels))]
    if comparability is not None:
        facts.append((words.say("sentences.comparable"), words.say("sentences.comparable_no")))
    return Answer(lead, tuple(facts), _caution(labels))


def _answer_comparing(
    change: Release, contrasts: Release, standardised: Release | None, labels: Labels, verdict: str
) -> Answer:
    words = read_words()
    time = pick_time(contrasts, "contrast", labels)
    pairs = pick_contrasts(contrasts, labels, time, all_pairs=True)
    reference = pick_reference(pairs, labels)
    rows = [row for row in list_rows(pairs) if row.shown]
    against = [row for row in rows if row.versus == reference]
    if not against or reference is None or time is None:
        facts = ((words.say("sentences.what_happened"), describe_groups(change, labels)),)
        return Answer(_say_none(pairs, contrasts), facts, _caution(labels))
    lead = " ".join(
        part
        for part in (
            _lead(against, reference, time, labels, contrasts),
            _others_apart(rows, against, reference, labels),
            _unclear(against, reference, labels, contrasts),
            _missing(pairs, reference, labels),
        )
        if part
    )
    said = (
        (words.say("sentences.matters"), _matter(against, standardised, reference, labels, contrasts)),
        (words.say("sentences.sure"), _sure(against, reference, labels, contrasts)),
        (words.say("sentences.comparable"), words.say(f"sentences.comparable_{verdict}")),
    )
    return Answer(lead, said, _caution(labels, verdict))


def _say_none(pairs: Any, contrasts: Release) -> str:
    """Say why no difference can be given: the one reason that all share, else that patients are too few."""
    words = read_words()
    states = set(pairs["state"]) if len(pairs) else set()
    if len(states) == 1 and states <= WITHOUT_ESTIMATE - {"too_few"}:
        return words.say("sentences.none_estimated", why=explain_state(states.pop()))
    return words.say("sentences.too_few", k=contrasts.k)


def _lead(against: Sequence[Any], reference: str, time: str, labels: Labels, release: Release) -> str:
    """Say which therapies differ from the reference, better ones first."""
    words = read_words()
    sentences: list[str] = []
    for better in (True, False):
        rows = [
            row
            for row in against
            if tells_apart(row) and (row.estimate * labels.instrument.sign > 0) == better
        ]
        if rows:
            sentences.append(
                words.say(
                    f"sentences.lead_{labels.design}" if not sentences else "sentences.lead_also",
                    time=labels.time(time), groups=_emphasise(rows, labels), versus=labels.name(reference),
                    better=say_better(labels, better), scale=labels.scale,
                    amounts=join_words([say_amount(row, labels, release) for row in rows]),
                )
            )  # fmt: skip
    if not sentences:
        return words.say(
            "sentences.lead_none",
            time=labels.time(time),
            versus=labels.name(reference),
            measure=labels.measure,
        )
    return " ".join(sentences)


def _emphasise(rows: Sequence[Any], labels: Labels) -> str:
    return join_words([f"**{escape_emphasis(labels.name(row.group))}**" for row in rows], "or")


def _others_apart(rows: Sequence[Any], against: Sequence[Any], reference: str, labels: Labels) -> str:
    """Say whether the therapies that differ from the reference can be told from each other."""
    words = read_words()
    clear = [row.group for row in against if tells_apart(row)]
    between = [row for row in rows if reference != row.versus and {row.group, row.versus} <= set(clear)]
    if len(clear) < 2 or not between:
        return ""
    apart = [row for row in between if tells_apart(row)]
    if not apart:
        return words.say(
            "sentences.not_told_apart_two" if len(clear) == 2 else "sentences.not_told_apart_more"
        )
    pairs = []
    for row in apart:
        first, second = (row.group, row.versus)
        if row.estimate * labels.instrument.sign < 0:
            first, second = second, first
        pairs.append(words.say("sentences.ahead_of", group=labels.name(first), versus=labels.name(second)))
    key = "sentences.told_apart" if len(apart) < len(between) else "sentences.told_apart_all"
    return words.say(key, pairs=join_words(pairs))


def _unclear(against: Sequence[Any], reference: str, labels: Labels, release: Release) -> str:
    """Say which therapies cannot be told from the reference, with their intervals."""
    words = read_words()
    rows = [row for row in against if not tells_apart(row)]
    said = [
        words.say(
            "sentences.unclear_one", group=labels.name(row.group), interval=say_between(row, labels, release)
        )
        for row in rows
    ]
    return (
        words.say("sentences.unclear", groups=capitalise(join_words(said)), versus=labels.name(reference))
        if said
        else ""
    )


def _missing(pairs: Any, reference: str, labels: Labels) -> str:
    absent = [row.group for row in list_rows(pairs) if row.versus == reference and not row.shown]
    if not absent:
        return ""
    return read_words().say(
        "sentences.not_shown", groups=join_words([labels.name(group) for group in absent])
    )


def _matter(
    against: Sequence[Any], standardised: Release | None, reference: str, labels: Labels, release: Release
) -> str:
    """Set differences against a cited threshold between groups; where none is cited, say shares instead."""
    words = read_words()
    cited = next((entry for entry in labels.instrument.thresholds if entry.level == "between-group"), None)
    if cited is None:
        said = [words.say("sentences.no_group_threshold", measure=labels.instrument.short_name)]
    else:
        said = [
            words.say(
                "sentences.group_threshold", value=f"{cited.value:g}", unit=labels.instrument.unit,
                source=cite(cited),
            )
        ]  # fmt: skip
        for row in (entry for entry in against if tells_apart(entry)):
            said.append(_set_against(row, cited.value, labels))
    shares = _say_shares(standardised, reference, labels)
    return " ".join([*said, shares] if shares else said)


def _set_against(row: Any, threshold: float, labels: Labels) -> str:
    low, high = sorted((abs(row.conf_low), abs(row.conf_high)))
    key = "beyond" if low >= threshold else "below" if high < threshold else "around"
    return read_words().say(f"sentences.threshold_{key}", group=capitalise(labels.name(row.group)))


def _say_shares(standardised: Release | None, reference: str, labels: Labels) -> str:
    if standardised is None:
        return ""
    shares = standardised.where(statistic="share_improved_standardised", shown=True).table
    rows = {row.group: row for row in list_rows(shares)}
    if reference not in rows or len(rows) < 2:
        return ""
    words = read_words()
    said = [
        words.say("sentences.share_of", share=rows[group].display, group=labels.name(group))
        for group in [*(group for group in labels.order(rows) if group != reference), reference]
    ]
    rule = name_rule(str(rows[reference].level), labels, source=False)
    threshold = find_rule(str(rows[reference].level), labels)
    noticed = threshold is not None and threshold.kind == "MIC"
    key = "sentences.shares_noticed" if noticed else "sentences.shares"
    return words.say(key, shares=join_words(said), rule=rule[:1].lower() + rule[1:])


def _sure(against: Sequence[Any], reference: str, labels: Labels, contrasts: Release) -> str:
    """Say how many differences are clear after allowing for their number, and what the intervals mean."""
    words = read_words()
    clear = sum(tells_apart(row) for row in against)
    key = (
        "sentences.sure_all"
        if clear == len(against)
        else "sentences.sure_none"
        if not clear
        else "sentences.sure_some"
    )
    if len(against) == 1:
        key = f"sentences.sure_one_{'clear' if clear else 'unclear'}"
    counts = words.say(key, clear=clear, all=len(against), versus=labels.name(reference))
    together = f" {words.say('sentences.sure_together')}" if allows_for_several(contrasts) else ""
    return f"{counts}{together} {words.say('sentences.sure_interval')}"


def _caution(labels: Labels, verdict: str = "") -> str:
    words = read_words()
    first = "" if verdict == "randomised" else f"{words.say('sentences.caution_routine')} "
    domain = "pain" if labels.instrument.domain.startswith(("pain", "function")) else "other"
    return f"{first}{words.say(f'sentences.caution_{domain}')}"


def _render(answer: Answer, releases: tuple[Release, ...]) -> View:
    facts = "".join(
        f"<li><b>{write_html(question)}</b> {write_html(text)}</li>"
        for question, text in answer.facts
        if text
    )
    said = [answer.lead, *(text for _, text in answer.facts), answer.caution]
    marked = explain_mark(pd.concat([release.table for release in releases]), " ".join(said))
    caution = " ".join(filter(None, [answer.caution, marked]))
    fragment = (
        f'<div class="answer" id="{{id}}"><p class="lead">{write_html(answer.lead)}</p>'
        + (f'<ul class="facts">{facts}</ul>' if facts else "")
        + f'<p class="caution">{write_html(caution)}</p></div>'
    )
    plain = " ".join([answer.lead, *(f"{q} {text}" for q, text in answer.facts if text), caution])
    return build_view("answer", "sentence", releases, fragment, alt=write_plain(plain))
