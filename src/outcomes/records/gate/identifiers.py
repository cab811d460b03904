"""Check digits and forms of numbers that identify a person."""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module

#: Taiwan numbers its letters by the counties that once issued the cards; this is their order from 10 on.
_TAIWAN_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
_TAIWAN_WEIGHTS = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
_TAIWAN_FORM = re.compile(r"[A-Z][A-D1289]\d{8}")
_MARKS = re.compile(r"[ .()/-]")
_SHORTEST_ADDRESS = 5
_HONG_KONG_SPACE = 36  # counts for the letter that numbers with one letter lack
_VIN_GROUPS = ("AJ", "BKS", "CLT", "DMU", "ENV", "FW", "GPX", "HY", "RZ")
_VIN_VALUES = {letter: value for value, group in enumerate(_VIN_GROUPS, start=1) for letter in group}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_taiwan_number(text: str) -> bool:
    """Return whether a text is a number with the check digit of Taiwan's identity cards.

    A letter, 1 or 2 (on residence certificates 8 or 9, on old ones a letter A to D), and eight digits.

    Examples
    --------
    >>> is_taiwan_number("A123456789"), is_taiwan_number("A123456788"), is_taiwan_number("A-80000 0014")
    (True, False, True)
    """
    number = _MARKS.sub("", text).upper()
    if not _TAIWAN_FORM.fullmatch(number):
        return False
    first, second = (10 + _TAIWAN_LETTERS.index(sign) if sign.isalpha() else int(sign) for sign in number[:2])
    digits = [first // 10, first % 10, second % 10, *map(int, number[2:])]
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


def is_hong_kong_number(text: str) -> bool:
    """Return whether a text is a number of Hong Kong's identity cards, its check in brackets.

    Examples
    --------
    >>> is_hong_kong_number("A123456(3)"), is_hong_kong_number("A123456(4)")
    (True, False)
    """
    number = _MARKS.sub("", text).upper()
    values = [10 + ord(sign) - ord("A") if sign.isalpha() else int(sign) for sign in number]
    values = [_HONG_KONG_SPACE] * (9 - len(values)) + values
    return sum(value * weight for value, weight in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def is_german_insurance_number(text: str) -> bool:
    """Return whether a text is a health insurance number of Germany (KVNR): a letter, eight digits, a check.

    The letter counts as two digits, and every second digit is doubled and added across (number under
    paragraph 290 SGB V).

    Examples
    --------
    >>> is_german_insurance_number("A123456780"), is_german_insurance_number("A123456781")
    (True, False)
    """
    digits = [int(sign) for sign in f"{ord(text[0].upper()) - ord('A') + 1:02d}{text[1:]}"]
    total = sum(sum(divmod(digit * (1 + place % 2), 10)) for place, digit in enumerate(digits[:-1]))
    return total % 10 == digits[-1]


def is_network_address(text: str) -> bool:
    """Return whether a text is an address of the Internet Protocol; two signs are too short to be one.

    Examples
    --------
    >>> is_network_address("10.0.7.21"), is_network_address("2001:db8::7"), is_network_address("08:30:15")
    (True, True, False)
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return len(text) >= _SHORTEST_ADDRESS


def is_day(text: str) -> bool:
    """Return whether eight digits are a day of a year.

    Examples
    --------
    >>> is_day("20260228"), is_day("20260230")
    (True, False)
    """
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


@cache
def find_check(name: str) -> Callable[[str], bool]:
    """Return a check by the name that ``gate.toml`` gives it: ours, phonenumbers' or python-stdnum's."""
    own = {
        "taiwan": is_taiwan_number,
        "vin": is_vehicle_number,
        "hongkong": is_hong_kong_number,
        "kvnr": is_german_insurance_number,
        "network": is_network_address,
        "day": is_day,
    }
    if name in own:
        return own[name]
    kind, *regions = name.split(".")
    if kind == "phone":
        return lambda text: is_phone(text, regions)
    check: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return lambda text: check(_MARKS.sub("", text))


def is_phone(text: str, regions: Iterable[str]) -> bool:
    """Return whether a text is a telephone number: with a country code, or without one in one of the regions.

    Examples
    --------
    >>> is_phone("0912-345-678", ["TW"]), is_phone("+886 912 345 678", []), is_phone("0912-345", ["TW"])
    (True, True, False)
    """
    import phonenumbers

    international = re.sub(r"^\s*\(?00", "+", text)
    tries = [(international, None)] if not regions else [(text, region) for region in regions]
    for number, region in tries:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
