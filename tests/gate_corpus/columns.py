"""A labelled corpus for the gate: columns that identify people, and columns that look a little like them.

All of it is made up, from the lists of words.toml and one seed.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gate_corpus.issued_numbers import list_checked_numbers, make_phone

SEED = 20261126
WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


class LabelledColumn(NamedTuple):
    """A column: what it is, its header, the column of the schema it is mapped to, its values."""

    kind: str
    header: str
    name: str
    values: list[str]


def list_identifying_columns() -> list[LabelledColumn]:
    """Return every column that must be refused."""
    draw = random.Random(SEED)
    columns = [
        LabelledColumn(f"header: {family}", header, "site", ["A", "B", "C", "A"])
        for family, headers in WORDS["identifying_headers"].items()
        for header in headers
    ]
    for list_some in (_list_numbers, _list_contacts, _list_names, _list_texts):
        columns += list_some(draw)
    return columns


def _plant(kind: str, draw: random.Random, texts: list[str]) -> Iterator[LabelledColumn]:
    """Yield clean columns, each with one of the texts planted; their kinds take turns."""
    hosts = [
        ("clinic", "site", ["A", "B", "C"] * 30),
        ("therapist", "therapist", [f"T{n % 12:02d}" for n in range(90)]),
        ("patient_id", "patient_id", [f"P{n:04d}" for n in range(90)]),
        ("age group", "age_band", ["40-49", "50-59", "60-69"] * 30),
    ]
    for number, text in enumerate(texts):
        header, name, values = hosts[number % len(hosts)]
        values = list(values)
        values[draw.randrange(len(values))] = text
        yield LabelledColumn(kind, header, name, values)


def _list_numbers(draw: random.Random) -> Iterator[LabelledColumn]:
    checked = WORDS["checked"]
    for number, (kind, text) in enumerate(list_checked_numbers(draw, checked, 4)):
        hosts = list(_plant(f"number: {kind}", draw, ["A"] * (number % 4) + [text]))
        yield hosts[-1]
    numbers = [text for _, text in list_checked_numbers(draw, checked, 1)]
    disguises: dict[str, Callable[[str], str]] = {
        "within a text": lambda text: f"see {text}, left",
        "full-width digits": lambda text: text.translate({48 + n: 0xFF10 + n for n in range(10)}),
        "Arabic digits": lambda text: text.translate({48 + n: 0x0660 + n for n in range(10)}),
        "zero-width space": lambda text: f"{text[:3]}\u200b{text[3:]}",
        "other blanks and dashes": lambda text: text.replace(" ", "\u00a0").replace("-", "\u2011"),
    }
    for how, disguise in disguises.items():
        yield from _plant(f"number: {how}", draw, [disguise(text) for text in numbers])


def _list_contacts(draw: random.Random) -> Iterator[LabelledColumn]:
    words = ["a.chen", "t_wood", "olga+pt", "müller", "王小明", "P.Wright"]
    hosts = ["example.org", "mail.example.com", "klinik.example.de", "例え.jp"]
    mails = [f"{word}@{host}" for word in words for host in hosts]
    yield from _plant("e-mail", draw, [*mails, *WORDS["texts"]["mails"]])
    for region, forms in WORDS["phone_forms"].items():
        for form in forms:
            national = [make_phone(draw, region, form) for _ in range(4)]
            yield from _plant(f"phone: {region}", draw, national)
            code = make_phone(draw, region, form, international=True)
            yield from _plant("phone: with country code", draw, [code])
    yield from _plant("phone: otherwise", draw, WORDS["texts"]["phones"])


def _list_names(draw: random.Random) -> Iterator[LabelledColumn]:
    words = WORDS["names"]

    def choose(key: str) -> str:
        return draw.choice(words[key])

    def choose_signs(key: str) -> str:
        return "".join(draw.sample(words[key], draw.choice([1, 2, 2])))

    orders: dict[str, Callable[[], str]] = {
        "given family": lambda: f"{choose('given')} {choose('family')}",
        "family, given": lambda: f"{choose('family')}, {choose('given')}",
        "capitals": lambda: f"{choose('family')}, {choose('given')}".upper(),
        "initial": lambda: f"{choose('given')[0]}. {choose('family')}",
        "given alone": lambda: choose("given"),
        "family alone": lambda: choose("family"),
        "dotted": lambda: f"{choose('given')}.{choose('family')}".lower(),
        "Chinese, traditional": lambda: choose("han_family") + choose_signs("han_given"),
        "Chinese, simplified": lambda: choose("hans_family") + choose_signs("hans_given"),
        "Japanese": lambda: choose("japanese_family") + draw.choice(["", " "]) + choose("japanese_given"),
        "kana": lambda: f"{draw.choice(['ヤマダ', 'スズキ', 'タナカ'])} {draw.choice(['ハナコ', 'タロウ'])}",
    }
    for order, make in orders.items():
        for name in ("therapist", "patient_id"):
            for size in (6, 12, 25):
                yield LabelledColumn(f"name: {order}", "who", name, [make() for _ in range(size)])
    for order in ("given family", "family, given", "Chinese, traditional", "Japanese"):
        for _ in range(2):
            yield LabelledColumn(f"name: {order}", "site", "site", [orders[order]() for _ in range(8)])
    yield from _plant("name: with a title", draw, words["titled"])
    for name in ("therapist", "patient_id"):
        for text in WORDS["texts"]["persons"]:
            yield LabelledColumn(
                "name: one among codes", name, name, [*(f"T{n:02d}" for n in range(20)), text]
            )


def _list_texts(draw: random.Random) -> Iterator[LabelledColumn]:
    for kind in ("links", "dates", "places", "ages", "labelled"):
        yield from _plant(kind, draw, WORDS["texts"][kind])
    for text in ("93", "91-95", "100+", ">95", "95 to 99"):
        yield LabelledColumn("age", "age group", "age_band", ["40-49", text, "60-69"])
    yield LabelledColumn("age", "age", "age_years", ["40", "93"])
    sentences = [f"felt better after walking {n} minutes with a friend" for n in range(60)]
    yield LabelledColumn("free text", "what", "site", sentences)
    yield LabelledColumn("free text", "what", "therapist", [f"{text} and on, for long" for text in sentences])


def list_harmless_columns() -> list[LabelledColumn]:
    """Return every column that must pass."""
    draw = random.Random(SEED + 1)
    columns = [
        LabelledColumn("header", header, "site", ["A", "B", "C", "A"])
        for header in WORDS["harmless"]["headers"]
    ]
    for list_some in (_list_ids, _list_codes, _list_scores, _list_dates):
        columns += list_some(draw)
    return columns


def _list_ids(draw: random.Random) -> Iterator[LabelledColumn]:
    capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    schemes: dict[str, Callable[[int], str]] = {
        "P0001": lambda n: f"P{n:04d}",
        "site and number": lambda n: f"{n % 9 + 1:02d}-{n:04d}",
        "site, arm, number": lambda n: f"{n % 30 + 1:03d}-{n % 2 + 1:03d}-{n:04d}",
        "country, site, number": lambda n: f"TW-{n % 12 + 1:02d}-{n:03d}",
        "four and four": lambda n: f"{n % 9 + 101:04d}-{n:04d}",
        "accession": lambda n: f"2026-{n:06d}",
        "accession with letters": lambda n: f"ACC2026{n:07d}",
        "zero-padded": lambda n: f"{n:08d}",
        "zero-padded, ten": lambda n: f"{n:010d}",
        "year and number, ten": lambda n: f"2026{n:06d}",
        "ten random digits": lambda n: str(draw.randrange(10**9, 10**10)),
        "nine random digits": lambda n: str(draw.randrange(10**8, 10**9)),
        "eleven random digits": lambda n: str(draw.randrange(2 * 10**10, 10**11)),
        "sixteen random digits": lambda n: str(draw.randrange(10**15, 10**16)),
        "hexadecimal, 10": lambda n: f"{draw.getrandbits(40):010x}",
        "hexadecimal, 16": lambda n: f"{draw.getrandbits(64):016x}",
        "hexadecimal, 32": lambda n: f"{draw.getrandbits(128):032x}",
        "UUID": lambda n: "-".join(f"{draw.getrandbits(4 * k):0{k}x}" for k in (8, 4, 4, 4, 12)),
        "base 36": lambda n: "".join(draw.choice(f"0123456789{capitals}") for _ in range(8)),
        "letters": lambda n: "".join(draw.choice(capitals) for _ in range(6)),
        "word and number": lambda n: f"subject {n}",
        "year and number": lambda n: f"R{n % 5 + 2020}/{n:04d}",
    }
    for scheme, make in schemes.items():
        for size in (8, 60, 400):
            ids = [make(n) for n in range(1, size + 1)]
            yield LabelledColumn(f"id: {scheme}", "patient_id", "patient_id", ids)


def _list_codes(draw: random.Random) -> Iterator[LabelledColumn]:
    for kind, pool in WORDS["codes"].items():
        for name in ("site", "region"):
            yield LabelledColumn(f"code: {kind}", "code", name, [draw.choice(pool) for _ in range(120)])
    for kind, pool in WORDS["therapist_codes"].items():
        values = [draw.choice(pool) for _ in range(120)]
        yield LabelledColumn(f"therapist: {kind}", "therapist", "therapist", values)


def _list_scores(draw: random.Random) -> Iterator[LabelledColumn]:
    makes: dict[str, Callable[[], str]] = {
        "whole": lambda: str(draw.randrange(0, 101)),
        "decimals": lambda: f"{draw.uniform(0, 100):.4f}",
        "negative index": lambda: f"{draw.uniform(-0.6, 1):.3f}",
        "days": lambda: str(draw.randrange(-30, 2000)),
        "counts": lambda: str(draw.randrange(0, 10**6)),
        "many decimals": lambda: repr(draw.uniform(0, 100)),
        "EQ-5D states": lambda: "".join(str(draw.randrange(1, 6)) for _ in range(5)),
        "decimal commas": lambda: f"{draw.uniform(0, 100):.2f}".replace(".", ","),
        "missing codes": lambda: draw.choice(["7", "3", "999", "-99", "NA"]),
    }
    for kind, make in makes.items():
        for _ in range(5):
            yield LabelledColumn(f"score: {kind}", "value", "day", [make() for _ in range(200)])


def _list_dates(draw: random.Random) -> Iterator[LabelledColumn]:
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    forms: dict[str, Callable[[int, int, int], str]] = {
        "ISO": lambda y, m, d: f"{y}-{m:02d}-{d:02d}",
        "slashes": lambda y, m, d: f"{y}/{m}/{d}",
        "day first": lambda y, m, d: f"{d:02d}.{m:02d}.{y}",
        "day first, slashes": lambda y, m, d: f"{d:02d}/{m:02d}/{y}",
        "two digits": lambda y, m, d: f"{d:02d}/{m:02d}/{y % 100}",
        "Minguo": lambda y, m, d: f"{y - 1911}/{m:02d}/{d:02d}",
        "Minguo, padded": lambda y, m, d: f"{y - 1911:03d}-{m:02d}-{d:02d}",
        "Minguo, in words": lambda y, m, d: f"民國{y - 1911}年{m}月{d}日",
        "stamp": lambda y, m, d: f"{y}-{m:02d}-{d:02d}T08:30:00+08:00",
        "stamp with a blank": lambda y, m, d: f"{d:02d}.{m:02d}.{y} 08:30",
        "digits": lambda y, m, d: f"{y}{m:02d}{d:02d}",
        "digits of a stamp": lambda y, m, d: f"{y}{m:02d}{d:02d}083000",
        "serial": lambda y, m, d: str(44000 + 30 * m + d),
        "month in words": lambda y, m, d: f"{d} {months[m - 1]} {y}",
    }
    for form, write in forms.items():
        for _ in range(3):
            days = [
                (draw.randrange(2015, 2027), draw.randrange(1, 13), draw.randrange(1, 29)) for _ in range(99)
            ]
            yield LabelledColumn(f"date: {form}", "visit", "date", [write(*day) for day in days])
