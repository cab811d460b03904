"""From bytes to UTF-8 with one kind of line end; an encoding is declared or proved, never guessed."""

import codecs
import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa

from outcomes.errors import FactsError
from outcomes.facts import Text, read_facts
from outcomes.records.findings import FileFindings

#: Byte order marks to the encodings that they declare; those of UTF-32 begin like one of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_ACCENTED, _GREEK_CYRILLIC = "\u00c0-\u024f", "\u0370-\u052f"
_ODD_NEIGHBOURS = re.compile(
    f"(?<=[A-Za-z{_ACCENTED}])[{_GREEK_CYRILLIC}]|(?<=[{_GREEK_CYRILLIC}])[A-Za-z{_ACCENTED}]"
    "|(?<=[a-z])[À-ÖØ-Þ\u0391-\u03ab\u0410-\u042f]"
    "|(?<=[\u03b1-\u03c9\u0430-\u044f])[\u0391-\u03ab\u0410-\u042f]"
    f"|(?<=[{_ACCENTED}])[{_ACCENTED}]"
)


def recode_as_utf8(content: bytes, declared: str | None, findings: FileFindings) -> bytes:
    """Return the bytes as UTF-8 with line feeds only, noting every repair.

    A text that is not in the declared encoding (UTF-8 where the source says nothing), or holds NUL, is
    refused at once, for nothing after it can be read.
    """
    content, declared = _strip_marks(content, declared, findings)
    encoding = _normalise(declared or "utf-8")
    if declared is None or encoding in ("utf-8", "ascii"):
        _check_utf8(content, findings)
    else:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            place = {"offset": error.start, "encoding": declared}
            line = content.count(b"\n", 0, error.start) + 1
            findings.refuse_now("ENC_INVALID_BYTE.declared", lines=[line], **place)
        if not encoding.startswith("utf-"):
            findings.accept("ENC_DECLARED", encoding=declared)
        content = text.encode("utf-8")
    if b"\0" in content:
        lines = [number for number, line in enumerate(content.split(b"\n"), 1) if b"\0" in line]
        findings.refuse_now("NUL_BYTE", lines=lines)
    return _unify_line_ends(content, findings)


def _normalise(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        unknown = Text.of("findings_files.errors.no_encoding", encoding=repr(encoding))
        raise FactsError(unknown) from None
    return "utf-8" if name == "utf-8-sig" else name


def _strip_marks(content: bytes, declared: str | None, findings: FileFindings) -> tuple[bytes, str | None]:
    """Remove byte order marks; those of UTF-16 and UTF-32 declare the encoding."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            findings.repair("ENC_UTF16", encoding=encoding.upper())
            return content[len(mark) :], encoding
    number = 0
    while content.startswith(codecs.BOM_UTF8, number * len(codecs.BOM_UTF8)):
        number += 1
    if number:
        findings.repair("ENC_BOM", count=number)
    return content[number * len(codecs.BOM_UTF8) :], declared


def _check_utf8(content: bytes, findings: FileFindings) -> None:
    """Refuse what is not UTF-8: a byte is damaged, exports were joined, or an encoding is missing."""
    if content.isascii() or _is_utf8(content):
        return
    lines = content.split(b"\n")
    broken = [number for number, line in enumerate(lines, 1) if not line.isascii() and not _is_utf8(line)]
    sound = any(not line.isascii() and _is_utf8(line) for line in lines)
    wrong = [_list_invalid(lines[number - 1]) for number in broken[:2]]
    offset = sum(len(line) + 1 for line in lines[: broken[0] - 1]) + wrong[0][0]
    if sum(map(len, wrong)) == 1:
        candidates = _name_candidates(content)
        findings.refuse_now("ENC_INVALID_BYTE.damaged", lines=broken, offset=offset, candidates=candidates)
    if sound:
        findings.refuse_now("ENC_MIXED", lines=broken, offset=offset)
    findings.refuse_now("ENC_UNDECIDED", lines=broken, offset=offset, candidates=_name_candidates(content))


def _is_utf8(content: bytes) -> bool:
    """Return whether the bytes are valid UTF-8, checked without a decoded copy."""
    offsets = pa.array([0, len(content)], pa.int64()).buffers()[1]
    text = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(content))
    try:
        text.validate(full=True)
        return True
    except pa.ArrowInvalid:
        return False


def _list_invalid(line: bytes) -> list[int]:
    """Return where the invalid sequences of a line begin, the first two of them."""
    places: list[int] = []
    start = 0
    while len(places) < 2:
        try:
            line[start:].decode("utf-8")
            break
        except UnicodeDecodeError as error:
            places.append(start + error.start)
            start += error.end
    return places


def _name_candidates(content: bytes) -> Text:
    shown = read_facts("encodings")["model"]["shown"]
    fitting = " ".join(found.encoding for found in rank_encodings(content)[:shown])
    return Text.of("findings_files.errors.encodings", encodings=fitting)


def find_encoding(content: bytes) -> tuple[str | None, bool]:
    """Return the encoding that a text was probably saved in, and whether there is no other reading.

    None for UTF-8, for a text whose mark says what it is, and where `recode_as_utf8` refuses it.
    """
    marked = content.startswith((*_MARKS, codecs.BOM_UTF8))
    if content.isascii() or marked or b"\0" in content or _is_utf8(content):
        return None, True
    if any(not line.isascii() and _is_utf8(line) for line in content.split(b"\n")):
        return None, False
    candidates = rank_encodings(content)
    if len(candidates) < 2:
        return (candidates[0].encoding if candidates else None), bool(candidates)
    lead = candidates[0].likelihood - candidates[1].likelihood
    return candidates[0].encoding, lead >= read_facts("encodings")["model"]["certain"]


def _unify_line_ends(content: bytes, findings: FileFindings) -> bytes:
    if b"\r" not in content:
        return content
    feeds, returns, pairs = content.count(b"\n"), content.count(b"\r"), content.count(b"\r\n")
    if not feeds:
        findings.repair("EOL_CR")
    elif pairs != returns or pairs != feeds:
        findings.repair("EOL_MIXED")
    content = content.replace(b"\r\n", b"\n")
    return content.replace(b"\r", b"\n") if pairs != returns else content


class Candidate(NamedTuple):
    """An encoding in which all bytes can be read."""

    encoding: str
    #: Natural logarithm of how likely the text is in it.
    likelihood: float
    #: What was weighed.
    text: str


def rank_encodings(content: bytes) -> list[Candidate]:
    """Return the encodings in which bytes can be read, the most plausible first, no reading twice.

    A text is likely where its characters beyond ASCII are those that one language has in daily use; each
    character counts by itself. Words that a draft knows add to it.

    Examples
    --------
    >>> [rank_encodings(word.encode(name))[0].encoding for word, name in
    ...  (("thérapie à la maison", "cp1252"), ("基準的分數", "cp950"), ("治疗方法", "gb18030"))]
    ['cp1252', 'cp950', 'gb18030']
    """
    model = read_facts("encodings")["model"]
    sample = _sample_lines(content, model["most_bytes"])
    found: dict[str, Candidate] = {}
    for facts in read_facts("encodings")["encoding"]:
        try:
            content.decode(facts["name"])
            text = sample.decode(facts["name"])
        except UnicodeDecodeError:
            continue
        candidate = Candidate(facts["name"], _weigh(text, facts, model), text)
        found[text] = max(found.get(text, candidate), candidate, key=lambda entry: entry.likelihood)
    return sorted(found.values(), key=lambda candidate: -candidate.likelihood)


def _sample_lines(content: bytes, most: int) -> bytes:
    """Return the distinct lines that hold more than ASCII, up to a number of bytes."""
    lines = dict.fromkeys(line for line in content.splitlines() if not line.isascii())
    kept: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line)
        if kept and size > most:
            break
        kept.append(line)
    return b"\n".join(kept)


def _weigh(text: str, facts: dict[str, Any], model: dict[str, Any]) -> float:
    signs = Counter(sign for sign in text if sign > "\x7f")
    rare = math.log((1 - model["common"]) / model["rare"])
    if "lead" in facts:
        daily = math.log(model["common"] / facts["number"])
        codes = {sign: sign.encode(facts["name"]) for sign in signs}
        common = {
            sign
            for sign, code in codes.items()
            if len(code) == 2 and any(low <= code[0] <= high for low, high in facts["lead"])
        }
        beyond = sum(number * (daily if sign in common else rare) for sign, number in signs.items())
    else:
        beyond = max(_weigh_letters(signs, letters, model["common"], rare) for letters in facts["letters"])
    return float(
        beyond
        - facts.get("unusual", 0.0)
        - (len(text) - signs.total()) * math.log(model["ascii"])
        - len(_ODD_NEIGHBOURS.findall(text)) * model["odd_neighbour"]
        + sum(word in text for word in _list_known_words()) * model["known_word"]
    )


def _weigh_letters(signs: Counter[str], letters: str, common: float, rare: float) -> float:
    total = sum(1 / place for place in range(1, len(letters) + 1))
    weights = {letter: math.log(common / (place * total)) for place, letter in enumerate(letters, start=1)}
    return sum(number * weights.get(sign, weights.get(sign.lower(), rare)) for sign, number in signs.items())


@cache
def _list_known_words() -> set[str]:
    """Return the words beyond ASCII by which drafts know headers, of two characters or more."""
    return {word for word in _walk(read_facts("drafting")) if len(word) > 1 and not word.isascii()}


def _walk(facts: Any) -> Iterator[str]:
    if isinstance(facts, str):
        yield facts
    elif isinstance(facts, dict):
        yield from facts
        yield from _walk(list(facts.values()))
    elif isinstance(facts, list | tuple):
        for value in facts:
            yield from _walk(value)
