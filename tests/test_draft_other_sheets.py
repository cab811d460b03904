"""Sheets with other measures, layouts and languages become what their patients had."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from other_sheets import OTHERS, OtherSheet
from walking import walk_file


@pytest.mark.parametrize("sheet", OTHERS, ids=lambda sheet: sheet.name)
def test_another_sheet_is_read_as_its_patients_are(tmp_path: Path, monkeypatch, sheet: OtherSheet):
    monkeypatch.chdir(tmp_path)
    found = walk_file(sheet.write(tmp_path / sheet.name), sheet.answers, tmp_path)
    for (measure, time), right in sheet.right.items():
        read = found.scores[measure][time].dropna()
        assert Counter(read.round(6)) == Counter(round(float(value), 6) for value in right), (measure, time)
    assert found.records.n_refused == 0
    assert found.records.episodes["therapy"].nunique() == 2
