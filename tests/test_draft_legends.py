"""Headers that explain their own codes give the answers; what they leave open is asked."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest

from outcomes.drafting import draft_source
from outcomes.drafting.sketch import _name_colour


def _write(path: Path, header: str, cells: tuple[object, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "therapy", header, "ODI baseline", "ODI 6 weeks"])
        for i in range(36):
            care = ("stretching", "usual care")[i % 2]
            writer.writerow([f"P{i}", care, cells[i % len(cells)], 30 + 2 * (i % 9), 20 + 2 * (i % 8)])
    return path


SEX_12 = {"1": "male", "2": "female"}


@pytest.mark.parametrize(
    ("header", "cells", "column", "codes"),
    [
        ("Sex (1=M, 2=F)", (1, 2), "sex", SEX_12),
        ("Sex (1=F, 2=M)", (1, 2), "sex", {"1": "female", "2": "male"}),
        ("Gender [0: female; 1: male]", (0, 1), "sex", {"0": "female", "1": "male"}),
        ("Sex (M = 1, F = 2)", (1, 2), "sex", SEX_12),
        ("sexe 1=H 2=F", (1, 2), "sex", SEX_12),
        ("Sexo (1=H, 2=M)", (1, 2), "sex", SEX_12),
        ("sexo H=1 M=2", (1, 2), "sex", SEX_12),
        ("Geschlecht (1 = männlich / 2 = weiblich / 3 = divers)", (1, 2, 3), "sex", SEX_12 | {"3": "other"}),
        ("性別(1男2女)", (1, 2), "sex", SEX_12),
        ("性别（1＝女，2＝男）", (1, 2), "sex", {"1": "female", "2": "male"}),
        ("性別 1:男 2:女", (1, 2), "sex", SEX_12),
        ("Sexe (H = homme, F = femme)", ("H", "F"), "sex", {"H": "male", "F": "female"}),
        ("Sexo (H: hombre, M: mujer)", ("H", "M"), "sex", {"H": "male", "M": "female"}),
        ("region 1 LBP 2 neck", (1, 2), "region", {"1": "low_back", "2": "neck"}),
        ("部位 1腰椎 2頸椎", (1, 2), "region", {"1": "low_back", "2": "neck"}),
        ("Area (1) low back (2) neck (3) mid back", (1, 2, 3), "region",
         {"1": "low_back", "2": "neck", "3": "thoracic"}),
    ],
)  # fmt: skip
def test_codes_that_a_header_explains_are_answered(tmp_path, header, cells, column, codes):
    (file,) = tomllib.loads(draft_source(_write(tmp_path / "a.csv", header, cells)).text)["file"]
    assert file["columns"][column] == header
    assert file["codes"][column] == codes


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Sex (1=M, 2=F)", (1, 2, 3)),  # a value that the header does not explain
        ("Sex (1=A, 2=B)", (1, 2)),  # words that nobody knows
        ("Sex", (1, 2)),
    ],
)
def test_codes_that_a_header_leaves_open_are_asked(tmp_path, header, cells):
    (file,) = tomllib.loads(draft_source(_write(tmp_path / "a.csv", header, cells)).text)["file"]
    assert file["columns"]["sex"] == header
    assert all(code.startswith("? which of these") for code in file["codes"]["sex"].values())


def test_therapies_and_visits_that_a_header_explains_are_answered(tmp_path):
    path = tmp_path / "b.csv"
    lines = ["id,visit (0=baseline 1=6 weeks),therapy: 1=manual therapy 2=usual care,ODI"]
    lines += [f"P{i},{visit},{1 + i % 2},{40 - 9 * visit + i % 5}" for i in range(30) for visit in (0, 1)]
    path.write_text("\n".join(lines), encoding="utf-8")
    (file,) = tomllib.loads(draft_source(path).text)["file"]
    assert file["codes"]["therapy"] == {"1": "manual_therapy", "2": "usual_care"}
    assert file["codes"]["timepoint"] == {"0": "baseline", "1": "week_6"}
    assert file["rows"] == "assessment"


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("FF92D050", "green"), ("#FFC000", "orange"), ("FFFF0000", "red"), ("0070C0", "blue"),
        ("FFFF00", "yellow"),
        ("FF7F7F7F", "grey"), ("FFFFFFFF", "grey"), (None, "none"), ("theme 3", None),
    ],
)  # fmt: skip
def test_a_fill_is_called_by_its_colour_whatever_its_transparency(colour, name):
    assert _name_colour(colour) == name
