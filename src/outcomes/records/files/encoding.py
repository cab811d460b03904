"""From bytes to UTF-8 with one kind of line end; an encoding is declared or proved, never guessed."""

from __future__ import annotations

import codecs
import re

import pyarrow as pa

from outcomes.errors import FactsError
from outcomes.facts import read_facts
from outcomes.records.files.findings import FileFindings
from outcomes.records.files.plausibility import is_certain, rank_encodings

_BLOCK = 4 << 20
_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF32_MARKS = {codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be"}


def recode_as_utf8(content: bytes, declared: str | None, findings: FileFindings) -> bytes:
    """Return the bytes as UTF-8 with line feeds only, noting every repair.

    Parameters
    ----------
    content : bytes
        The file's content.
    declared : str or None
        Encoding that the source TOML declares; UTF-8 where it says nothing.
    findings : FileFindings
        Takes what is noticed; a refused encoding is raised at once, for nothing after it can be read.

    Raises
    ------
    RecordsError
        When bytes do not fit the encoding, or hold NUL.
    FactsError
        When the declared encoding is unknown.
    """
    content, declared = _strip_marks(content, declared, findings)
    if declared is None or _normalise(declared) in ("utf-8", "ascii"):
        _check_utf8(content, findings)
    else:
        content = _decode_declared(content, declared, findings)
    _check_nul(content, findings)
    findings.stop()
    return _unify_line_ends(content, findings)


def _normalise(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise FactsError(f"encoding = {encoding!r} is not the name of a text encoding.") from None
    return "utf-8" if name == "utf-8-sig" else name


def _strip_marks(content: bytes, declared: str | None, findings: FileFindings) -> tuple[bytes, str | None]:
    """Remove byte order marks; those of UTF-16 and UTF-32 declare the encoding."""
    for marks in (_UTF32_MARKS, _UTF16_MARKS):
        for mark, encoding in marks.items():
            if content.startswith(mark):
                findings.repair("ENC_UTF16", f"the text is {encoding.upper()} by its byte order mark")
                return content[len(mark) :], encoding
    number = 0
    while content.startswith(codecs.BOM_UTF8, number * len(codecs.BOM_UTF8)):
        number += 1
    if number:
        findings.repair("ENC_BOM", "a byte order mark before the header was skipped", count=number)
    return content[number * len(codecs.BOM_UTF8) :], declared


def _decode_declared(content: bytes, declared: str, findings: FileFindings) -> bytes:
    encoding = _normalise(declared)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        findings.refuse(
            "ENC_INVALID_BYTE",
            f"byte {error.start} does not fit the declared encoding {declared}",
            lines=[_find_line(content, error.start)],
            remedy="declare the encoding the file was saved with: encoding = ...",
        )
        findings.stop()
    if not encoding.startswith("utf-"):
        findings.accept("ENC_DECLARED", f"read as {declared}, as the source declares")
    return text.encode("utf-8")


def _check_utf8(content: bytes, findings: FileFindings) -> None:
    """Refuse what is not UTF-8: a byte is damaged, exports were joined, or an encoding is missing."""
    if content.isascii() or _is_utf8(content):
        return
    lines = content.split(b"\n")
    broken = [number for number, line in enumerate(lines, 1) if not line.isascii() and not _is_utf8(line)]
    sound = any(not line.isascii() and _is_utf8(line) for line in lines)
    offset = _first_invalid(content)
    wrong_bytes = sum(_count_invalid(lines[number - 1], limit=2) for number in broken[:2])
    named = f"first at byte {offset}"
    if wrong_bytes == 1:
        what = f"one byte is not UTF-8, {named}; the file may be damaged"
        remedy = f"export it again; should it be in another encoding, say so: {_name_candidates(content)}"
        findings.refuse("ENC_INVALID_BYTE", what, lines=broken, remedy=remedy)
    elif sound:
        what = f"some lines are UTF-8 and others are not, {named}; exports were joined"
        remedy = "save each export in one encoding and join them again"
        findings.refuse("ENC_MIXED", what, lines=broken, remedy=remedy)
    else:
        what = f"the text is not UTF-8, {named}, and no encoding is declared"
        findings.refuse("ENC_UNDECIDED", what, lines=broken, remedy=f"add {_name_candidates(content)}")
    findings.stop()


def _is_utf8(content: bytes) -> bool:
    """Whether the bytes are valid UTF-8, checked without a decoded copy."""
    offsets = pa.array([0, len(content)], pa.int64()).buffers()[1]
    text = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(content))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _first_invalid(content: bytes) -> int:
    decoder, position = codecs.getincrementaldecoder("utf-8")(), 0
    for start in range(0, len(content), _BLOCK):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(content[start : start + _BLOCK], start + _BLOCK >= len(content))
        except UnicodeDecodeError as error:
            position = start - pending + error.start
            break
    return position


def _count_invalid(line: bytes, limit: int) -> int:
    """Return how many invalid sequences a line holds, counted up to a limit."""
    number = 0
    while number < limit:
        try:
            line.decode("utf-8")
            break
        except UnicodeDecodeError as error:
            number, line = number + 1, line[error.end :]
    return number


def _name_candidates(content: bytes) -> str:
    shown = read_facts("encodings")["model"]["shown"]
    fitting = [f'encoding = "{found.encoding}"' for found in rank_encodings(content)[:shown]]
    return " or ".join(fitting) or "none of the usual encodings fits all of it"


def find_encoding(content: bytes) -> tuple[str | None, bool]:
    """Return the encoding that a text was probably saved in, and whether there is no other reading.

    Returns
    -------
    encoding : str or None
        None for UTF-8, for a text whose mark says what it is, and where `recode_as_utf8` refuses it.
    certain : bool
    """
    marks = (*_UTF32_MARKS, *_UTF16_MARKS, codecs.BOM_UTF8)
    if content.isascii() or content.startswith(marks) or b"\0" in content or _is_utf8(content):
        return None, True
    if any(not line.isascii() and _is_utf8(line) for line in content.split(b"\n")):
        return None, False
    candidates = rank_encodings(content)
    return (candidates[0].encoding if candidates else None), is_certain(candidates)


def _find_line(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def _check_nul(content: bytes, findings: FileFindings) -> None:
    if b"\0" not in content:
        return
    lines = [number for number, line in enumerate(content.split(b"\n"), 1) if b"\0" in line]
    findings.refuse(
        "NUL_BYTE",
        "NUL bytes stand in the text",
        lines=lines,
        remedy='export the file again; if it is UTF-16 without a mark, add encoding = "utf-16-le"',
    )


def _unify_line_ends(content: bytes, findings: FileFindings) -> bytes:
    if b"\r" not in content:
        return content
    feeds, returns, pairs = content.count(b"\n"), content.count(b"\r"), content.count(b"\r\n")
    if not feeds:
        findings.repair("EOL_CR", "lines end in a carriage return only")
    elif pairs != returns or pairs != feeds:
        findings.repair("EOL_MIXED", "line ends are mixed")
    content = content.replace(b"\r\n", b"\n")
    return content.replace(b"\r", b"\n") if pairs != returns else content


def find_mojibake(text: str) -> bool:
    """Whether a text looks as if it had been decoded with a wrong encoding.

    Control characters of the range U+0080 to U+009F never stand in records; UTF-8 read as Latin-1 can be
    turned back; and other wrongly decoded text is full of symbols that records hardly hold.

    Examples
    --------
    >>> find_mojibake("thérapie manuelle")
    False
    >>> find_mojibake("thÃ©rapie manuelle")
    True
    """
    high = re.findall(r"[^\x00-\x7f]", text)
    if any("\x80" <= sign <= "\x9f" for sign in high):
        return True
    for run in re.findall(r"[\u00a1-\u00ff]{2,}", text):
        try:
            run.encode("latin-1").decode("utf-8")
            return True
        except UnicodeDecodeError:
            continue
    limits = read_facts("limits")["text"]
    symbols = sum(sign in limits["rare_symbols"] for sign in high)
    return symbols >= 2 and symbols / len(high) > limits["max_symbol_share"]
