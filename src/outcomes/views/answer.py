"""The answer in words: which therapy goes with the larger improvement, and how far to trust it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from outcomes.cohort import EVERY
from outcomes.disclosure import Release
from outcomes.facts import Text, read_facts
from outcomes.result import ALL, WITHOUT_ESTIMATE
from outcomes.views.allocation import say_allocation
from outcomes.views.claims import all_of, any_of, read_span
from outcomes.views.comparing import (
    allows_for_several,
    group_pairs,
    pick_contrasts,
    pick_time,
    rank_groups,
    say_amount,
    say_better,
    say_between,
    tells_apart,
    turn_to_better,
)
from outcomes.views.labels import Labels, capitalise, cite, read_labels
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
    """Say in words what was found: the answer, what stays open, whether it matters, how sure it is.

    Therapies are compared only where the checks pass or therapy was allocated at random; else it says why not
    and describes each. Every pair of therapies whose interval leaves out 0 is named, whatever the reference.
    A difference is set against a threshold between groups where one is cited, never against one for single
    patients. Shares of patients who improved are not told: no interval says how they differ.

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
        answer = _answer_comparing(change, contrasts, standardised, labels, comparability)
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
    change: Release,
    contrasts: Release,
    standardised: Release | None,
    labels: Labels,
    comparability: Release | None,
) -> SaidAnswer:
    words, verdict = labels.words, find_verdict(change, comparability)
    time = pick_time(contrasts, "contrast", labels)
    pairs = list_rows(turn_to_better(pick_contrasts(contrasts, labels, time), labels))
    if time is None or not any(row.shown for row in pairs):
        facts = ((words.say("sentences.what_happened"), describe_groups(change, labels)),)
        return SaidAnswer(_say_none(pairs, contrasts), facts, _caution(labels))
    clear = [row for row in pairs if tells_apart(row, contrasts)]
    shares = standardised is not None and bool(standardised.table["shown"].any())
    matter = [_matter(clear, labels, contrasts), words.say("sentences.shares_apart") if shares else ""]
    said = (
        (words.say("sentences.open"), _say_open(pairs, labels, contrasts)),
        (words.say("sentences.matters"), " ".join(filter(None, matter))),
        (words.say("sentences.sure"), _sure(pairs, labels, contrasts)),
        (words.say("sentences.comparable"), _say_verdict(verdict, comparability, labels)),
    )
    return SaidAnswer(_lead(pairs, time, labels, contrasts), said, _caution(labels, verdict))


def _say_verdict(verdict: str, comparability: Release | None, labels: Labels) -> str:
    if verdict == "randomised" and comparability is not None:
        return say_allocation(comparability, labels)
    return labels.words.say(f"sentences.comparable_{verdict}")


def _say_none(pairs: Sequence[Any], contrasts: Release) -> str:
    """Say that no difference can be given, and the reason where all share one that may be told."""
    words, states = contrasts.words, {str(row.state) for row in pairs}
    if len(states) == 1 and states <= WITHOUT_ESTIMATE:
        return words.say("sentences.none_estimated", why=explain_state(states.pop(), words))
    return words.say("sentences.none_shown")


def _lead(pairs: Sequence[Any], time: str, labels: Labels, release: Release) -> str:
    """Say of every pair that can be told apart which therapy did better, the best first."""
    words, clear = labels.words, [row for row in pairs if tells_apart(row, release)]
    place = {"time": labels.time(time), "scale": labels.scale, "measure": labels.measure}
    if not clear:
        doubtful = any(tells_apart(row, release) is None for row in pairs)
        return words.say(f"sentences.lead_none{'_shown' if doubtful else ''}", **place)
    sentences: list[str] = []
    for better, worse in group_pairs(clear, rank_groups(pairs, labels)):
        own = [row for group in better for row in clear if row.group == group and row.versus in worse]
        own.sort(key=lambda row: (better.index(row.group), worse.index(row.versus)))
        brief = len(clear) > read_facts("appearance")["answer"]["pairs_in_full"]
        said = {
            "groups": words.join((f"**{escape_emphasis(labels.name(group))}**" for group in better), "or"),
            "several": len(better) > 1,
            "versus": words.join(map(labels.name, worse), "or"),
            "better": say_better(labels),
            "amounts": words.say("sentences.amounts_below") if brief else _say_amounts(own, labels, release),
        }
        key = "lead_also" if sentences else f"lead_{labels.design}"
        sentences.append(words.say(f"sentences.{key}", **place, **said))
    return " ".join(sentences)


def _say_amounts(rows: Sequence[Any], labels: Labels, release: Release) -> str:
    """Say the differences of one sentence, each with its interval."""
    if len(rows) == 1:
        return say_amount(rows[0], labels, release)
    words, said = labels.words, []
    groups = list(dict.fromkeys(row.group for row in rows))
    for group in groups:
        own = [row for row in rows if row.group == group]
        amounts = words.join(say_amount(row, labels, release, labels.name(row.versus)) for row in own)
        name = labels.name(group)
        alone = len(groups) == 1
        said.append(amounts if alone else words.say("sentences.amounts_of", group=name, amounts=amounts))
    return "; ".join(said)


def _say_open(pairs: Sequence[Any], labels: Labels, release: Release) -> str:
    """Say which pairs cannot be told apart, with their intervals, and which are not shown."""
    words, said = labels.words, []
    rows = [row for row in pairs if row.shown and not tells_apart(row, release)]
    if rows:
        brief = len(rows) > read_facts("appearance")["answer"]["pairs_in_full"]
        named = [_name_pair(row, labels, "" if brief else say_between(row, labels, release)) for row in rows]
        doubtful = any(tells_apart(row, release) is None for row in rows)
        told = {"n": len(rows), "doubtful": doubtful, "pairs": words.join(named)}
        said.append(words.say("sentences.open_pairs", **told))
    hidden = [_name_pair(row, labels) for row in pairs if not row.shown]
    if hidden:
        said.append(words.say("sentences.not_shown", groups=words.join(hidden)))
    return " ".join(said)


def _name_pair(row: Any, labels: Labels, interval: str = "") -> str:
    named = {"group": labels.name(row.group), "versus": labels.name(row.versus), "interval": interval}
    return labels.words.say("sentences.pair", **named)


def _matter(clear: Sequence[Any], labels: Labels, release: Release) -> str:
    """Set the clear differences against a cited threshold between groups, or say that none is cited."""
    words, instrument = labels.words, labels.instrument
    cited = next((entry for entry in instrument.thresholds if entry.level == "between-group"), None)
    if cited is None:
        measure = words.name("instruments_short", instrument.id, instrument.short_name)
        return words.say("sentences.no_group_threshold", measure=measure)
    values = {"value": f"{cited.value:g}", "unit": labels.unit, "source": cite(cited, words)}
    said, found = [words.say("sentences.group_threshold", **values)], defaultdict(list)
    said += [text for text in (labels.explain_foreign(cited),) if text]
    for row in clear:
        low, high = (read_span(row, release, end, marked=True) for end in ("conf_low", "conf_high"))
        beyond = any_of([low.is_above(cited.value), high.is_below(-cited.value)])
        below = all_of([low.is_above(-cited.value), high.is_below(cited.value)])
        key = "beyond" if beyond else "below" if below else "around"
        found[key].append(_name_pair(row, labels))
    for key, named in found.items():
        said.append(capitalise(words.say(f"sentences.threshold_{key}", pairs=words.join(named))))
    return " ".join(said)


def _sure(pairs: Sequence[Any], labels: Labels, contrasts: Release) -> str:
    """Say how many of all pairs can be told apart after allowing for their number."""
    words, found = labels.words, [tells_apart(row, contrasts) for row in pairs]
    n_clear, n_hidden = found.count(True), sum(not row.shown for row in pairs)
    certain = None not in found
    key = "shown" if not certain else "all" if n_clear == len(pairs) else "some" if n_clear else "none"
    if len(pairs) == 1 and certain:
        key = f"one_{'clear' if n_clear else 'unclear'}"
    counts = {
        "all": len(pairs),
        "clear": n_clear,
        "hidden": n_hidden,
        "open": len(pairs) - n_clear - n_hidden,
    }
    said = [words.say(f"sentences.sure_{key}", **counts)]
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
