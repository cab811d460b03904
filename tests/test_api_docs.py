"""What `outcomes` offers is documented: each public function tells its parameters, and the site builds."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import outcomes

ROOT = Path(__file__).parents[1]
#: Of numpydoc's checks those that a reader would miss: no docstring, no summary, a parameter that is not
#: described, is no parameter, or is described out of order.
CHECKED = {"GL08", "SS01", "PR01", "PR02", "PR03"}
FUNCTIONS = [name for name in outcomes.__all__ if inspect.isfunction(getattr(outcomes, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_tells_its_parameters(name):
    found = validate(f"outcomes.{name}")["errors"]
    assert [(code, said) for code, said in found if code in CHECKED] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run([*build, "docs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "api" / "outcomes.compare_over_time.html").read_text(encoding="utf-8")
    assert "Mallinckrodt" in page
    for path in tmp_path.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'src="http' not in text and '<link rel="stylesheet" type="text/css" href="http' not in text
