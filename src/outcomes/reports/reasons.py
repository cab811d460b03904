"""Classes of reasons for which there is no page: a word that tells no value of the records."""

from __future__ import annotations

from outcomes.errors import OutcomesError

#: Exit code to class of reasons; the words of an index stand under these names.
REASONS = {
    1: "bug",
    2: "configuration",
    3: "records",
    4: "privacy",
    5: "refused_records",
    6: "notebook",
    7: "disclosure",
    8: "locked",
    9: "output",
    10: "time",
    130: "interrupted",
    143: "interrupted",
}
OPEN_QUESTION = "open_question"


def name_reason(error: BaseException) -> str:
    """Return the class of an error: by its exit code, ``interrupted`` or ``bug`` where it has none.

    Records of which nothing is wrong but what they mean is open are a class of their own.

    Examples
    --------
    >>> from outcomes.errors import ReportError
    >>> name_reason(ReportError("Time ran out.", exit_code=10)), name_reason(KeyError())
    ('time', 'bug')
    """
    if isinstance(error, OutcomesError):
        if error.questions and not any(finding.outcome == "refuse_file" for finding in error.findings):
            return OPEN_QUESTION
        return REASONS.get(error.exit_code, "bug")
    if isinstance(error, OSError):
        return "output"
    return "bug" if isinstance(error, Exception) else "interrupted"
