"""What a question is answered with: the course of each therapy, its numbers, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from outcomes.analyses.change import summarise_change
from outcomes.cohort import Cohort
from outcomes.disclosure import Release, release
from outcomes.errors import AnalysisError
from outcomes.facts import read_words
from outcomes.panel.choices import Question, select_asked
from outcomes.records import Records
from outcomes.views.trajectory import draw_trajectory
from outcomes.views.view import View


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
    """Answer a question by describing what happened; it compares no therapies.

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
    change = release(summarise_change(cohort), "team")
    return Answer(cohort, change, (draw_trajectory(change),))
