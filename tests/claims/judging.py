"""Judge what pages say by the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import truths_methods  # noqa: F401  registers its truths
import truths_said  # noqa: F401
from pages import Page, Said
from truth_of_records import Records
from truths import MARK, Place, Truth, find_truth


@dataclass
class Judged:
    """What pages said: keys, those without a truth, and the texts that are false."""

    keys: set[str] = field(default_factory=set)
    without_truth: set[str] = field(default_factory=set)
    false: list[tuple[Page, Said]] = field(default_factory=list)


def judge_pages(pages: Iterable[Page]) -> Judged:
    """Judge each text of some pages once, with what filled its places."""
    judged = Judged()
    for page in pages:
        records = Records(page)
        for said in {(said.key, said.text, said.by): said for said in page.said}.values():
            judged.keys.add(said.key)
            truth = find_truth(said.key)
            if truth is None:
                judged.without_truth.add(said.key)
            elif not judge(truth, page, said, records):
                judged.false.append((page, said))
    return judged


def judge(truth: Truth, page: Page, said: Said, records: Records) -> bool:
    """Return whether a text is true today or, where a number in it is marked, of the earlier edition."""
    marked = MARK in said.text and not said.key.startswith("release.")
    if marked and page.earlier is not None:
        return truth(Place(page.earlier, said, Records(page.earlier), dated=True))
    return truth(Place(page, said, records))


def list_false(judged: Judged) -> list[Said]:
    """Return the texts that are false; printed with their pages, for whoever reads a failure."""
    for page, said in judged.false:
        print(f"{page.clinic.name}, {page.notebook} for {page.audience}, {said.by}: {said.key}: {said.text}")
    return [said for _, said in judged.false]
