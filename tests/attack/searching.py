"""Looking for planted texts in every published byte, in all the forms in which a byte can hold them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
import io
import json
import re
import urllib.parse
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

#: Texts shorter than this, in bytes, are found by chance in what is compressed; they are not looked for.
SHORTEST = 5
_EXCEL_DAY_ZERO = dt.date(1899, 12, 30)


def list_forms(text: str) -> set[bytes]:
    """Return a text in the encodings in which it might leave."""
    plain = text.encode("utf-8")
    forms = {
        plain,
        plain.upper(),
        plain.lower(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        html.escape(text).encode(),
        urllib.parse.quote(text, safe="").encode(),
        urllib.parse.quote_plus(text).encode(),
        "".join(f"%{byte:02X}" for byte in plain).encode(),
        json.dumps(text)[1:-1].encode(),
        "".join(f"\\u{ord(sign):04x}" for sign in text).encode(),
        "".join(f"&#{ord(sign)};" for sign in text).encode(),
        "".join(f"&#x{ord(sign):x};" for sign in text).encode(),
        plain.hex().encode(),
        plain.hex().upper().encode(),
        text[::-1].encode("utf-8"),
        base64.b32encode(plain).rstrip(b"="),
    }
    forms.add(base64.b64encode(plain))
    for shift in range(3):  # base 64 looks different at each of three places in a stream
        encoded = base64.b64encode(b"\0" * shift + plain)
        inner = encoded[4 * bool(shift) : (shift + len(plain)) // 3 * 4]
        # shorter ones come by chance; long runs of base 64 are decoded anyway
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")} if len(inner) >= 8 else set()
    return {form for form in forms if len(form) >= min(SHORTEST, len(plain))}


def list_date_forms(day: dt.date) -> set[str]:
    """Return a date as clinics and programs write it: years of the Minguo era and Excel's numbers
    included."""
    minguo = day.year - 1911
    months = (day.strftime("%B"), day.strftime("%b"))
    return {
        day.isoformat(),
        day.strftime("%Y/%m/%d"),
        day.strftime("%Y.%m.%d"),
        day.strftime("%Y%m%d"),
        day.strftime("%d/%m/%Y"),
        day.strftime("%m/%d/%Y"),
        day.strftime("%d.%m.%Y"),
        day.strftime("%d-%m-%Y"),
        f"{day.day}/{day.month}/{day.year}",
        f"{day.month}/{day.day}/{day.year}",
        f"{minguo}/{day.month:02d}/{day.day:02d}",
        f"{minguo}-{day.month:02d}-{day.day:02d}",
        f"{minguo}.{day.month}.{day.day}",
        f"{minguo}年{day.month}月{day.day}日",
        f"{day.year}年{day.month}月{day.day}日",
        *(f"{day.day} {month} {day.year}" for month in months),
        *(f"{month} {day.day}, {day.year}" for month in months),
        str((day - _EXCEL_DAY_ZERO).days),
        str(int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp())),
    }


def join_row(values: Iterable[object]) -> set[str]:
    """Return a row of records as programs print it."""
    texts = ["" if value is None else str(value) for value in values]
    joined = {sign.join(texts) for sign in (",", ";", "\t", "|", " ", ", ", "</td><td>", "','", '","')}
    return joined | {json.dumps(texts), repr(texts), repr(tuple(texts))}


def read_everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every published byte with its place: files, members of workbooks, pictures, their pixels.

    Whatever is packed is unpacked: archives, streams of gzip and deflate, base 64, and escapes of HTML,
    URLs and JSON. What lies in several places is given once.
    """
    given: set[bytes] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for place, content in _unpack(path.relative_to(folder).as_posix(), path.read_bytes()):
            digest = hashlib.sha256(content).digest()
            if digest not in given:
                given.add(digest)
                yield place, content


def _unpack(place: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"{place}:name", place.encode()
    yield place, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield f"{place}:comment", archive.comment
            for name in archive.namelist():
                yield from _unpack(f"{place}:{name}", archive.read(name))
        return
    if content.startswith(b"\x89PNG"):
        yield f"{place}:pixels", _inflate(content)
        return
    for start in (match.start() for match in re.finditer(rb"\x1f\x8b\x08", content)):
        try:
            yield f"{place}:gzip", zlib.decompressobj(31).decompress(content[start:])
        except zlib.error:
            continue
    for number, encoded in enumerate(re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", content)):
        try:
            decoded = base64.b64decode(encoded)
        except ValueError:
            continue
        if decoded.startswith(b"\x89PNG") or decoded.isascii():
            yield from _unpack(f"{place}:base 64 {number}", decoded)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return
    for name, plain in (("HTML", html.unescape(text)), ("URL", urllib.parse.unquote(text))):
        if plain != text:
            yield f"{place}:{name}", plain.encode("utf-8", "replace")


def find_planted(folder: Path, planted: Iterable[str]) -> list[str]:
    """Return where any of the planted texts stands in what was published."""
    forms = {form: text for text in planted for form in list_forms(text)}
    return [
        f"{form!r} (for {forms[form]!r}) in {place}"
        for place, content in read_everything(folder)
        for form in find_any(content, forms)
    ]


def find_any(content: bytes, patterns: Iterable[bytes]) -> list[bytes]:
    """Return which of many patterns stand in some bytes, looking at each byte once."""
    by_start: dict[bytes, list[bytes]] = defaultdict(list)
    found = []
    for pattern in patterns:
        if len(pattern) < SHORTEST:
            found += [pattern] if pattern in content else []
        else:
            by_start[pattern[:4]].append(pattern)
    if len(content) < SHORTEST or not by_start:
        return found
    # a table of bits says of most places that no pattern begins there
    begins = np.zeros(1 << 20, dtype=bool)
    begins[_hash_starts(b"".join(by_start))[::4]] = True
    hit: set[bytes] = set()
    for place in np.flatnonzero(begins[_hash_starts(content)]).tolist():
        for pattern in by_start.get(content[place : place + 4], ()):
            if pattern not in hit and content.startswith(pattern, place):
                hit.add(pattern)
    return found + sorted(hit)


def _hash_starts(content: bytes) -> np.ndarray:
    """Return a hash of the four bytes at each place."""
    words = np.lib.stride_tricks.sliding_window_view(np.frombuffer(content, dtype=np.uint8), 4)
    return (np.ascontiguousarray(words).view(np.uint32)[:, 0] * np.uint32(2654435761)) >> np.uint32(12)


def _inflate(png: bytes) -> bytes:
    """Return a PNG's own bytes and what is compressed within it."""
    found = [png]
    for start in (match.end() for match in re.finditer(rb"IDAT|zTXt|iCCP|iTXt", png)):
        try:
            found.append(zlib.decompressobj().decompress(png[start:]))
        except zlib.error:
            continue
    return b"".join(found)
