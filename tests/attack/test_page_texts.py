"""What a page says in words and tables (A3-A5): no number of its patients that is not in its published rows.

A number on a page either stands in ``results.csv`` - in the rows of the same table or figure, where that
has any - or says nothing about patients: then the page of another clinic, made of entirely different
records, has the same number in the same words (k, thresholds, levels of confidence, years of sources).
Titles, captions and what describes a figure to those who do not see it are read too.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from made_pages import make_pages
from published import Piece, read_pieces, read_rows, read_written

#: Two clinics each: number of episodes, and seed. A page with few patients has other sentences than one with
#: many, so that the two are of about the same size; and the one of a comparison answers its question as the
#: other does.
CLINICS = {
    "therapy_comparison": ((62, 5), (66, 7)),
    "therapy_profile": ((60, 1), (66, 2)),
}
#: Numbers of sites: about no patient, and in no row where no site may be named.
OF_SITES = "Not named, because too few patients were seen:"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of each page, by report, of two clinics."""
    made: dict[str, list[Path]] = defaultdict(list)
    for clinic in dict.fromkeys(clinic for both in CLINICS.values() for clinic in both):
        reports = [name for name, both in CLINICS.items() if clinic in both]
        folder = tmp_path_factory.mktemp("clinic")
        for name, page in make_pages(folder, *clinic, reports).items():
            assert page is not None
            made[name].append(page)
    return made


@pytest.mark.parametrize("report", CLINICS)
def test_a_page_says_no_number_of_its_patients_that_is_not_in_its_rows(pages, report):
    for own, other in (pages[report], pages[report][::-1]):
        said = read_pieces(find_page(own))
        assert len(said) > 20
        left = list(find_unexplained(own, [find_page(other)]))
        assert not left, left[:5]


@pytest.mark.slow
def test_no_page_of_larger_clinics_says_more_than_its_rows(tmp_path):
    names = (*CLINICS, "data_quality", "site_benchmark", "trend")
    made = [make_pages(tmp_path / str(seed), n, seed, names) for n, seed in ((300, 33), (400, 21), (320, 5))]
    for name in names:
        folders = [pages[name] for pages in made]
        for own in folders:
            others = [find_page(other) for other in folders if other != own]
            left = list(find_unexplained(own, others))
            assert not left, (name, left[:5])


@pytest.mark.parametrize("report", CLINICS)
def test_what_a_page_withholds_has_no_number_in_its_rows(pages, report):
    for folder in pages[report]:
        rows = read_rows(folder)
        assert rows
        for row in rows:
            numbers = (row.estimate, row.conf_low, row.conf_high, row.n)
            if row.withheld:
                assert all(number != number for number in numbers), row
            elif row.few is not None or row.all_but is not None:
                assert all(number != number for number in numbers[:3]), row
        with (folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
            for entry in csv.DictReader(file):
                if entry["display"] == "withheld":
                    kept = {name for name in ("std_error", "df", "p_value", "n_versus") if entry.get(name)}
                    assert not kept, entry


@pytest.mark.parametrize("report", ["therapy_comparison", "therapy_profile"])
def test_withheld_numbers_are_there_to_be_found(pages, report):
    """Finding none of them means something only where there are some."""
    for folder in pages[report]:
        assert sum(row.withheld for row in read_rows(folder)) >= 5


PLANTED = {
    "a withheld cell": (">withheld<", ">7<"),
    "the words for a figure": ('alt="', 'alt="Of 217 patients, '),
    "a title": ("<title>", "<title>Of 217: "),
    "a sentence": ("<h2", "<p>There were 217 patients.</p><h2"),
    "a number with decimals": ("</figcaption>", " The mean was 31.4159.</figcaption>"),
}


@pytest.mark.parametrize("where", PLANTED)
def test_a_planted_number_is_found(pages, where, tmp_path):
    before, after = PLANTED[where]
    made = [page for both in pages.values() for page in both]
    own = next(page for page in made if before in find_page(page).read_text(encoding="utf-8"))
    other = next(page for both in pages.values() if own in both for page in both if page != own)
    shutil.copytree(own, tmp_path / own.name)
    text = find_page(own).read_text(encoding="utf-8")
    find_page(tmp_path / own.name).write_text(text.replace(before, after, 1), encoding="utf-8")
    assert list(find_unexplained(tmp_path / own.name, [find_page(other)]))


def find_page(folder: Path) -> Path:
    """Return the page beside which a folder of files lies."""
    return folder.with_name(f"{folder.name}.html")


def find_unexplained(folder: Path, others: Iterable[Path]) -> Iterator[tuple[str, Piece]]:
    """Yield the numbers of a page that stand neither in its rows nor on the pages of other clinics."""
    constant = {
        (context, number) for other in others for piece in read_pieces(other)
        for number, contexts in zip(piece.numbers, piece.list_contexts(), strict=True) for context in contexts
    }  # fmt: skip
    written = read_written(folder)
    everywhere = set().union(*written.values())
    displays = {row.display for row in read_rows(folder)}
    before = ""
    for piece in read_pieces(find_page(folder)):
        of_sites = before == OF_SITES and len(piece.numbers) == 1
        before = piece.text
        if piece.text in displays or of_sites:
            continue
        known = written.get(piece.view, everywhere)
        for number, contexts in zip(piece.numbers, piece.list_contexts(), strict=True):
            worded = [context for context in contexts if re.search(r"[^\W\d]{3}", context)]
            if number not in known and not any((context, number) in constant for context in worded):
                yield number, piece
