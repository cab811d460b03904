"""What a question is answered with: an answer in words, the course of each therapy, its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from outcomes.analyses.change import summarise_change
from outcomes.analyses.comparability import check_comparability
from outcomes.analyses.over_time import compare_over_time
from outcomes.cohort import Cohort
from outcomes.disclosure import Release, release
from outcomes.errors import AnalysisError
from outcomes.facts import read_words
from outcomes.panel.choices import Question, select_asked
from outcomes.records import Records
from outcomes.views import View, draw_trajectory, say_answer, tabulate_change


@dataclass(frozen=True)
class Answer:
    """An answer, for the team.

    Parameters
    ----------
    cohort : Cohort
    change : Release
        Scores and improvement by therapy and time point.
    views : tuple of View
    """

    cohort: Cohort
    change: Release
    views: tuple[View, ...]


def answer_question(records: Records, question: Question) -> Answer:
    """Answer a question: in words, in a figure and in a table.

    Therapies are compared, in the words only, where they pass the same checks as in a report.

    Parameters
    ----------
    records : Records
    question : Question
        With at least one therapy.

    Returns
    -------
    Answer

    Raises
    ------
    AnalysisError
        When no therapy is chosen or the records hold nothing to answer with.
    """
    if not question.therapies:
        raise AnalysisError(read_words().say("panel.no_therapy"))
    cohort = select_asked(records, question)
    change, contrasts, checks = (
        release(analyse(cohort), "team")
        for analyse in (summarise_change, compare_over_time, check_comparability)
    )
    said = say_answer(change, contrasts, comparability=checks)
    return Answer(cohort, change, (said, draw_trajectory(change), tabulate_change(change)))
