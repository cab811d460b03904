"""The courses of one patient told apart: by first days, a number, labels or the file's order.

Episodes that stand in several rows are one told again, courses in the order of the file, or a conflict.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Text, read_facts, read_schema
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.mapping import list_therapy_spellings, read_category, read_dates, read_labels
from outcomes.records.columns.numbers import find_missing, parse_numbers
from outcomes.records.columns.part import Part, look_up_codes
from outcomes.records.episodes.sharing import RESTART, Sharing, ask_or_take
from outcomes.records.episodes.times import FILE_ORDER, find_target_day
from outcomes.records.problems import Answers, Problems, Values
from outcomes.records.spelling import simplify_name

_SPAN = 1 << 32
#: What to write where a column tells the courses of a patient apart.
_TOLD_APART: Answers = {
    'start_date = "<header>"': Text.of("findings.EPISODE_ORDER.first_days"),
    'episode_number = "<header>"': Text.of("findings.EPISODE_ORDER.numbered"),
    'episode_id = ["<id>", "<header>"]': Text.of("findings.EPISODE_ORDER.other_column"),
}
_SCORE = "score of "
#: What says where a row stands, beside what it holds.
_PLACE = ("part", "kind", "row", "record", "episode")


def number_by_start(
    parts: Sequence[Part], patients: Sequence[np.ndarray], sharing: Sharing, problems: Problems
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return each row's course of its patient by first days, from 0, and which patients have any.

    Rows without a first day belong to the course that had begun on their date; where nothing says so, they
    are refused, unless their patient has one course only. Where most patients have several first days, and
    nothing else is known of them, it is asked whether their numbers restart. A number that may stand for two
    people has one course, in which its rows then contradict each other.
    """
    n = len(sharing.doubtful)
    starts = [_read_starts(part) for part in parts]
    dated = np.zeros(n, dtype=bool)
    courses = [np.zeros(len(rows), dtype=np.int32) for rows in patients]
    known = [(start != NO_DATE) & (rows >= 0) for start, rows in zip(starts, patients, strict=True)]
    if not any(mask.any() for mask in known):
        return courses, dated
    keys = [_pack(rows[mask], start[mask]) for rows, start, mask in zip(patients, starts, known, strict=True)]
    pairs = np.unique(np.concatenate(keys))
    count = np.bincount(pairs // _SPAN, minlength=n)
    dated[count > 0] = True
    pairs = pairs[~sharing.doubtful[pairs // _SPAN]]
    count[sharing.doubtful] = 0
    if count.max(initial=0) < 2:
        return courses, dated
    first = np.cumsum(count) - count
    facts, n_several = read_facts("checks")["shared"], int((count > 1).sum())
    untold = sharing.untold and not any("episode_number" in part.spec.columns for part in parts)
    if untold and n_several >= facts["fewest_at_site"] and n_several > facts["share"] * (count > 0).sum():
        twice = np.append(count > 1, False)
        records = [part.records(twice[rows]) for part, rows in zip(parts, patients, strict=True)]
        counts = {"n": n_several, "n_all": int((count > 0).sum())}
        ask_or_take(parts, "several_first_days", counts, RESTART, np.concatenate(records), problems)
    for part, rows, start, mask, course in zip(parts, patients, starts, known, courses, strict=True):
        several = np.append(count > 1, False)[rows]
        when = np.where(mask, start, _read_row_dates(part))
        here = np.flatnonzero(several & (when != NO_DATE))
        place = np.searchsorted(pairs, _pack(rows[here], when[here]), side="right") - 1
        course[here] = np.maximum(place - first[rows[here]], 0)
        lost = several & (when == NO_DATE)
        rows[lost] = -1
        start_header = part.header("start_date")
        problems.refuse("START_MISSING", part.records(lost), column=start_header or part.header("date"))
        split = part.records(mask & (course > 0))
        problems.note("EPISODE_SPLIT", split, column=start_header or part.header("episode_number"))
    return courses, dated


def _pack(patient: np.ndarray, start: np.ndarray) -> np.ndarray:
    return patient.astype(np.int64) * _SPAN + (start.astype(np.int64) + (1 << 31))


def _read_starts(part: Part) -> np.ndarray:
    """Return what tells the courses of a patient apart, one per row: the first day, else their number."""
    columns = part.spec.columns
    if part.spec.rows in ("episode", "assessment") and "start_date" in columns:
        return read_dates(part, columns["start_date"]).spread(NO_DATE)
    if part.spec.rows in ("episode", "assessment") and "episode_number" in columns:
        coded = part.columns[columns["episode_number"]]
        values, _ = parse_numbers(coded.values, ~find_missing(coded.values), part.spec.decimal)
        whole = np.where(np.isnan(values), NO_DATE, np.round(values)).astype(np.int32)
        return np.append(whole, np.int32(NO_DATE))[coded.codes]
    return np.full(part.n_rows, NO_DATE, dtype=np.int32)


def _read_row_dates(part: Part) -> np.ndarray:
    header = part.spec.columns.get("date")
    if header is None:
        return np.full(part.n_rows, NO_DATE, dtype=np.int32)
    return read_dates(part, header).spread(NO_DATE)


def number_by_labels(
    parts: Sequence[Part], patients: Sequence[np.ndarray], courses: list[np.ndarray], problems: Problems
) -> None:
    """Number the courses in long files that only label their rows, where the source lets their order count.

    A patient's next course begins where a label goes back, or comes again with the same instrument.
    """
    for part, rows, course in zip(parts, patients, courses, strict=True):
        columns = part.spec.columns
        timed = {"date", "day", "start_date", "episode_number"} & set(columns)
        if part.spec.rows != "assessment" or FILE_ORDER not in part.spec.confirmed or timed:
            continue
        here = np.flatnonzero((rows >= 0) & part.accepted())
        here = here[np.argsort(rows[here], kind="stable")]
        label = read_labels(part, columns["timepoint"])
        targets = np.array([find_target_day(id, part.source) if id else -1 for id in label.values] + [-1])
        day = targets[label.codes][here]
        instrument = part.columns[columns["instrument"]].codes[here] if "instrument" in columns else day * 0
        new = np.append(True, rows[here][1:] != rows[here][:-1])
        starts = new | np.append(False, day[1:] < day[:-1])
        visits = pd.DataFrame({"day": day, "instrument": instrument})
        while (again := visits.assign(run=np.cumsum(starts)).duplicated().to_numpy()).any():
            run = np.cumsum(starts)[again]
            starts[np.flatnonzero(again)[np.append(True, run[1:] != run[:-1])]] = True
        count = np.cumsum(starts)
        course[here] = count - np.maximum.accumulate(np.where(new, count, 0))
        records = part.records(course > 0)
        problems.note("EPISODE_ORDER.by_file", records, "answered", column=columns["timepoint"])


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
    """
    courses = [np.zeros(len(rows), dtype=np.int32) for rows in episodes]
    rows = _gather_repeated(parts, episodes, n)
    if rows is None:
        return courses
    compared = [name for name in rows.columns if name not in _PLACE]
    texts = rows[compared].where(rows[compared] != "")
    differs = texts.groupby(rows["episode"]).transform("nunique").gt(1).any(axis=1)
    again = ~differs & rows.duplicated(["episode", "kind"])
    problems.repeat("episode", rows.loc[again, "record"].to_numpy())
    rows, texts = rows[differs], texts[differs]
    undated = np.zeros(len(rows), dtype=bool) if may_split is None else may_split[rows["episode"]]
    n = len(np.unique(np.concatenate([numbers[numbers >= 0] for numbers in episodes])))
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
        told = {name: _spell(parts[i], name, header)[rows] for name, header in _list_compared(parts[i])}
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


def _spell(part: Part, name: str, header: str) -> np.ndarray:
    """Return what a column says in one spelling: days, numbers, known codes, else text without case."""
    column = read_schema()["episodes"].get(name)
    if name.endswith(" date") or name == "date" or (column and column.type == "date"):
        days = read_dates(part, header).spread(NO_DATE)
        return np.where(days == NO_DATE, "", days.astype(str)).astype(object)
    if column and column.allowed:
        return read_category(part, name).spread("")
    coded = part.columns[header]
    absent = find_missing(coded.values, part.spec.missing)
    plain = np.array([text.casefold() for text in coded.values], dtype=object)
    if name == "therapy":
        known = list_therapy_spellings(part.source)
        told = look_up_codes(part.spec.codes.get(name, {}), coded.values)
        plain = np.array(
            [code or known.get(simplify_name(text), text) for code, text in zip(told, plain, strict=True)],
            dtype=object,
        )
    numbers, _ = parse_numbers(coded.values, ~absent, part.spec.decimal)
    known = ~np.isnan(numbers)
    plain[known] = [f"{number:.10g}" for number in numbers[known]]
    plain[absent] = ""
    return np.append(plain, "")[coded.codes]


def _refuse_conflicts(parts: Sequence[Part], rows: pd.DataFrame, n: int, problems: Problems) -> None:
    if rows.empty or problems.asks_whose:
        return
    facts, records = read_facts("checks")["shared"], rows["record"].to_numpy()
    n_conflicts = rows["episode"].nunique()
    if n_conflicts < facts["fewest_different"] or n_conflicts <= facts["share"] * n:
        _refuse_all(parts, rows, problems)
    elif rows["part"].nunique() > 1:
        ask_or_take(parts, "several_files", {"n": n_conflicts, "n_all": n}, RESTART, records, problems)
        _refuse_all(parts, rows, problems)
    else:
        column, answers = parts[int(rows["part"].iloc[0])].find_id_header(), {**_TOLD_APART, **RESTART}
        rule, counts = "EPISODE_ORDER.several_rows", {"n": n_conflicts, "n_all": n}
        problems.ask(rule, answers, records, column=column, **counts)


def _refuse_all(parts: Sequence[Part], rows: pd.DataFrame, problems: Problems) -> None:
    for number, part in enumerate(parts):
        records = rows.loc[rows["part"] == number, "record"].to_numpy()
        problems.refuse("KEY_CONFLICT.rows", records, column=part.find_id_header(), contradict=True)


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
            last += 1
            while last < len(known) and any(known[last].get(k, text) != text for k, text in told[i].items()):
                last += 1
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
    records, counts = rows["record"].to_numpy(), Values(n=n_twice, n_all=n)
    column = parts[int(rows["part"].iloc[0])].header("patient_id")
    if any(FILE_ORDER in part.spec.confirmed for part in parts):
        problems.note("EPISODE_ORDER.order_counts", records, "answered", column=column, **counts)
        place, again = _align_courses(rows, texts)
        problems.repeat("episode", records[again])
        for number in rows["part"].unique():
            here = (rows["part"] == number).to_numpy()
            courses[number][rows["row"].to_numpy()[here]] = place[here]
    elif n_twice >= facts["fewest"] and n_twice > facts["share"] * n:
        in_order = {f'confirmed = ["{FILE_ORDER}"]': Text.of("findings.EPISODE_ORDER.in_order")}
        answers = {**in_order, **_TOLD_APART, **(RESTART if rows["part"].nunique() > 1 else {})}
        records = problems.keep_first_file(records)
        problems.ask("EPISODE_ORDER.which_first", answers, records, column=column, **counts)
    else:
        _refuse_all(parts, rows, problems)
