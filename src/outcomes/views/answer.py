"""The answer in words: which therapy goes with the larger improvement, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import Text
from outcomes.result import ALL, WITHOUT_ESTIMATE
from outcomes.views.comparing import (
    allows_for_several,
    pick_contrasts,
    pick_reference,
    pick_time,
    say_amount,
    say_better,
    say_between,
    tells_apart,
)
from outcomes.views.labels import Labels, capitalise, cite, find_rule, name_rule, read_labels
from outcomes.views.released_rows import (
    explain_absence,
    explain_mark,
    explain_state,
    list_merged,
    list_rows,
    say_cautions,
    say_detail,
    write_ends,
    write_size,
    write_texts,
)
from outcomes.views.view import View, build_view, escape_emphasis, write_html, write_plain

__all__ = ["say_answer"]


@dataclass(frozen=True)
class SaidAnswer:
    """An answer in parts, each a sentence or more with ``**words**`` for emphasis."""

    #: The answer itself.
    lead: str
    #: Questions, each with what can be said to it.
    facts: tuple[tuple[str, str], ...]
    #: What must not be read into it.
    caution: str


def say_answer(
    change: Release,
    contrasts: Release | None = None,
    standardised: Release | None = None,
    comparability: Release | None = None,
) -> View:
    """Say in words what was found: the answer, whether it matters, how sure it is, whether it is fair.

    Therapies are compared only where the checks pass or therapy was allocated at random; else it says why not
    and describes each. A difference is set against a threshold between groups where one is cited, never
    against one for single patients.

    Parameters
    ----------
    change, contrasts, standardised, comparability : Release
        Of the analyses ``change``, ``over_time`` (or ``ancova``), ``standardised`` and ``comparability``, for
        one audience.
    """
    releases = tuple(entry for entry in (change, contrasts, standardised, comparability) if entry is not None)
    labels = read_labels(*releases)
    verdict = find_verdict(change, comparability)
    if verdict == "one_therapy":
        alone = (Text("methods.comparability.one_therapy"),)
        said = alone if comparability is None else comparability.warnings
        only = [] if EVERY in list_merged(change) else write_texts(said, labels.words)
        lead = " ".join([*map(escape_emphasis, only), describe_course(change, labels)])
        answer = SaidAnswer(lead, (), _caution(labels))
    elif verdict == "not_comparable" or contrasts is None:
        answer = _answer_without_comparing(change, comparability, labels)
    else:
        answer = _answer_comparing(change, contrasts, standardised, labels, verdict)
    detail = say_detail(change)
    if detail:
        first = (change.words.say("sentences.detail"), detail)
        answer = replace(answer, facts=(first, *answer.facts))
    return _render(answer, releases)


def find_verdict(change: Release, comparability: Release | None) -> str:
    """Return the verdict of the checks; without them, therapies count as not comparable."""
    if comparability is not None:
        named = comparability.where(statistic="verdict").table["level"]
        if len(named):
            return str(named.iloc[0])
    groups = set(change.table["group"].dropna()) - {ALL}
    return "one_therapy" if len(groups) <= 1 else "not_comparable"


def _answer_without_comparing(change: Release, comparability: Release | None, labels: Labels) -> SaidAnswer:
    words = labels.words
    reasons = write_texts(comparability.warnings, words) if comparability is not None else []
    lead = " ".join(map(escape_emphasis, reasons)) or words.say("sentences.not_compared")
    facts = [(words.say("sentences.what_happened"), describe_groups(change, labels))]
    if comparability is not None:
        facts.append((words.say("sentences.comparable"), words.say("sentences.comparable_no")))
    return SaidAnswer(lead, tuple(facts), _caution(labels))


def _answer_comparing(
    change: Release, contrasts: Release, standardised: Release | None, labels: Labels, verdict: str
) -> SaidAnswer:
    words = labels.words
    time = pick_time(contrasts, "contrast", labels)
    pairs = pick_contrasts(contrasts, labels, time, all_pairs=True)
    reference = pick_reference(pairs, labels)
    rows = [row for row in list_rows(pairs) if row.shown]
    against = [row for row in rows if row.versus == reference]
    if not against or reference is None or time is None:
        facts = ((words.say("sentences.what_happened"), describe_groups(change, labels)),)
        return SaidAnswer(_say_none(pairs, contrasts), facts, _caution(labels))
    hidden = [row for row in list_rows(pairs) if row.versus == reference and not row.shown]
    missing = words.join(labels.name(row.group) for row in hidden)
    lead = [
        _lead(against, reference, time, labels, contrasts),
        _others_apart(rows, against, reference, labels),
        _unclear(against, reference, labels, contrasts),
        words.say("sentences.not_shown", groups=missing) if hidden else "",
    ]
    said = (
        (words.say("sentences.matters"), _matter(against, standardised, reference, labels)),
        (words.say("sentences.sure"), _sure(against, reference, labels, contrasts)),
        (words.say("sentences.comparable"), words.say(f"sentences.comparable_{verdict}")),
    )
    return SaidAnswer(" ".join(filter(None, lead)), said, _caution(labels, verdict))


def _say_none(pairs: Any, contrasts: Release) -> str:
    """Say why no difference can be given: the one reason that all share, else that patients are too few."""
    words = contrasts.words
    states = set(pairs["state"]) if len(pairs) else set()
    if len(states) == 1 and states <= WITHOUT_ESTIMATE - {"too_few"}:
        return words.say("sentences.none_estimated", why=explain_state(states.pop(), words))
    return words.say("sentences.too_few", k=contrasts.k)


def _lead(against: Sequence[Any], reference: str, time: str, labels: Labels, release: Release) -> str:
    """Say which therapies differ from the reference, better ones first."""
    words = labels.words
    place = {"time": labels.time(time), "versus": labels.name(reference)}
    place |= {"scale": labels.scale, "measure": labels.measure}
    sentences: list[str] = []
    for better in (True, False):
        apart = [row for row in against if tells_apart(row)]
        rows = [row for row in apart if (row.estimate * labels.instrument.sign > 0) == better]
        if rows:
            groups = words.join((f"**{escape_emphasis(labels.name(row.group))}**" for row in rows), "or")
            amounts = words.join(say_amount(row, labels, release) for row in rows)
            key = "lead_also" if sentences else f"lead_{labels.design}"
            said = {"groups": groups, "amounts": amounts, "better": say_better(labels, better)}
            sentences.append(words.say(f"sentences.{key}", **place, **said))
    return " ".join(sentences) or words.say("sentences.lead_none", **place)


def _others_apart(rows: Sequence[Any], against: Sequence[Any], reference: str, labels: Labels) -> str:
    """Say whether the therapies that differ from the reference can be told from each other."""
    words = labels.words
    clear = [row.group for row in against if tells_apart(row)]
    between = [row for row in rows if reference != row.versus and {row.group, row.versus} <= set(clear)]
    if len(clear) < 2 or not between:
        return ""
    apart = [row for row in between if tells_apart(row)]
    if not apart:
        return words.say(f"sentences.not_told_apart_{'two' if len(clear) == 2 else 'more'}")
    pairs = []
    for row in apart:
        ahead = row.estimate * labels.instrument.sign > 0
        first, second = (row.group, row.versus) if ahead else (row.versus, row.group)
        pairs.append(words.say("sentences.ahead_of", group=labels.name(first), versus=labels.name(second)))
    key = "sentences.told_apart" if len(apart) < len(between) else "sentences.told_apart_all"
    return words.say(key, pairs=words.join(pairs))


def _unclear(against: Sequence[Any], reference: str, labels: Labels, release: Release) -> str:
    """Say which therapies cannot be told from the reference, with their intervals."""
    words, said = labels.words, []
    for row in against:
        if not tells_apart(row):
            told = {"group": labels.name(row.group), "interval": say_between(row, labels, release)}
            said.append(words.say("sentences.unclear_one", **told))
    groups = capitalise(words.join(said))
    return words.say("sentences.unclear", groups=groups, versus=labels.name(reference)) if said else ""


def _matter(against: Sequence[Any], standardised: Release | None, reference: str, labels: Labels) -> str:
    """Set differences against a cited threshold between groups; where none is cited, say shares instead."""
    words = labels.words
    instrument = labels.instrument
    cited = next((entry for entry in instrument.thresholds if entry.level == "between-group"), None)
    if cited is None:
        measure = words.name("instruments_short", instrument.id, instrument.short_name)
        said = [words.say("sentences.no_group_threshold", measure=measure)]
    else:
        values = {"value": f"{cited.value:g}", "unit": labels.unit, "source": cite(cited, words)}
        said = [words.say("sentences.group_threshold", **values)]
        said += [text for text in (labels.explain_foreign(cited),) if text]
        said += [_set_against(row, cited.value, labels) for row in against if tells_apart(row)]
    return " ".join([*said, *_say_shares(standardised, reference, labels)])


def _set_against(row: Any, threshold: float, labels: Labels) -> str:
    low, high = sorted((abs(row.conf_low), abs(row.conf_high)))
    key = "beyond" if low >= threshold else "below" if high < threshold else "around"
    return labels.words.say(f"sentences.threshold_{key}", group=capitalise(labels.name(row.group)))


def _say_shares(standardised: Release | None, reference: str, labels: Labels) -> list[str]:
    if standardised is None:
        return []
    shares = standardised.where(statistic="share_improved_standardised", shown=True).table
    rows = {row.group: row for row in list_rows(shares)}
    if reference not in rows or len(rows) < 2:
        return []
    words = labels.words
    said = [
        words.say("sentences.share_of", share=rows[group].display, group=labels.name(group))
        for group in [*(group for group in labels.order(rows) if group != reference), reference]
    ]
    rule = name_rule(str(rows[reference].level), labels, source=False)
    threshold = find_rule(str(rows[reference].level), labels)
    noticed = threshold is not None and threshold.kind == "MIC"
    key = "sentences.shares_noticed" if noticed else "sentences.shares"
    return [words.say(key, shares=words.join(said), rule=rule[:1].lower() + rule[1:])]


def _sure(against: Sequence[Any], reference: str, labels: Labels, contrasts: Release) -> str:
    """Say how many differences are clear after allowing for their number, and what the intervals mean."""
    words = labels.words
    clear = sum(tells_apart(row) for row in against)
    key = "all" if clear == len(against) else "some" if clear else "none"
    if len(against) == 1:
        key = f"one_{'clear' if clear else 'unclear'}"
    said = [words.say(f"sentences.sure_{key}", clear=clear, all=len(against), versus=labels.name(reference))]
    if allows_for_several(contrasts):
        said.append(words.say("sentences.sure_together"))
    return " ".join([*said, words.say("sentences.sure_interval")])


def _caution(labels: Labels, verdict: str = "") -> str:
    words = labels.words
    first = "" if verdict == "randomised" else f"{words.say('sentences.caution_routine')} "
    domain = "pain" if labels.instrument.domain.startswith(("pain", "function")) else "other"
    return f"{first}{words.say(f'sentences.caution_{domain}')}"


def _render(answer: SaidAnswer, releases: tuple[Release, ...]) -> View:
    told = [(question, text) for question, text in answer.facts if text]
    facts = "".join(f"<li><b>{write_html(question)}</b> {write_html(text)}</li>" for question, text in told)
    said = " ".join([answer.lead, *(text for _, text in told), answer.caution])
    marked = explain_mark(pd.concat([release.table for release in releases]), releases[0].words, said)
    caution = " ".join(filter(None, [say_cautions(releases[0]), answer.caution, marked]))
    fragment = (
        f'<div class="answer" id="{{id}}"><p class="lead">{write_html(answer.lead)}</p>'
        + (f'<ul class="facts">{facts}</ul>' if facts else "")
        + f'<p class="caution">{write_html(caution)}</p></div>'
    )
    plain = " ".join([answer.lead, *(f"{question} {text}" for question, text in told), caution])
    return build_view("answer", "sentence", releases, fragment, alt=write_plain(plain))


def describe_groups(change: Release, labels: Labels) -> str:
    """Describe the course of every therapy that may be shown; where none may, of all together."""
    groups = [group for group in labels.order(change.table["group"].dropna()) if group != ALL]
    said = {group: _say_course(change, group, labels) for group in groups}
    courses = [text for text in said.values() if text]
    words = labels.words
    if not courses:
        whole = _say_course(change, ALL, labels)
        return f"{words.say('sentences.together')} {whole}" if whole else explain_absence(change)
    time = labels.time(str(pick_time(change, "mean_improvement", labels)))
    absent = [labels.name(group) for group, text in said.items() if not text]
    if absent:
        courses.append(words.say("sentences.not_shown", groups=words.join(absent)))
    return f"{words.say('sentences.description', measure=labels.measure, time=time)} {' '.join(courses)}"


def describe_course(change: Release, labels: Labels) -> str:
    """Describe in a full sentence the course of the only therapy, or of all together."""
    groups = [group for group in labels.order(change.table["group"].dropna()) if group != ALL]
    for group in [*groups[:1], ALL]:
        found = _find_course(change, group, labels)
        if found:
            key = f"sentences.course{_name_missing(found)}"
            return labels.words.say(key, measure=labels.measure, **found)
    return explain_absence(change)


def _say_course(change: Release, group: str, labels: Labels) -> str:
    found = _find_course(change, group, labels)
    if not found:
        return ""
    key = f"sentences.course_{'whole' if group == ALL else 'of'}{_name_missing(found)}"
    return labels.words.say(key, measure=labels.measure, group=capitalise(labels.name(group)), **found)


def _name_missing(found: dict[str, str]) -> str:
    return "" if "first" in found else "_gain"


def _find_course(change: Release, group: str, labels: Labels) -> dict[str, str]:
    """Return the numbers of a course from the start to the primary time point; the improvement at least.

    Empty where the improvement may not be shown; without the scores where one of these may not, or where not
    all three are of the same edition, since only then is the improvement their difference.
    """
    time = pick_time(change, "mean_improvement", labels)
    held: dict[Any, Any] = {
        (row.statistic, row.timepoint): row for row in list_rows(change.where(group=group, shown=True).table)
    }
    start = next(iter(labels.order_times(change.table["timepoint"].dropna())), None)
    first, gain = held.get(("mean_score", start)), held.get(("mean_improvement", time))
    last = held.get(("mean_expected", time), held.get(("mean_score", time)))
    if gain is None:
        return {}
    (low, high), n, words = write_ends(gain, change), write_size(gain, change), labels.words
    said = {
        "gain": gain.display,
        "low": low,
        "high": high,
        "patients": words.say("sentences.patients", n=n) if n else words.say("sentences.patients_uncounted"),
        "time": labels.time(str(time)),
        "unit": labels.unit,
    }
    if first is None or last is None or len({str(row.as_of) for row in (first, last, gain)}) > 1:
        return said
    return said | {"first": first.display, "last": last.display}
