"""Absence that may be written as a value: forms all zero, zeros beside a status, constants at follow-ups."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from outcomes.facts import Text, Value, read_facts, tells_answers
from outcomes.records.checks.blanks import (
    ScoreGroup,
    ask_blanks,
    group_scores,
    is_confirmed,
    is_rare,
    is_settled,
    note_confirmed,
)
from outcomes.records.conversion import rescale
from outcomes.records.problems import Answers
from outcomes.records.scores.assessments import Assessments, find_ends
from outcomes.records.scores.measures import ScoreColumn
from outcomes.records.scoring import score_items

#: So many headers are named at most.
_MOST_HEADERS = 6


def ask_absences(scores: Assessments) -> None:
    """Ask about values that may stand for a form that nobody filled in."""
    possible = (scores.score >= scores.low) & (scores.score <= scores.high)
    stages, everywhere = _list_stages(scores), np.ones(len(scores), dtype=bool)
    for group in group_scores(scores, possible & ~_find_excluded(scores)):
        zero = _score_zero(group)
        dealt = zero is not None and _ask_zeros(scores, group, zero, stages)
        value = next((it for rows in stages[1:] for it in _find_constants(group, stages[0], rows)), None)
        if value is not None and not (dealt and value == zero):
            _settle_constant(scores, group, value, everywhere)
            continue
        for here in _find_constant_sites(scores, group):
            value = float(scores.score[group.here & scores.is_follow_up & here][0])
            _settle_constant(scores, group, value, here)
    ask_blanks(scores)


def _find_excluded(scores: Assessments) -> np.ndarray:
    excluded = np.zeros(len(scores), dtype=bool)
    for number, column in enumerate(scores.columns):
        if (column.part.excluded >= 0).any():
            here = scores.column == number
            excluded[here] = column.part.excluded[scores.record[here] - column.part.place.start] >= 0
    return excluded


def _list_stages(scores: Assessments) -> list[np.ndarray]:
    """Return the rows of the start, of all that follows, and of each time point after the start."""
    later = scores.is_follow_up
    labels = np.unique(scores.timepoint[later & (scores.timepoint >= 0)])
    each = [later & (scores.timepoint == label) for label in labels] if len(labels) > 1 else []
    return [scores.is_baseline, later, *each]


def _score_zero(group: ScoreGroup) -> float | None:
    """Return the score of a form with 0 everywhere, None where 0 is no possible score."""
    instrument, spec = group.measure.instrument, group.columns[0].spec
    if spec is not None and spec.items:
        blank = np.zeros((1, len(spec.items)))
        found = score_items(instrument, blank, variant=group.measure.variant).score[0]
    else:
        scales = group.columns[0].part.spec.scales
        scale = spec.scale if spec else scales.get(group.measure.name, scales.get(instrument.id))
        found = rescale(instrument, 0.0, scale if scale in instrument.scales else None)
    return float(found) if instrument.minimum <= found <= instrument.maximum else None


def _is_form(group: ScoreGroup) -> bool:
    """Whether scores are those of a form of many items, of which hardly any patient answers all with 0."""
    instrument, fine = group.measure.instrument, read_facts("checks")["absence"]["fine"]
    if instrument.kind != "prom" or instrument.scoring_rule.rule == "single":
        return False
    return group.spacing <= fine * (instrument.maximum - instrument.minimum)


def _is_spike(group: ScoreGroup, rows: np.ndarray, value: float) -> bool:
    """Whether a value is far more frequent than its neighbours allow, by any of the windows."""
    instrument = group.measure.instrument
    count = group.count(rows)
    n = int(count[group.values == value].sum())
    limits = read_facts("checks")["absence"]
    if n < max(limits["fewest"], limits["share"] * count.sum()):
        return False
    if count.sum() - n < limits["fewest"] or (count > 0).sum() - 1 < limits["fewest_values"]:
        return False
    distance = np.abs(group.values - value)
    coarse = instrument.scoring_rule.rule == "count_endorsed"  # of yes and no, many forms of the well are 0
    windows = limits["windows"][-1:] if coarse else limits["windows"]
    for width, usual in windows:
        reach = max(width * (instrument.maximum - instrument.minimum), 1.5 * group.spacing)
        near = int(count[(distance > 0) & (distance <= reach)].sum())
        most = usual * limits["coarse" if coarse else "clear"]
        if near <= most * (n + near) and is_rare(near, n + near, usual):
            return True
    return False


def _find_constants(group: ScoreGroup, is_baseline: np.ndarray, rows: np.ndarray) -> Iterator[float]:
    """Yield values that many follow-ups and hardly any start hold, and that have no neighbours."""
    instrument, facts = group.measure.instrument, read_facts("checks")
    limits = facts["absence"]
    if instrument.domain in limits["never"] or instrument.direction == "none":
        return
    before, after = group.count(is_baseline), group.count(rows)
    if min((before > 0).sum(), (after > 0).sum() - 1) < limits["fewest_values"]:
        return
    best = instrument.maximum if instrument.sign > 0 else instrument.minimum
    span = instrument.maximum - instrument.minimum
    often = after >= max(limits["fewest"], limits["constant"] * after.sum())
    code = np.isin(group.values, facts["sentinel_scores"]) & (after >= limits["fewest_sentinels"])
    reach = max(limits["near"] * span, 1.5 * max(group.spacing, instrument.step or 0.0))
    for place in np.flatnonzero(often | code):
        value, n = group.values[place], int(after[place])
        distance = np.abs(group.values - value)
        if code[place] and not (after + before)[(distance > 0) & (distance <= 2 * reach)].any():
            yield float(value)
        better = after[instrument.sign * group.values > instrument.sign * value].sum()
        # The well may all score the best that there is, or nearly: that is no sign of a blank.
        well = abs(value - best) <= limits["well"] * span and better <= 0.05 * after.sum()
        if not often[place] or well or value == instrument.censored_at:
            continue
        # As far as the next round number: many patients answer by tens.
        wide = max(limits["around"] * span * (1 + 1e-9), 1.5 * group.spacing)
        near = int(after[(distance > 0) & (distance <= wide)].sum())
        absent = before[place] <= n / after.sum() * before.sum() / 10
        absent = absent and is_rare(int(before[place]), int(before.sum()), min(n / after.sum(), 0.99))
        alone = near <= 0.2 * (n + near) and is_rare(near, n + near, 0.5)
        if (absent and alone) or _stands_out(group, before, after, int(place)):
            yield float(value)


def _find_constant_sites(scores: Assessments, group: ScoreGroup) -> Iterator[np.ndarray]:
    """Yield the scores of each site whose follow-ups are all the same, though its starts are not."""
    instrument, facts = group.measure.instrument, read_facts("checks")
    if instrument.domain in facts["absence"]["never"] or instrument.direction == "none":
        return
    best = instrument.maximum if instrument.sign > 0 else instrument.minimum
    near_best = facts["absence"]["well"] * (instrument.maximum - instrument.minimum)
    after = group.here & scores.is_follow_up
    low, high = find_ends(scores.score[after], scores.site[after], scores.n_sites)
    n = np.bincount(scores.site[after], minlength=scores.n_sites)
    enough = n >= facts["constant"]["fewest"]
    for number in np.flatnonzero((low == high) & enough & (np.abs(low - best) > near_best)):
        here = scores.site == number
        start = scores.score[group.here & scores.is_baseline & here]
        varied = len(np.unique(start)) >= facts["absence"]["fewest_values"]
        if varied and (start == low[number]).mean() ** int(n[number]) <= facts["constant"]["chance"]:
            yield here


def _stands_out(group: ScoreGroup, before: np.ndarray, after: np.ndarray, place: int) -> bool:
    """Whether a value among many others is far more frequent after the start than any around it.

    Around it means within a tenth of the range, so that round numbers, which people prefer, are compared with
    round ones. At the start it is hardly more frequent than those around it: as rare as chance makes it.
    """
    instrument, limits = group.measure.instrument, read_facts("checks")["absence"]
    span = instrument.maximum - instrument.minimum
    distance = np.abs(group.values - group.values[place])
    around = (distance > 0) & (distance <= limits["around"] * span * (1 + 1e-9))
    if group.spacing > limits["fine"] * span or around.sum() < limits["fewest_around"]:
        return False
    n, most = int(after[place]), int(after[around].max())
    share, n_start, n_all = n / after.sum(), int(before[place]), int(before.sum())
    chance = max(2 * float(before[around].mean()), share * n_all / 10, 2)
    rare = n_start <= min(chance, share * n_all / limits["stands_out"])
    return bool(rare and n >= limits["stands_out"] * most and is_rare(most, n + most, 0.5))


def _is_heaped(group: ScoreGroup, is_baseline: np.ndarray, rows: np.ndarray, value: float) -> bool:
    """Whether many follow-ups hold a value that is far rarer at the start."""
    limits = read_facts("checks")["absence"]
    if group.measure.instrument.domain in limits["never"]:
        return False
    before, after = group.count(is_baseline), group.count(rows)
    n, n_start = (int(count[group.values == value].sum()) for count in (after, before))
    if n < max(limits["fewest"], limits["constant"] * after.sum()) or not before.sum():
        return False
    share = n / after.sum()
    more = n_start / before.sum() <= share / limits["beside_status"]
    return more and is_rare(n_start, int(before.sum()), min(share, 0.99))


def _ask_zeros(scores: Assessments, group: ScoreGroup, zero: float, stages: Sequence[np.ndarray]) -> bool:
    """Ask about zeros that hardly any other score comes near, or that stand beside a status; True if so."""
    headers = _list_status_headers(group)
    spikes = (rows for rows in stages if _is_form(group) and _is_spike(group, rows, zero))
    heaps = (rows for rows in stages[1:] if headers and _is_heaped(group, stages[0], rows, zero))
    doubts = (("FORM_ALL_ZERO", spikes), ("SCORE_ZERO_BESIDE_STATUS", heaps))
    found = next(((rule, rows) for rule, stage in doubts for rows in stage), None)
    if found is not None:
        _settle_zeros(scores, group, zero, *found)
    return found is not None


def _list_status_headers(group: ScoreGroup) -> list[str]:
    """Return the headers that no block reads and that may say who came, or which forms were filled in."""
    return [header for header in group.columns[0].part.unmapped if tells_answers(header)]


def _name_status(headers: Sequence[str]) -> Text | str:
    """Return the part of a sentence that names columns which may say who came; empty without any."""
    if not headers:
        return ""
    named = " and ".join(repr(header) for header in headers[:_MOST_HEADERS])
    return Text.of("findings.status.named", headers=named, n=len(headers))


def _settle_zeros(scores: Assessments, group: ScoreGroup, zero: float, rule: str, stage: np.ndarray) -> None:
    rows = group.here & stage & (scores.score == zero)
    column = _find_column(scores, rows)
    name = group.measure.instrument.called_short
    if is_settled(column):
        return
    if is_confirmed(group, "zeros"):
        note_confirmed(group, rule, scores.record[rows])
        return
    headers = _list_status_headers(group)
    values: dict[str, Value] = {"instrument": name, "status": _name_status(headers)}
    values |= {"n": int(rows.sum()), "n_all": int((group.here & stage).sum())}
    held = [scores.columns[number].header for number in np.unique(scores.column[rows])]
    answers = _list_zero_answers(column, headers, held)
    scores.problems.ask(f"{rule}.asked", answers, scores.record[rows], column=column.header, **values)


def _find_column(scores: Assessments, rows: np.ndarray) -> ScoreColumn:
    """Return the column that holds most of some scores."""
    return scores.columns[int(np.bincount(scores.column[rows]).argmax())]


def _list_zero_answers(column: ScoreColumn, headers: Sequence[str], held: Sequence[str]) -> Answers:
    spec = column.spec
    if spec is None:
        blank = _write_where(column, "0")
    elif spec.items:
        items = ", ".join(f'"{header}"' for header in spec.items)
        blank = f'missing_where = [{{ column = [{items}], values = ["0"], scores = ["{spec.instrument}"] }}]'
    else:
        blank = 'missing = ["0"]'
    where = "[[file]]" if spec is None or spec.items else "[[file.scores]]"
    own = "[[file]]" if spec is None else "[[file.scores]]"
    return {
        **_list_status_answers(column, headers, held),
        blank: Text.of("findings.status.zero_is_blank", where=where),
        'confirmed = ["zeros"]': Text.of("findings.status.filled_in", where=own),
    }


def _list_status_answers(column: ScoreColumn, headers: Sequence[str], held: Sequence[str]) -> Answers:
    """Return the lines by which another column says which scores there are.

    A row of a wide file holds the start too, so the lines name the scores that the column is about.
    """
    header = headers[0] if headers else "<header of the form's status>"
    about = ""
    if column.part.spec.rows == "episode":
        named = ", ".join(f'"{name}"' for name in held)
        about = f", scores = [{named}]" if len(headers) == 1 else ', scores = ["<the scores it is about>"]'
    elif column.spec is not None and _names_measure(header, column.spec.instrument):
        about = f', scores = ["{column.spec.instrument}"]'
    status = f'answered = {{ column = "{header}", values = ["<what says filled in>"]{about} }}'
    absent = f'missing_where = [{{ column = "{header}", values = ["<what says that nobody came>"]{about} }}]'
    answers = {status: Text.of("findings.status.another_column")}
    return answers | ({absent: Text.of("findings.status.which_not")} if headers else {})


def _names_measure(header: str, instrument: str) -> bool:
    words = {word.casefold() for word in re.findall(r"[^\W_]+", header)}
    return bool(words & {instrument.partition("_")[0], *re.findall(r"[^\W\d_]+", instrument)})


def _write_where(column: ScoreColumn, value: str) -> str:
    """Return the line by which a value of one measure means missing in a long file."""
    headers = [column.part.spec.columns[name] for name in ("instrument", "score")]
    listed = ", ".join(f'"{header}"' for header in headers)
    return f'missing_where = [{{ column = [{listed}], values = ["<what names it there>", "{value}"] }}]'


def _settle_constant(scores: Assessments, group: ScoreGroup, value: float, here: np.ndarray) -> None:
    rule, name = "SCORE_CONSTANT_AFTER_START", group.measure.instrument.called_short
    start, later = (group.here & here & stage for stage in (scores.is_baseline, scores.is_follow_up))
    constant = later & (scores.score == value)
    column = _find_column(scores, constant)
    if is_settled(column):
        return
    if is_confirmed(group, "constant"):
        note_confirmed(group, rule, scores.record[constant])
        return
    n, n_start = int(constant.sum()), int((start & (scores.score == value)).sum())
    n_all = int(later.sum())
    headers, site_only = _list_status_headers(group), n == n_all
    values: dict[str, Value] = {"instrument": name, "status": _name_status(headers)}
    values |= {"n": n, "n_all": n_all, "n_start": n_start, "n_all_start": int(start.sum())}
    values["at_site"] = site_only and "site" in column.part.spec.columns
    own = "[[file]]" if column.spec is None else "[[file.scores]]"
    missing = 'missing = ["<that value>"]' if column.spec else _write_where(column, "<that value>")
    held = [scores.columns[number].header for number in np.unique(scores.column[constant])]
    answers = {
        **_write_at_site(column, site_only),
        missing: Text.of("findings.SCORE_CONSTANT_AFTER_START.means_missing", where=own),
        **_write_after_start(column, n_start),
        **(_list_status_answers(column, headers, held) if headers else {}),
        'confirmed = ["constant"]': Text.of("findings.SCORE_CONSTANT_AFTER_START.measured", where=own),
    }
    scores.problems.ask(f"{rule}.asked", answers, scores.record[constant], column=column.header, **values)


def _write_at_site(column: ScoreColumn, site_only: bool) -> Answers:
    """Return the line by which a value means missing at one site."""
    site = column.part.spec.columns.get("site")
    if not site_only or site is None or (column.spec is not None and column.spec.items):
        return {}
    about = f', scores = ["{column.header}"]' if column.spec else ""
    values = '"<the site>", "<that value>"'
    line = f'missing_where = [{{ column = ["{site}", "{column.header}"], values = [{values}]{about} }}]'
    return {line: Text.of("findings.SCORE_CONSTANT_AFTER_START.missing_at_site")}


def _write_after_start(column: ScoreColumn, n_start: int) -> Answers:
    """Return the line by which a value means missing after the start alone, where the start has it too."""
    spec = column.part.spec
    if not n_start or "timepoint" not in spec.columns or column.spec is None or column.spec.items:
        return {}
    headers = f'"{column.header}", "{spec.columns["timepoint"]}"'
    values = '"<that value>", "<each label after the start>"'
    line = f'missing_where = [{{ column = [{headers}], values = [{values}], scores = ["{column.header}"] }}]'
    return {line: Text.of("findings.SCORE_CONSTANT_AFTER_START.missing_later")}
