"""New cells compared with all earlier ones: which may be shown, and which would reveal a few patients.

The difference of two cells of one quantity is about the patients in whom they differ: who came, who left,
whose answer changed. So are combinations of several, such as the growth of a total less that of its
parts.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outcomes.disclosure.exposure import find_exposed, group_patients
from outcomes.disclosure.ledger.cell import Cell

#: The part of a patient in a cell, as bits: in it at all, with the answer, in the second group.
_WHOLE, _COUNTED, _VERSUS = 1, 2, 4
_NOBODY = np.zeros(0, dtype="int64")
_UNSEEN = np.iinfo("int64").max


@dataclass(frozen=True)
class Judgement:
    """What follows for a new cell."""

    #: Why it is not shown as it is: ``few`` patients differ from an earlier cell, the same patients have a
    #: ``changed`` value, or several cells ``together`` would reveal a few; empty where it may be shown.
    reason: str = ""
    #: Whether the same number of the same patients was shown before.
    is_known: bool = False


def judge_cells(
    new: Sequence[Cell],
    earlier: Sequence[Cell],
    k: int,
    ks: Mapping[str, int],
    follows: Callable[[Cell], bool] = lambda cell: False,
) -> list[Judgement]:
    """Judge new cells, which need `k` patients, by all earlier ones, which need `ks` by their edition.

    `follows` returns whether a new cell has an earlier row to show in its place. The judgements, one per
    new cell, depend on the patients behind the cells, not on the order of rows or patients.
    """
    found = [Judgement() for _ in new]
    known: dict[str, list[Cell]] = defaultdict(list)
    wanted: dict[str, list[int]] = defaultdict(list)
    for cell in earlier:
        known[cell.quantity].append(cell)
    for place, cell in enumerate(new):
        wanted[cell.quantity].append(place)
    searched: dict[bytes, frozenset[int]] = {}
    held = _find_held_models(new, earlier, k, ks)
    for quantity, places in sorted(wanted.items()):
        before, now = known[quantity], [new[place] for place in places]
        largest = max([k, *(ks.get(cell.edition, k) for cell in before)])
        judged = _judge_pairs(now, before, [max(k, ks.get(cell.edition, k)) for cell in before])
        judged = [
            Judgement("few") if (cell.model, cell.whole.tobytes()) in held and not one.is_known else one
            for cell, one in zip(now, judged, strict=True)
        ]
        _judge_together(now, before, judged, largest, follows, searched)
        for place, judgement in zip(places, judged, strict=True):
            found[place] = judgement
    return found


def _find_held_models(
    new: Sequence[Cell], earlier: Sequence[Cell], k: int, ks: Mapping[str, int]
) -> set[tuple[tuple[str, str], bytes]]:
    """Return the models, each with its patients, that differ in a few patients from an earlier version.

    All results of a model are held together: one without an earlier value, such as a signal, has them too.
    """
    found = set()
    for model in sorted({cell.model for cell in new if cell.model}):
        sets = {cell.whole.tobytes(): cell for cell in new if cell.model == model}
        known = {
            (cell.whole.tobytes(), ks.get(cell.edition, k)): cell for cell in earlier if cell.model == model
        }
        for (_, other_k), other in known.items():
            for name, cell in sets.items():
                differing = np.setxor1d(cell.whole, other.whole).size
                if 0 < differing < max(k, other_k):
                    found.add((model, name))
    return found


def count_differing(new: Sequence[Cell], earlier: Sequence[Cell]) -> np.ndarray:
    """Return in how many patients each new cell (row) differs from each earlier one (column).

    Patients differ who are in one cell only, have the answer in one only, or are in another group.
    """
    width = _count_numbers([*new, *earlier])
    parts, told = _list_parts(new, width)
    others, others_told = _list_parts(earlier, width)
    found = np.zeros((len(new), len(earlier)), dtype="int64")
    for row in range(len(new)):
        both = (others_told & told[row])[:, None]
        found[row] = np.count_nonzero((others ^ parts[row]) & both, axis=1)
    return found


def _list_parts(cells: Sequence[Cell], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of each patient, by number, in each cell (one row each); and the bits it is about."""
    parts, told = np.zeros((len(cells), width), dtype="uint8"), np.zeros(len(cells), dtype="uint8")
    for row, cell in enumerate(cells):
        for bit, members in ((_WHOLE, cell.whole), (_COUNTED, cell.counted), (_VERSUS, cell.versus)):
            if members is not None:
                parts[row, members] |= bit
                told[row] |= bit
    return parts, told


def _judge_pairs(new: Sequence[Cell], earlier: Sequence[Cell], ks: Sequence[int]) -> list[Judgement]:
    if not earlier:
        return [Judgement() for _ in new]
    limits = np.array(ks)
    found = []
    for cell, counts in zip(new, count_differing(new, earlier), strict=True):
        same = np.flatnonzero(counts == 0).tolist()
        if any(cell.says_the_same(earlier[place]) for place in same):
            found.append(Judgement(is_known=True))
        elif ((counts > 0) & (counts < limits)).any():
            found.append(Judgement("few"))
        else:
            found.append(Judgement("changed" if same else ""))
    return found


def _count_numbers(cells: Iterable[Cell]) -> int:
    """Return one more than the largest number of a patient."""
    return max((int(cell.whole[-1]) + 1 for cell in cells if cell.whole.size), default=0)


def _judge_together(
    new: Sequence[Cell],
    earlier: Sequence[Cell],
    judged: list[Judgement],
    k: int,
    follows: Callable[[Cell], bool],
    searched: dict[bytes, frozenset[int]],
) -> None:
    """Hold back cells until no combination with those shown reveals a few.

    Drop the least important cells first: one with an earlier value to show, the total of all groups, the
    one with the fewest new patients; then by name.
    """
    free = [place for place, one in enumerate(judged) if not one.reason and not one.is_known]
    while free:
        found = _find_touched([new[place] for place in free], earlier, k, searched)
        touched = {free[number] for number in found}
        if not touched:
            return
        lost = min(touched, key=lambda place: _rank(new[place], earlier, follows))
        judged[lost] = Judgement("together")
        free.remove(lost)


def _find_touched(
    new: Sequence[Cell], earlier: Sequence[Cell], k: int, searched: dict[bytes, frozenset[int]]
) -> set[int]:
    """Return which new cells are part of a combination that reveals who came or left, or what changed."""
    found: set[int] = set()
    known = [cell.whole for cell in earlier]
    for before, now in (
        (known, [cell.whole for cell in new]),
        (known, _mark_changed(new, earlier)),
        (_mark_answers(earlier), _mark_answers(new)),
    ):
        if not now:
            continue
        unique = {codes.tobytes(): codes for codes in before}
        held = [*unique, b"", *(codes.tobytes() for codes in now)]
        name = hashlib.sha256(b"".join([str([k, *map(len, held)]).encode(), *held])).digest()
        if name not in searched:
            exposures = find_exposed([*unique.values(), *now], k)
            numbers = {number - len(unique) for exposure in exposures for number in exposure.coefficients}
            searched[name] = frozenset(number for number in numbers if number >= 0)
        found |= searched[name]
    return found


def _mark_answers(cells: Sequence[Cell]) -> list[np.ndarray]:
    """Return the patients of shares, with a second code for the answer, which may change while they stay."""
    return [
        np.concatenate([2 * cell.whole, 2 * cell.counted + 1]) if cell.counted is not None else _NOBODY
        for cell in cells
    ]


def _rank(cell: Cell, earlier: Sequence[Cell], follows: Callable[[Cell], bool]) -> tuple[object, ...]:
    own = [other.whole for other in earlier if other.place == cell.place]
    gained = np.setdiff1d(cell.whole, own[-1]).size if own else cell.whole.size
    return (not follows(cell), cell.row["group"] != "all", gained, cell.place, cell.whole.tobytes())


def _mark_changed(new: Sequence[Cell], earlier: Sequence[Cell]) -> list[np.ndarray]:
    """Return the patients of means, with a further code for those whose records changed; empty for none.

    The growth of a total, less that of its parts, reveals whether anything was corrected in a part that
    did not grow. How many were corrected is unknown, since a changed record need not change this number:
    the patients who are in the same cells count as one.
    """
    members = [cell.whole if cell.counted is None else _NOBODY for cell in new]
    width = _count_numbers([*new, *earlier])
    lowest, highest = np.full(width, _UNSEEN), np.full(width, -1)
    for cell in earlier:
        if cell.counted is None and cell.marks is not None:
            lowest[cell.whole] = np.minimum(lowest[cell.whole], cell.marks)
            highest[cell.whole] = np.maximum(highest[cell.whole], cell.marks)
    kept = []
    for cell, codes in zip(new, members, strict=True):
        marks = cell.marks if cell.marks is not None and codes.size else _NOBODY
        codes = codes[: marks.size]
        differs = (highest[codes] >= 0) & ((lowest[codes] != marks) | (highest[codes] != marks))
        kept.append(codes[differs])
    if not any(codes.size for codes in kept):
        return []
    incidence, _ = group_patients(kept)
    return [
        np.concatenate([codes, width + np.flatnonzero(row)])
        for codes, row in zip(members, incidence, strict=True)
    ]
