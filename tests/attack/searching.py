"""Looking for planted texts in every published byte, in all the forms in which a byte can hold them."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def list_forms(text: str) -> set[bytes]:
    """Return a text in the encodings in which it might leave."""
    plain = text.encode("utf-8")
    forms = {
        plain, plain.upper(), plain.lower(), text.encode("utf-16-le"), html.escape(text).encode(),
        urllib.parse.quote(text).encode(), json.dumps(text)[1:-1].encode(), plain.hex().encode(),
    }  # fmt: skip
    for shift in range(3):  # base 64 looks different at each of three places in a stream
        encoded = base64.b64encode(b"\0" * shift + plain)
        forms.add(encoded[shift and shift + 1 : len(encoded) // 4 * 4 - 4] if len(plain) > 6 else encoded)
    return {form for form in forms if len(form) > 3}


def read_everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every published byte with its place: files, members of workbooks, pictures, their pixels."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield path.name, path.name.encode() + content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield from ((f"{path.name}:{name}", archive.read(name)) for name in archive.namelist())
        for number, encoded in enumerate(re.findall(rb"base64,([A-Za-z0-9+/=]+)", content)):
            yield f"{path.name}:image {number}", _inflate(base64.b64decode(encoded))
        if path.suffix == ".png":
            yield f"{path.name}:pixels", _inflate(content)


def find_planted(folder: Path, planted: Iterable[str]) -> list[str]:
    """Return where any of the planted texts stands in what was published."""
    forms = {form: text for text in planted for form in list_forms(text)}
    return [
        f"{form!r} (for {text!r}) in {place}"
        for place, content in read_everything(folder)
        for form, text in forms.items()
        if form in content
    ]


def _inflate(png: bytes) -> bytes:
    """Return a PNG's own bytes and what is compressed within it."""
    found = [png]
    for start in (match.end() for match in re.finditer(rb"IDAT|zTXt|iCCP|iTXt", png)):
        try:
            found.append(zlib.decompressobj().decompress(png[start:]))
        except zlib.error:
            continue
    return b"".join(found)
