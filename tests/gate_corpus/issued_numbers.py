"""Numbers of persons, drawn at random and given their check digits by the published rules."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import phonenumbers

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def make_number(draw: random.Random, form: str, check: Callable[[str], bool] | None = None) -> str:
    """Return a text of a form (9 a digit, A a letter, other signs themselves) that passes a check."""
    makers = {"9": lambda: str(draw.randrange(10)), "A": lambda: draw.choice(_LETTERS)}
    while True:
        text = "".join(makers[sign]() if sign in makers else sign for sign in form)
        if check is None or check(text):
            return text


def list_checked_numbers(
    draw: random.Random, kinds: list[Mapping[str, Any]], each: int
) -> Iterator[tuple[str, str]]:
    """Yield kind and text of numbers with a check digit, several of each form."""
    for entry in kinds:
        for form in entry["forms"]:
            for _ in range(each):
                yield entry["kind"], make_number(draw, form, _find_check(entry["module"]))
    for _ in range(each):
        yield "RIC", make_chinese_number(draw)
        for kind, second in (("Taiwan ID", "12"), ("Taiwan ARC", "89"), ("Taiwan ARC, old", "ABCD")):
            yield kind, make_taiwan_number(draw, second)
        yield "HKID", make_hong_kong_number(draw)
        yield "VIN", make_vehicle_number(draw)


def _find_check(name: str) -> Callable[[str], bool]:
    check = import_module(f"stdnum.{name}").is_valid
    return lambda text: check(text.replace(" ", "").replace("-", ""))


def make_taiwan_number(draw: random.Random, second: str) -> str:
    """Return an identity number of Taiwan: the letter as two digits, weights 1, 9, 8, ... 1, sum 0 mod 10."""
    letters = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
    first, mark = draw.choice(letters), draw.choice(second)
    value = str(letters.index(first) + 10)
    mark_value = mark if mark.isdigit() else str((letters.index(mark) + 10) % 10)
    body = f"{draw.randrange(10**7):07d}"
    weights = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1)
    total = sum(int(digit) * w for digit, w in zip(value + mark_value + body, weights, strict=True))
    return f"{first}{mark}{body}{-total % 10}"


def make_chinese_number(draw: random.Random) -> str:
    """Return a resident number of the People's Republic of China (GB 11643; ISO 7064, mod 11-2)."""
    day = f"{draw.randrange(1940, 2005)}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}"
    body = f"110105{day}{draw.randrange(1000):03d}"
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def make_hong_kong_number(draw: random.Random) -> str:
    """Return an identity number of Hong Kong: weights 9 to 1, a first blank 36, sum 0 mod 11."""
    body = make_number(draw, "A999999")
    values = [36, 10 + ord(body[0]) - ord("A"), *map(int, body[1:])]
    rest = -sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) % 11
    return f"{body}({'A' if rest == 10 else rest})"


def make_vehicle_number(draw: random.Random) -> str:
    """Return a vehicle identification number (ISO 3779), its check in the ninth place."""
    values = dict(zip(_LETTERS, [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    body = make_number(draw, "1AAA99AA0AA999999")
    signs = [int(sign) if sign.isdigit() else values[sign] for sign in body]
    rest = sum(sign * weight for sign, weight in zip(signs, weights, strict=True)) % 11
    return f"{body[:8]}{'X' if rest == 10 else rest}{body[9:]}"


def make_phone(draw: random.Random, region: str, form: str, *, international: bool = False) -> str:
    """Return a valid telephone number of a region, in a national form or with its country code."""

    def holds(text: str) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
        except phonenumbers.NumberParseException:
            return False

    text = make_number(draw, form, holds)
    if not international:
        return text
    style = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(phonenumbers.parse(text, region), style)
