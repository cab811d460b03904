"""Whether one file lost the leading zeros that another one has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.columns import Coded, Part, match_texts
from outcomes.records.problems import Problems


def ask_about_zeros(parts: Sequence[Part], ids: Sequence[Coded | None], problems: Problems) -> None:
    """Ask where ids of one file are those of another but for leading zeros; name them where they are few.

    Within one file ``0007`` and ``7`` are two ids.
    """
    texts = [set() if coded is None else set(coded.values[coded.mark_used()]) for coded in ids]
    padded = [{text for text in own if len(text) > 1 and text[0] == "0" and text.isdigit()} for own in texts]
    if not any(padded):
        return
    for i, (part, own) in enumerate(zip(parts, texts, strict=True)):
        longer = {text.lstrip("0") or "0" for j, other in enumerate(padded) if j != i for text in other - own}
        lost = longer & own
        if not lost or (padded[i] and not lost - {text.lstrip("0") for text in padded[i]}):
            continue
        coded = ids[i]
        assert coded is not None
        rows = coded.rows(np.array([text in lost for text in coded.values], dtype=bool))
        n_plain = int(match_texts(coded.values, r"^[1-9]\d*$").sum())
        what = f"{len(lost)} of {n_plain} numbers are ids of another file but for leading zeros"
        facts, header = read_facts("checks")["zeros"], part.header("episode_id") or part.header("patient_id")
        if any("leading_zeros" in other.spec.confirmed for other in parts):
            problems.note("KEY_LEADING_ZEROS", "answered", what, part.records(rows), column=header)
        elif len(lost) >= facts["fewest"] and len(lost) > facts["share"] * n_plain:
            answers = {
                'key_normalise = ["leading_zeros"]': "in each [[file]]: they were dropped, the ids are one",
                'confirmed = ["leading_zeros"]': "in each [[file]]: they are other people",
            }
            problems.ask(
                "KEY_LEADING_ZEROS", f"{what}. Are they one?", answers, part.records(rows), column=header
            )
        else:
            remedy = (
                'if a spreadsheet dropped the zeros, add to each [[file]]: key_normalise = ["leading_zeros"]'
            )
            problems.note(
                "KEY_LEADING_ZEROS", "accept_with_warning", f"{what}; kept apart", part.records(rows),
                column=header, remedy=remedy,
                said="Patients whose numbers differ only by zeros in front count as different patients.",
            )  # fmt: skip
