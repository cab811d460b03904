"""Columns that may hold a change, an improvement or another measure in the place of a score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from outcomes.facts import find_header_doubt, read_facts
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments, Measure, ScoreColumn

_HEADER = {
    "change": "its header speaks of a change",
    "improvement": "its header speaks of an improvement",
    "another": "its header speaks of something else that patients are asked",
}
_OTHER = "leave its [[file.scores]] block out"


def ask_changes(
    scores: Assessments,
    is_baseline: np.ndarray,
    is_follow_up: np.ndarray,
    n_episodes: int,
    problems: Problems,
) -> None:
    """Ask about columns whose header or values say that they hold something else than the score.

    Parameters
    ----------
    scores : Assessments
        Before scores out of range are refused: changes may lie below it.
    is_baseline, is_follow_up : numpy.ndarray of bool
    n_episodes : int
    problems : Problems
    """
    for number, column in enumerate(scores.columns):
        if column.spec is not None and (column.spec.items or column.spec.holds in ("change", "improvement")):
            continue
        for place, measure in enumerate(scores.measures):
            if measure not in column.measures:
                continue
            here = (scores.column == number) & (scores.measure == place) & ~np.isnan(scores.score)
            if not here.any() or measure.instrument.domain == "global_change":
                continue
            said = _read_header(column, measure, bool((here & ~is_baseline).any()))
            later = here & is_follow_up
            start = _find_starts(scores, is_baseline & (scores.measure == place), n_episodes)
            seen = _read_values(scores.score[later], start[scores.episode[later]], measure)
            if said or seen:
                _settle(column, measure, scores.record[here], said, seen, problems)


def _read_header(column: ScoreColumn, measure: Measure, later: bool) -> str | None:
    """Return what the header makes doubtful; a change only after the start."""
    if column.spec is None:
        return None
    instrument = measure.instrument
    variant = instrument.name_variant(measure.variant) if measure.variant else ""
    names = (instrument.id, instrument.name, instrument.short_name, *instrument.aliases, variant)
    doubt = find_header_doubt(column.header, names)
    return doubt if doubt == "another" or later else None


def _find_starts(scores: Assessments, baseline: np.ndarray, n_episodes: int) -> np.ndarray:
    start = np.full(n_episodes, np.nan)
    start[scores.episode[baseline][::-1]] = scores.score[baseline][::-1]
    return start


def _read_values(score: np.ndarray, start: np.ndarray, measure: Measure) -> str | None:
    """Return in counts how scores after the start behave as changes do; None where they do not."""
    limits, instrument = read_facts("checks")["change"], measure.instrument
    usable = ~np.isin(score, read_facts("checks")["sentinel_scores"])
    score, start = score[usable], start[usable]
    paired = ~np.isnan(start)
    below = score < 0
    if instrument.minimum >= 0 and below.sum() >= max(limits["fewest"], limits["share"] * len(score)):
        within = np.abs(score) <= instrument.maximum - instrument.minimum
        if paired.any() and within.all() and not (start < 0).any():
            range_ = f"{instrument.minimum:g} to {instrument.maximum:g}"
            return f"{int(below.sum())} of {len(score)} values lie below 0, which the range {range_} excludes"
    score, start = score[paired], start[paired]
    if len(score) < limits["fewest_pairs"] or not (score.std() and start.std()):
        return None
    span = instrument.maximum - instrument.minimum
    clear = np.arctanh(np.corrcoef(score, start)[0, 1].clip(-0.999, 0.999)) * np.sqrt(len(score) - 3)
    small = (
        abs(score.mean()) <= limits["small"] * span and start.mean() - score.mean() >= limits["far"] * span
    )
    if clear > -limits["clear"] or not small:
        return None
    return (
        f"of {len(score)} pairs with the start, the higher start goes with the lower value, as with changes"
    )


def _settle(
    column: ScoreColumn, measure: Measure, records: np.ndarray, said: str | None, seen: str | None,
    problems: Problems,
) -> None:  # fmt: skip
    """Ask what a column holds, or note that the source says that it is the score."""
    instrument, spec = measure.instrument, column.spec
    name = instrument.short_name
    evidence = " and ".join([*([_HEADER[said]] if said else []), *([seen] if seen else [])])
    confirmed = (spec is not None and spec.holds == "score") or "change" in column.part.spec.confirmed
    if confirmed:
        problems.note(
            "SCORE_OR_CHANGE", "answered",
            f"read as scores of the {name}, as the source says, though {evidence}",
            records, column=column.header, measure=instrument.id,
            said=f"Values that may be changes of the {name}, or another measure, are read as its scores.",
        )  # fmt: skip
    elif said == "another":
        what = (
            f"read as the {name}, but {evidence}; in another direction it would turn every result round. "
            f"Is it the {name}?"
        )
        problems.ask(
            "SCORE_OR_OTHER",
            what,
            {'holds = "score"': "it is", _OTHER: "it is not"},
            records,
            column=column.header,
        )
    else:
        what = f"read as scores of the {name}, but {evidence}. Are they scores, changes or improvements?"
        problems.ask("SCORE_OR_CHANGE", what, _list_answers(column), records, column=column.header)


def _list_answers(column: ScoreColumn) -> Mapping[str, str]:
    if column.spec is None:
        return {'confirmed = ["change"]': "in its [[file]] block: they are scores"}
    answers = {'holds = "score"': "in its [[file.scores]] block: they are scores"}
    if column.part.spec.rows == "episode":
        answers |= {
            'holds = "improvement"': "how much better than at the start, positive is better",
            'holds = "change"': "the score less that at the start",
        }
    return answers | {_OTHER: "they are something else"}
