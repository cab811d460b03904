"""The page that results are released to: opened once in a run, without a memory by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import outcomes
from outcomes.disclosure import PageContext, open_page, release
from outcomes.disclosure.ledger import Edition, open_ledger
from outcomes.disclosure.page_context import find_run_folder, hand_ledger, name_run_folder
from outcomes.errors import DisclosureError
from outcomes.result import Patients, build_result
from pseudo_language import write_pseudo_language

PACKAGE = Path(outcomes.__file__).parent


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """The private folder of a run whose notebook this process executes."""
    for name, value in name_run_folder(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def count(n, first=0):
    """Return a result with the number of so many patients."""
    patients = Patients(np.array([f"P{i}" for i in range(200)], dtype=object), np.zeros(200, dtype="uint64"))
    row = {"outcome": "odi", "statistic": "mean_score", "group": "all", "estimate": 30.0, "n": n}
    support = [{"all": np.arange(first, first + n)}]
    return build_result("change", [row], method="Mean.", support=support, patients=patients)


def is_shown(released):
    return bool(released.table["shown"].all())


def test_one_module_knows_where_a_run_keeps_its_page():
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    named = {path.name: text.count("OUTCOMES_RUN_DIR") for path, text in sources.items()}
    assert {name: n for name, n in named.items() if n} == {"page_context.py": 1}
    assert [path.name for path, text in sources.items() if '"ledger.json"' in text] == ["page_context.py"]


def test_by_hand_a_page_adds_up_too_and_an_audience_alone_is_no_page():
    assert find_run_folder() is None
    page = open_page()
    assert page.folder is page.earlier is None
    assert is_shown(release(count(60), page)) and not is_shown(release(count(55), page))
    assert is_shown(release(count(60))) and is_shown(release(count(55), "stakeholder"))


def test_what_is_released_to_a_page_adds_up(run_folder):
    page = open_page()
    assert is_shown(release(count(60), page)) and not is_shown(release(count(55), page))


def test_two_pages_in_one_process_know_nothing_of_each_other(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        for variable, value in name_run_folder(tmp_path / name).items():
            monkeypatch.setenv(variable, value)
        page = open_page()
        assert is_shown(release(count(60 if name == "first" else 55), page))


def test_a_page_has_its_audience_k_and_language(run_folder, monkeypatch):
    monkeypatch.chdir(run_folder)
    write_pseudo_language(run_folder)
    page = open_page("stakeholder", k=20, language="xx")
    released = release(count(60), page)
    assert (released.audience, released.k, released.language) == ("stakeholder", 20, "xx")
    assert not is_shown(release(count(19, first=100), page))
    team = release(count(5), open_page("team", language="xx"))
    assert (team.audience, team.language, is_shown(team)) == ("team", "xx", True)
    assert release(count(60), "team").language == "en"
    with pytest.raises(DisclosureError, match="give k to open_page"):
        release(count(60), page, k=12)


def test_an_unknown_audience_is_refused():
    for ask in (open_page, lambda audience: release(count(60), audience)):
        with pytest.raises(DisclosureError, match="no audience 'public'; choose stakeholder or team"):
            ask("public")


# no way round the page of a run


def test_in_a_run_an_audience_is_no_page_for_stakeholders(run_folder):
    for page in ("stakeholder", PageContext(), PageContext(folder=run_folder.parent)):
        with pytest.raises(DisclosureError, match=r"Write page = open_page\(audience, k=k\) once") as caught:
            release(count(60), page)
        assert caught.value.exit_code == 7
    with pytest.raises(DisclosureError, match="open_page"):
        release(count(60))
    assert is_shown(release(count(60), "team"))


def test_a_page_opened_by_hand_is_none_of_a_run(run_folder, monkeypatch):
    (variable,) = name_run_folder(run_folder)
    monkeypatch.delenv(variable)
    by_hand = open_page()
    monkeypatch.setenv(variable, str(run_folder))
    with pytest.raises(DisclosureError, match="While a report runs"):
        release(count(60), by_hand)


def test_a_second_page_of_a_run_is_refused(run_folder):
    open_page("team")
    page = open_page()
    release(count(60), page)
    with pytest.raises(DisclosureError, match="Call open_page once"):
        open_page()
    open_page("team")
    assert not is_shown(release(count(55), page))


def test_a_run_folder_that_is_gone_lets_nothing_out(run_folder, monkeypatch):
    (variable,) = name_run_folder(run_folder)
    monkeypatch.setenv(variable, str(run_folder / "gone"))
    with pytest.raises(DisclosureError, match=r"cannot be written .*nothing was released"):
        open_page()


def test_the_page_of_a_run_is_compared_with_its_ledger(run_folder):
    private = run_folder / ".outcomes"
    with open_ledger(private) as ledger:
        first = Edition("run1", "report", "page", series="whole", slot="1", made="2026-01-01")
        ledger.enter(first, [release_to(run_folder, private, first, count(60))])
        second = Edition("run2", "report", "page", series="whole", slot="2", made="2026-04-01")
        later = release_to(run_folder, private, second, count(63))
    assert later.table["as_of"].tolist() == ["2026-01-01"]


def release_to(folder, private, edition, result):
    run = folder / edition.id
    run.mkdir()
    hand_ledger(private, edition, run)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in name_run_folder(run).items():
            patch.setenv(variable, value)
        return release(result, open_page())


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"private": "x", "edition": {"id": 1, "no": 2}})])
def test_a_ledger_file_that_cannot_be_read_lets_nothing_out(content, run_folder):
    (run_folder / "ledger.json").write_text(content, encoding="utf-8")
    with pytest.raises(DisclosureError, match=r"ledger\.json cannot be read; nothing was released"):
        open_page()


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_the_file_that_says_a_page_is_open_is_private(run_folder):
    open_page()
    assert (run_folder / "page-opened").stat().st_mode & 0o777 == 0o600
