"""Spellings that mean the same: one width of characters, blanks, case; nothing that changes a meaning."""

import re
import unicodedata

from outcomes.facts import read_facts

#: Wide and narrow forms, the ideographic space and the minus sign, to what they stand for. The rest of NFKC
#: is left out: it would turn ``7²`` into ``72`` and ``1½`` into ``11⁄2``.
_ONE_WIDTH = {code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFEF))}
_ONE_WIDTH[0x2212] = "-"
#: Characters of headers that show nothing, those that turn the direction of text included.
INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def narrow_text(text: str) -> str:
    """Return a text with full-width and half-width forms, and the minus sign, as ordinary characters.

    Examples
    --------
    >>> narrow_text("－７．５"), narrow_text("\u22122"), narrow_text("7²")
    ('-7.5', '-2', '7²')
    """
    return text.translate(_ONE_WIDTH)


def compose_text(text: str) -> str:
    """Return a text whose letters written in several parts (NFD) are composed (NFC)."""
    return unicodedata.normalize("NFC", text)


def simplify_name(text: str) -> str:
    """Return a name for comparison: without case, blanks, hyphens and underscores; ``498.0`` becomes ``498``.

    Examples
    --------
    >>> simplify_name("Manual_Therapy "), simplify_name("２.0"), simplify_name("1²")
    ('manualtherapy', '2', '1²')
    """
    plain = compose_text(narrow_text(text)).casefold().strip()
    if plain.lstrip("-").replace(".", "", 1).isdigit():
        return plain.removesuffix(".0")
    return "".join(plain.split()).replace("_", "").replace("-", "") or plain


def simplify_header(header: str) -> str:
    """Return a header without case, outer and repeated spaces, invisible characters and width variants.

    Examples
    --------
    >>> simplify_header(" Score\\u200b ")
    'score'
    """
    visible = INVISIBLE.sub("", compose_text(narrow_text(header)))
    return " ".join(visible.split()).casefold()


def is_total(cell: str) -> bool:
    """Return whether the first cell of a row says that it sums up others.

    Examples
    --------
    >>> is_total(" Total: "), is_total("T001")
    (True, False)
    """
    return cell.strip(" :\u00a0").casefold() in read_facts("limits")["text"]["total_words"]


def find_mojibake(text: str) -> bool:
    """Return whether a text looks as if it had been decoded with a wrong encoding.

    Records have no control characters U+0080 to U+009F; UTF-8 read as Latin-1 can be turned back; other
    wrongly decoded text is full of rare symbols.

    Examples
    --------
    >>> find_mojibake("thérapie manuelle"), find_mojibake("thÃ©rapie manuelle")
    (False, True)
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
