"""Figures (A10): pictures hold a picture and nothing else, and are drawn from the published rows alone."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_pages import make_page, work_in
from published import read_rows

from outcomes.analyses import (
    compare_sites,
    count_completeness,
    count_flow,
    monitor_periods,
    summarise_change,
    summarise_domains,
    trace_cumulative,
)
from outcomes.cohort import select_cohort
from outcomes.disclosure import release
from outcomes.reports.exports import write_csv
from outcomes.synthetic import simulate_clinic, write_clinic
from outcomes.views import (
    draw_completeness,
    draw_cumulative,
    draw_domains,
    draw_flow,
    draw_funnel,
    draw_trajectory,
    draw_trend,
)

FIGURES = {
    "trajectory": (summarise_change, draw_trajectory),
    "flow": (count_flow, draw_flow),
    "completeness": (count_completeness, draw_completeness),
    "cumulative": (trace_cumulative, draw_cumulative),
    "funnel": (compare_sites, draw_funnel),
    "periods": (monitor_periods, draw_trend),
    "domains": (summarise_domains, draw_domains),
}


def list_chunks(png: bytes) -> list[tuple[str, int]]:
    """Return the kinds and sizes of a picture's chunks, and whatever follows its end."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    found, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        found.append((png[place + 4 : place + 8].decode("latin-1"), length))
        place += 12 + length
    return found


@pytest.fixture(scope="module")
def records():
    return simulate_clinic(500, seed=21)


@pytest.fixture(scope="module")
def cohort(records):
    return select_cohort(records, instrument="odi")


def test_published_pictures_hold_nothing_but_pixels(tmp_path):
    with work_in(tmp_path):
        write_clinic("records", n_episodes=300, seed=3)
        folders = [make_page(name) for name in ("therapy_profile", "trend")]
    pictures = [path for folder in folders if folder for path in folder.glob("*.png")]
    assert len(pictures) >= 4
    for path in pictures:
        kinds = [kind for kind, _ in list_chunks(path.read_bytes())]
        assert set(kinds) <= {"IHDR", "PLTE", "tRNS", "pHYs", "IDAT", "IEND"}
        assert kinds[-1] == "IEND"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_from_the_published_rows_alone(cohort, name):
    """Drawn again from the rounded rows as they would stand in ``results.csv``, it is the same picture.

    So no mark stands in it that is no released row, and none hides a number more exact than that.
    """
    analyse, draw = FIGURES[name]
    released = release(analyse(cohort))
    view = draw(released)
    if view.png is None:
        pytest.skip("not drawn of these records")
    rows = replace(view, table=released.table.drop(columns="shown"))
    published = pd.read_csv(io.BytesIO(write_csv([rows])), encoding="utf-8-sig").drop(columns="view")
    table = published.reindex(columns=released.table.columns)
    for column in table.columns:
        wanted = released.table[column].dtype
        if column == "shown":
            table[column] = published["estimate"].notna()
        elif wanted.kind == "f":
            table[column] = pd.to_numeric(table[column])
        else:
            table[column] = (
                table[column].map(lambda value: value if pd.isna(value) else _tidy(value)).astype("str")
            )
    again = draw(replace(released, table=table.astype({"shown": "bool"}), backing=None))
    assert again.png == view.png


def _tidy(value: object) -> str:
    """Undo what reading a CSV does to ids that look like numbers."""
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)


@pytest.mark.parametrize("name", FIGURES)
def test_a_change_that_rounding_hides_changes_no_picture(cohort, name):
    """Scores moved by a thousandth of a point, up in one patient and down in the next."""
    analyse, draw = FIGURES[name]
    moved = cohort.table.copy()
    wiggle = np.where(np.arange(len(moved)) % 2, 1e-4, -1e-4)
    for column in ("score", "improvement", "change"):
        moved[column] = moved[column] + wiggle
    first, second = release(analyse(cohort)), release(analyse(replace(cohort, table=moved)))
    rows = [one.table.drop(columns=["std_error", "df"]) for one in (first, second)]
    if not rows[0].equals(rows[1]):
        pytest.skip("a number was carried across a limit of its rounding")
    assert draw(first).png == draw(second).png


def test_a_mark_stands_for_each_published_number():
    """Counted in the picture: as many marks of a therapy's colour as it has published means."""
    from matplotlib.image import imread
    from scipy import ndimage

    from outcomes.facts import read_therapies

    cohort = select_cohort(simulate_clinic(120, seed=5), instrument="odi")
    view = draw_trajectory(release(summarise_change(cohort)))
    picture = np.rint(imread(io.BytesIO(view.png), format="png")[..., :3] * 255).astype(int)
    shown = view.table[view.table["estimate"].notna()]
    for group, rows in shown.groupby("group"):
        colour = read_therapies()[group].colour.lstrip("#")
        wanted = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)])
        mask = np.abs(picture - wanted).max(axis=2) < 12
        # marks are thicker than lines: what survives thinning is a mark, or its name at the end
        marks, _ = ndimage.label(ndimage.binary_erosion(mask, iterations=4))
        assert 0 < marks.max() <= len(rows) + 2, group
    hidden = set(cohort.table["therapy"].dropna()) - set(shown["group"])
    assert all(read_therapies()[group].colour for group in hidden)


def test_published_rows_name_no_exact_number(tmp_path):
    """What stands beside a figure is as rounded as its words."""
    with work_in(tmp_path):
        write_clinic("records", n_episodes=300, seed=3)
        folder = make_page("therapy_profile")
    rows = read_rows(folder)
    assert rows
    for row in rows:
        for value in (row.estimate, row.conf_low, row.conf_high):
            assert value != value or round(value, 2) == value, row
        assert row.n != row.n or row.n % 5 == 0, row
