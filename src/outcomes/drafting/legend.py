"""What a header says about its own codes: "Sex (1=M, 2=F)", "region 1 LBP 2 neck", "性別(1男2女)"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

from outcomes.drafting.column import SheetColumn, is_missing_word
from outcomes.records.files import simplify_name

_WORD = r"[^\W\d_][^\d,;/|()\[\]{}=:]*"
#: A number and its word, a word and its number, a letter and its word.
_EQUALS = re.compile(r"(?<![\d.])(\d{1,2}) ?[=:] ?([^,;/|()=:\[\]]+?)(?= ?\d{1,2} ?[=:]|[,;/|()\]]|$)")
_NUMBER_FIRST = re.compile(rf"(?<![\d.])(\d{{1,2}}) ?[=:.)–-]? ?({_WORD})")
_NUMBER_LAST = re.compile(rf"({_WORD}?) ?[=:] ?(\d{{1,2}})(?!\d)")
_LETTER_FIRST = re.compile(rf"(?<!\w)([^\W\d_]{{1,2}}) ?[=:] ?({_WORD})")
_EMPTY = re.compile(r"[\s,;/|()\[\]{}=:.–-]+$")


def read_legend(column: SheetColumn) -> Mapping[str, str]:
    """Return the codes of a column that its header explains, simplified, each with its word; else nothing.

    They count only where they stand for all values: at least two codes, numbers in a row from 0 or 1.

    >>> dict(read_legend(SheetColumn("性別(1男2女)", (1, 2, 2, 1))))
    {'1': '男', '2': '女'}
    >>> dict(read_legend(SheetColumn("Sex (M = 1, F = 2)", ("1", "2"))))
    {'1': 'M', '2': 'F'}
    >>> dict(read_legend(SheetColumn("ODI 6 weeks", (10, 20))))
    {}
    """
    return split_legend(column)[1]


def split_legend(column: SheetColumn) -> tuple[str, Mapping[str, str]]:
    """Return a header without what it says about codes, and that."""
    text = unicodedata.normalize("NFKC", column.header)
    for pattern, code in ((_EQUALS, 1), (_NUMBER_FIRST, 1), (_NUMBER_LAST, 2), (_LETTER_FIRST, 1)):
        found = list(pattern.finditer(text))
        legend = {match[code].casefold(): match[3 - code].strip(" .-–") for match in found}
        if len(found) == len(legend) >= 2 and _covers(list(legend), column):
            bare = _EMPTY.sub("", text[: found[0].start()])
            if not bare and code == 2:  # "sexo H=1 M=2"
                bare, _, legend[found[0][2]] = found[0][1].rpartition(" ")
            return bare or column.header, legend
    return column.header, {}


def _covers(codes: Sequence[str], column: SheetColumn) -> bool:
    """Whether codes are numbers in a row, or letters, and all values of a column are among them."""
    if codes[0].isdecimal():
        numbers = [int(code) for code in codes if code.isdecimal()]
        if len(numbers) < len(codes) or numbers[0] > 1 or any(b != a + 1 for a, b in pairwise(numbers)):
            return False
    values = {_spell(cell) for cell in column.filled if not is_missing_word(cell)}
    return bool(values) and values <= set(codes)


def find_meaning(legend: Mapping[str, str], code: str) -> str | None:
    """Return the word of a code, as it stands in a file."""
    return legend.get(_spell(code))


def _spell(cell: object) -> str:
    return re.sub(r"\.0+$", "", simplify_name(str(cell)))
