"""Episodes that stand in several rows: told again, courses in the order of the file, or a conflict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import read_facts
from outcomes.records.columns import Part, find_missing
from outcomes.records.episodes.courses import FILE_ORDER, FIRST_DAY, ORDER_SAID
from outcomes.records.episodes.sharing import RESTART, ask_or_take
from outcomes.records.problems import Problems

_AGAIN = "the same episode again, in another row or file"
_SCORE = "score of "
#: What says where a row stands, beside what it holds.
_PLACE = ("part", "kind", "row", "record", "episode")


def settle_repeated(
    parts: Sequence[Part],
    episodes: Sequence[np.ndarray],
    n: int,
    may_split: np.ndarray | None,
    problems: Problems,
) -> list[np.ndarray]:
    """Settle episodes that stand in several rows of files with one row per episode.

    Rows that agree wherever both say something are one episode. Others are courses in the order of the file
    where the source says so, a question where they are many, and refused where they are few.

    Parameters
    ----------
    parts : sequence of Part
    episodes : sequence of numpy.ndarray of int
        Per part, the number of each row's episode.
    n : int
        How many there are.
    may_split : numpy.ndarray of bool or None
        Which of them may be several courses that nothing dates; None where ids tell the episodes apart.
    problems : Problems

    Returns
    -------
    list of numpy.ndarray of int
        Per part, the course of each row by its order, from 0.
    """
    courses = [np.zeros(len(rows), dtype=np.int32) for rows in episodes]
    rows = _gather_repeated(parts, episodes, n)
    if rows is None:
        return courses
    compared = [name for name in rows.columns if name not in _PLACE]
    texts = rows[compared].where(rows[compared] != "")
    differs = texts.groupby(rows["episode"]).transform("nunique").gt(1).any(axis=1)
    again = ~differs & rows.duplicated(["episode", "kind"])
    problems.repeat(rows.loc[again, "record"].to_numpy(), _AGAIN)
    rows, texts = rows[differs], texts[differs]
    undated = np.zeros(len(rows), dtype=bool) if may_split is None else may_split[rows["episode"]]
    _refuse_conflicts(parts, rows[~undated], n, problems)
    if undated.any():
        _order_courses(parts, rows[undated], texts[undated], n, courses, problems)
    return courses


def _gather_repeated(parts: Sequence[Part], episodes: Sequence[np.ndarray], n: int) -> pd.DataFrame | None:
    """Return the rows of episodes that stand in several, with what each of them says."""
    wide = [i for i, part in enumerate(parts) if part.spec.rows == "episode" and part.spec.patient == "by id"]
    kept = {i: np.flatnonzero(parts[i].accepted() & (episodes[i] >= 0)) for i in wide}
    count = np.zeros(n, dtype=np.int64)
    for i, rows in kept.items():
        count += np.bincount(episodes[i][rows], minlength=n)
    if count.max(initial=0) < 2:
        return None
    tables, kinds = [], _find_kinds([parts[i] for i in wide])
    for kind, (i, rows) in zip(kinds, kept.items(), strict=True):
        rows = rows[count[episodes[i][rows]] > 1]
        told = {name: _spell(parts[i], header)[rows] for name, header in _list_compared(parts[i])}
        place = {"part": i, "kind": kind, "row": rows, "record": parts[i].place.start + rows}
        place["episode"] = episodes[i][rows]
        tables.append(pd.DataFrame({**place, **told}))
    return pd.concat(tables, ignore_index=True).fillna("")


def _find_kinds(parts: Sequence[Part]) -> list[int]:
    """Number the files by kind: those that share a score tell the same, others stand beside each other."""
    names = [{name for name, _ in _list_compared(part) if name.startswith(_SCORE)} for part in parts]
    kinds: list[int] = []
    for i, own in enumerate(names):
        alike = (kinds[j] for j in range(i) if own & names[j] or not (own or names[j]))
        kinds.append(next(alike, i))
    return kinds


def _list_compared(part: Part) -> Iterator[tuple[str, str]]:
    """Yield what must agree between rows of one episode, by a name that all files share, and its header."""
    facts = read_facts("checks")["by_visit"]
    ids = {"patient_id", "episode_id", "episode_number"}
    for name, header in part.spec.columns.items():
        if name not in (*facts["changing"], *facts["growing"], *ids):
            yield name, header
    for spec in part.spec.scores:
        place = f"{_SCORE}{spec.instrument} {spec.variant} {spec.timepoint}"
        for name, found in (("score", spec.column), ("date", spec.date_column), ("day", spec.day_column)):
            if found:
                yield f"{place} {name}", found
        yield from ((f"{place} {number}", header) for number, header in enumerate(spec.items))


def _spell(part: Part, header: str) -> np.ndarray:
    coded = part.columns[header]
    texts = pd.Series(coded.values, dtype="str").str.casefold().str.replace(r"(\d)\.0+$", r"\1", regex=True)
    plain = texts.to_numpy(dtype=object)
    plain[find_missing(coded.values, part.spec.missing)] = ""
    return np.append(plain, "")[coded.codes]


def _refuse_conflicts(parts: Sequence[Part], rows: pd.DataFrame, n: int, problems: Problems) -> None:
    if rows.empty:
        return
    facts, records = read_facts("checks")["shared"], rows["record"].to_numpy()
    n_conflicts = rows["episode"].nunique()
    several = rows["part"].nunique() > 1
    if several and n_conflicts >= facts["fewest_different"] and n_conflicts > facts["share"] * n:
        what = (
            f"{n_conflicts} of {n} codes stand in several files with other values. Are these the same "
            "people, or do the numbers restart in each file?"
        )
        ask_or_take(parts, what, RESTART, records, problems)
    _refuse_all(parts, rows, problems)


def _refuse_all(parts: Sequence[Part], rows: pd.DataFrame, problems: Problems) -> None:
    for number, part in enumerate(parts):
        problems.refuse(
            rows.loc[rows["part"] == number, "record"].to_numpy(),
            "KEY_CONFLICT",
            "several rows of one episode that differ; none is chosen",
            column=part.header("episode_id") or part.header("patient_id"),
            remedy=f"if they are courses of their own, {FIRST_DAY}; else leave one of them in the file",
            outcome="quarantine_patient_pair",
        )


def _align_courses(rows: pd.DataFrame, texts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's course of its patient, from 0, and which rows tell a course again.

    Within a file each row is a further course; in the next file it is the first one that agrees with it.
    """
    place, again = np.zeros(len(rows), dtype=np.int32), np.zeros(len(rows), dtype=bool)
    told = [
        {str(name): text for name, text in entry.items() if isinstance(text, str)}
        for entry in texts.to_dict("records")
    ]
    for positions in rows.reset_index(drop=True).groupby("episode").indices.values():
        known: list[dict[str, str]] = []
        seen: set[tuple[int, int]] = set()
        last, before = -1, -1
        for i in positions:
            file, kind = int(rows["part"].iloc[i]), int(rows["kind"].iloc[i])
            last = last if file == before else -1
            before = file
            fits = (
                k for k in range(last + 1, len(known))
                if all(known[k].get(name, text) == text for name, text in told[i].items())
            )  # fmt: skip
            last = next(fits, len(known))
            if last == len(known):
                known.append({})
            known[last] |= told[i]
            place[i], again[i] = last, (last, kind) in seen
            seen.add((last, kind))
    return place, again


def _order_courses(
    parts: Sequence[Part],
    rows: pd.DataFrame,
    texts: pd.DataFrame,
    n: int,
    courses: list[np.ndarray],
    problems: Problems,
) -> None:
    """Number the courses of patients that nothing dates by the file's order, or ask which is first."""
    facts, n_twice = read_facts("checks")["twice"], rows["episode"].nunique()
    what = f"{n_twice} of {n} patients have several rows that differ, and nothing says which course was first"
    records = rows["record"].to_numpy()
    column = parts[int(rows["part"].iloc[0])].header("patient_id")
    if any(FILE_ORDER in part.spec.confirmed for part in parts):
        problems.note(
            "EPISODE_ORDER", "answered", f"{what}; the order of the file counts", records, column=column,
            said=ORDER_SAID,
        )  # fmt: skip
        place, again = _align_courses(rows, texts)
        problems.repeat(records[again], _AGAIN)
        for number in rows["part"].unique():
            here = (rows["part"] == number).to_numpy()
            courses[number][rows["row"].to_numpy()[here]] = place[here]
    elif n_twice >= facts["fewest"] and n_twice > facts["share"] * n:
        answers = {
            f'confirmed = ["{FILE_ORDER}"]': "in [[file]]: their order in the file",
            'start_date = "<header>"': "in [file.columns]: a column with the first day of each course",
            'episode_number = "<header>"': "in [file.columns]: a column that numbers the courses",
        }
        if rows["part"].nunique() > 1:
            answers |= RESTART
        first = problems.find_place(int(records.min()))
        problems.ask(
            "EPISODE_ORDER", f"{what}. Which is first?", answers, records[records < first.stop], column=column
        )
    else:
        _refuse_all(parts, rows, problems)
