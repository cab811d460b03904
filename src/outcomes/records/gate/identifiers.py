"""Check digits and forms of numbers that identify a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

#: Taiwan numbers its letters by the counties that once issued the cards; this is their order from 10 on.
_TAIWAN_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
_TAIWAN_WEIGHTS = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
_TAIWAN_FORM = re.compile(r"(?<![A-Z0-9])[A-Z][A-D1289]\d{8}(?![A-Z0-9])")
_VIN_GROUPS = ("AJ", "BKS", "CLT", "DMU", "ENV", "FW", "GPX", "HY", "RZ")
_VIN_VALUES = {letter: value for value, group in enumerate(_VIN_GROUPS, start=1) for letter in group}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_taiwan_number(text: str) -> bool:
    """Return whether a text holds a number with the check digit of Taiwan's identity cards.

    National identity numbers (one letter, 1 or 2, eight digits) and residence certificates (new: 8 or 9
    after the letter; old: a second letter A to D, which counts by its last digit).

    Examples
    --------
    >>> is_taiwan_number("A123456789"), is_taiwan_number("A123456788"), is_taiwan_number("A800000014")
    (True, False, True)
    """
    return any(_passes_taiwan(match.group()) for match in _TAIWAN_FORM.finditer(text.upper()))


def _passes_taiwan(number: str) -> bool:
    if number[0] not in _TAIWAN_LETTERS or not number[2:].isdigit():
        return False
    first = 10 + _TAIWAN_LETTERS.index(number[0])
    second = number[1]
    if second in "ABCD":
        second = str((10 + _TAIWAN_LETTERS.index(second)) % 10)
    if not second.isdigit():
        return False
    digits = [first // 10, first % 10, int(second), *map(int, number[2:])]
    return sum(digit * weight for digit, weight in zip(digits, _TAIWAN_WEIGHTS, strict=True)) % 10 == 0


def is_vehicle_number(text: str) -> bool:
    """Return whether a text is a vehicle identification number with its check digit (ISO 3779, ninth place).

    Examples
    --------
    >>> is_vehicle_number("1M8GDM9AXKP042788"), is_vehicle_number("1M8GDM9A1KP042788")
    (True, False)
    """
    number = text.strip().upper()
    if len(number) != len(_VIN_WEIGHTS) or number.isdigit() or number.isalpha():
        return False
    values = [int(sign) if sign.isdigit() else _VIN_VALUES.get(sign, -1) for sign in number]
    if -1 in values:
        return False
    rest = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return number[8] == ("X" if rest == 10 else str(rest))


def find_check(name: str) -> Callable[[str], bool]:
    """Return a check by the name that ``gate.toml`` gives it; others than ours are python-stdnum's."""
    own = {"taiwan": is_taiwan_number, "vin": is_vehicle_number}
    if name in own:
        return own[name]
    from importlib import import_module

    check: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return lambda text: check(text.replace(" ", "").replace("-", ""))


def count_phones(texts: Iterable[str], regions: Iterable[str]) -> list[bool]:
    """Return which texts are telephone numbers, international or of one of the regions."""
    import phonenumbers

    return [
        any(_is_phone(phonenumbers, text, region) for region in _choose_regions(text, regions))
        for text in texts
    ]


def _choose_regions(text: str, regions: Iterable[str]) -> Iterable[str | None]:
    return [None] if text.lstrip().startswith("+") else regions


def _is_phone(phonenumbers, text: str, region: str | None) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, region)))
    except phonenumbers.NumberParseException:
        return False
