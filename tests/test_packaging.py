"""One list of dependencies, said three times without contradiction; what ships is whole and portable."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")

#: Name on the Python Package Index to name on conda-forge, where they differ.
CONDA_NAMES = {
    "dask": "dask-core",
    "duckdb": "python-duckdb",
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
    "tzdata": "python-tzdata",
}


def _declared() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [
        Requirement(text)
        for text in (*PROJECT["dependencies"], *(line for extra in extras for line in extra))
    ]


def _conda() -> dict[str, str]:
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    split = [re.match(r"([a-z0-9_-]+)(.*)", line) for line in lines if isinstance(line, str)]
    return {match[1]: match[2] for match in split if match}


def test_conda_environment_says_the_same_as_pyproject():
    expected = {CONDA_NAMES.get(entry.name, entry.name): str(entry.specifier) for entry in _declared()}
    found = _conda()
    extra = {name: found.pop(name) for name in ("python", "pip")}
    assert {name: _in_order(bounds) for name, bounds in found.items()} == {
        name: _in_order(bounds) for name, bounds in expected.items()
    }
    assert _in_order(extra["python"]) == _in_order(PROJECT["requires-python"])


def _in_order(bounds: str) -> list[str]:
    return sorted(part for part in bounds.split(",") if part)


def _locked() -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", LOCK, flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def test_lock_holds_every_dependency_in_its_bounds():
    locked = _locked()
    for entry in _declared():
        versions = locked.get(canonicalize_name(entry.name), [])
        assert versions, f"{entry.name} is not in requirements.lock; run `make lock`"
        assert all(entry.specifier.contains(version) for version in versions), entry.name


def test_lock_has_hashes_and_names_no_host():
    blocks = re.split(r"^(?=[\w.-]+(?:\[[\w,-]+\])?==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK
    assert not re.search(r"^(-i|-f|--index|--extra-index|--find-links)", LOCK, flags=re.MULTILINE)


def test_version_is_said_once_and_repeated_truly():
    import outcomes

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert outcomes.__version__ == PROJECT["version"] == citation["version"]
    assert f"## {PROJECT['version']}" in changes and "Numbers that changed" in changes
    assert citation["license"] == PROJECT["license"] == "BSD-3-Clause"


def test_public_names_are_there_and_documented():
    import outcomes

    for name in outcomes.__all__:
        value = getattr(outcomes, name)
        assert name == "__version__" or value.__doc__, name
    assert set(outcomes.__all__) <= set(dir(outcomes))
    with pytest.raises(AttributeError, match="no attribute 'sumarise_change'"):
        _ = outcomes.sumarise_change


def test_importing_the_package_and_listing_its_names_loads_no_library():
    code = (
        "import sys, outcomes\n"
        "names = set(outcomes.__all__)\n"
        "assert {'summarise_change', 'draw_forest', 'release'} <= names <= set(dir(outcomes))\n"
        "assert not {'numpy', 'pandas', 'jinja2', 'outcomes.analyses', 'outcomes.views'} & set(sys.modules)\n"
        "from outcomes import *\n"
        "assert summarise_change.__module__ == 'outcomes.analyses.change' and draw_forest and release\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_readme_shows_the_two_commands_and_windows():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for target in ("report", "test", "lab", "lint", "slow", "bench", "docs", "clean"):
        assert target in targets
    assert "make report" in readme and "make test" in readme
    assert "py -m venv" in readme and "pip install" in readme


def test_ci_calls_the_readmes_test_command():
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_typing_marker_and_facts_ship_with_the_package():
    import outcomes

    package = Path(outcomes.__file__).parent
    assert (package / "py.typed").is_file()
    assert list(package.glob("facts/instruments/*.toml")) and list(package.glob("facts/sources/*.toml"))


#: Homes of people that tests make up.
MADE_UP_HOMES = ("/home/nurse/", "/home/x")


def find_places(text: str, root: Path = ROOT) -> list[str]:
    """Return the places of a machine that a text names: homes of people, and the folder of this clone."""
    homes = r"/home/[\w.-]+/?|/Users/[\w.-]+/?|(?<![\w./])/root/|[A-Za-z]:\\+Users\\+\w+"
    own = rf"|(?<![\w.]){re.escape(str(root))}(?![\w-])" if len(root.parts) > 2 else ""
    return [place for place in re.findall(homes + own, text) if place not in MADE_UP_HOMES]


def test_no_file_names_a_place_on_a_developers_machine():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if names.returncode:
        pytest.skip("not a clone")
    for name in filter(None, names.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000 and path != Path(__file__):
            assert not find_places(path.read_text(encoding="utf-8", errors="ignore")), name


def test_places_of_a_machine_are_found_wherever_the_clone_lies():
    for place in ("/home/anna/src/outcomes", "/Users/anna/outcomes", "/root/outcomes", "C:\\Users\\anna\\x"):
        assert find_places(f'FOLDER = "{place}"', Path("/tmp/outcomes"))
    assert find_places("cd /srv/check outs/outcomes", Path("/srv/check outs/outcomes"))
    harmless = "/tmp/escaped https://example.org/a /etc/hosts data/raw/a.csv /usr/bin/env $HOME/x ~/x"
    for root in ("/", "/outcomes", "/tmp/outcomes", "/data/raw", "/usr/local/outcomes"):
        assert find_places(harmless, Path(root)) == []


def _imported(folder: str) -> set[str]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {entry.name for node in nodes if isinstance(node, ast.Import) for entry in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    without_package = {"outcomes", "", "_typeshed"}  # the last is known to type checkers alone
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - without_package


@pytest.mark.parametrize(
    ("folder", "extras"), [("src", ("cluster", "formats")), ("tests", ("cluster", "docs", "formats", "test"))]
)
def test_what_is_imported_is_declared(folder, extras):
    lines = [
        *PROJECT["dependencies"],
        *(line for e in extras for line in PROJECT["optional-dependencies"][e]),
    ]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    offered = packages_distributions()
    here = {path.stem for path in (ROOT / folder).rglob("*.py")} | {
        path.name for path in (ROOT / folder).iterdir()
    }
    for name in _imported(folder) - here:
        found = {canonicalize_name(distribution) for distribution in offered.get(name, [name])}
        assert found & declared, f"{folder}/ imports {name}, which pyproject.toml does not declare"


def test_readme_names_only_commands_that_there_are():
    from outcomes.cli.commands import app

    known = {command.name for command in app.registered_commands}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`outcomes (\w+)", readme))
    assert named <= known
    assert {"draft", "check", "report", "template", "analyse"} <= named


def test_readme_example_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["cohort"].episodes) > 500


def test_without_a_usable_python_make_says_in_one_sentence_what_to_install(tmp_path):
    make = shutil.which("make")
    if make is None or os.name != "posix":
        pytest.skip("no make here")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "nothing").mkdir()
    done = subprocess.run(
        [make, "test"], cwd=tmp_path, env={"PATH": str(tmp_path / "nothing")}, capture_output=True, text=True
    )
    assert done.returncode != 0
    (sentence,) = done.stdout.splitlines()
    assert sentence.startswith("Install Python 3.11, 3.12 or 3.13")
