"""Labels are drawn and written as they are given, and what no font can draw is told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import html5lib
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import findSystemFonts, fontManager
from matplotlib.text import Text

from outcomes.analyses import (
    check_comparability,
    compare_over_time,
    compare_sites,
    count_completeness,
    count_flow,
    monitor_periods,
    summarise_change,
    summarise_domains,
    trace_cumulative,
)
from outcomes.cli import main
from outcomes.cohort import Cohort, select_cohort
from outcomes.disclosure import release
from outcomes.facts import read_facts, read_words
from outcomes.reports import run_report
from outcomes.synthetic import simulate_clinic, write_clinic
from outcomes.views import (
    draw_completeness,
    draw_cumulative,
    draw_domains,
    draw_flow,
    draw_forest,
    draw_funnel,
    draw_trajectory,
    draw_trend,
)
from outcomes.views.figure import (
    _learn_fonts,
    _list_characters,
    apply_style,
    explain_undrawn,
    find_fonts,
    find_undrawn,
    open_figure,
    save_png,
)
from outcomes.views.individual import draw_individuals
from outcomes.views.table import render_table

#: What mathtext, Markdown, HTML, format strings, patterns or units would take for something else.
MARKED = (
    "Cost $5$ a go", "A^2_b{c} x_1", "R\\frac{1}{2} \\1 \\g<0>", "<b>Heat</b> & ice", "&amp; &lt;b&gt;",
    "*Stars* `code`", "[X](http://e.org) #1", "{id} {0} %s", "Area {{m^2}}", "'Single' \"double\"", "$",
    "_A_", "C:\\temp\\new", "#1 ~x~ | y", "100 % ^up^", "$\\alpha$ \\$",
)  # fmt: skip
#: Of these, what the reader lets in as the name of a site.
SITES = ("Cost $5$ a go", "A^2_b x_1", "*Stars* `code`", "[X](e.org) #1", "_A_", "C:\\temp\\new", "$\\alpha$")

FIGURES = {
    "trajectory": (summarise_change, draw_trajectory),
    "flow": (count_flow, draw_flow),
    "completeness": (count_completeness, draw_completeness),
    "cumulative": (trace_cumulative, draw_cumulative),
    "forest": (compare_over_time, draw_forest),
    "periods": (monitor_periods, draw_trend),
    "domains": (summarise_domains, draw_domains),
}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """A made-up clinic whose therapies are comparable, for the differences are a figure too."""
    held = select_cohort(simulate_clinic(1200, seed=4), instrument="odi")
    assert check_comparability(held).comparable
    return held


@pytest.fixture
def drawn(monkeypatch) -> list[Text]:
    """Every text of every figure that is saved, as it was drawn."""
    held: list[Text] = []
    save = FigureCanvasAgg.print_png

    def keep(canvas, *arguments, **options):
        save(canvas, *arguments, **options)
        held.extend(canvas.figure.findobj(Text))

    monkeypatch.setattr(FigureCanvasAgg, "print_png", keep)
    return held


def relabel(cohort: Cohort, texts: tuple[str, ...]) -> Cohort:
    labels = [texts[place % len(texts)] for place in range(len(cohort.therapies))]
    therapies = {
        id: replace(therapy, label=label, short_label=label)
        for (id, therapy), label in zip(cohort.therapies.items(), labels, strict=True)
    }
    # the source says them too, for each measure of the domains is selected from the records anew
    own = {
        id: {**cohort.source.therapies.get(id, {}), "label": it.label, "short_label": it.short_label}
        for id, it in therapies.items()
    }
    records = replace(cohort.records, source=replace(cohort.source, therapies=own))
    return replace(cohort, records=records, therapies=therapies)


def join_lines(text: str) -> str:
    """Undo the breaking of a long label into lines."""
    return " ".join(text.split())


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("first", range(0, len(MARKED), 6))
def test_figures_draw_labels_as_text(cohort: Cohort, drawn: list[Text], name: str, first: int) -> None:
    analyse, draw = FIGURES[name]
    marked = relabel(cohort, MARKED[first : first + 6])
    view = draw(release(analyse(marked), "team"))
    assert view.png is not None and not any(text.get_parse_math() for text in drawn)
    shown = " ".join(join_lines(text.get_text()) for text in drawn)
    if name in ("trajectory", "completeness", "cumulative", "domains"):
        labels = [therapy.short_label for therapy in marked.therapies.values()]
        assert all(label in shown and label in view.alt for label in labels)


def test_single_patients_and_sites_are_drawn_as_text(cohort: Cohort, drawn: list[Text]) -> None:
    draw_individuals(relabel(cohort, MARKED))
    assert drawn and not any(text.get_parse_math() for text in drawn)
    shown = [text.get_text() for text in drawn]
    assert {therapy.short_label for therapy in relabel(cohort, MARKED).therapies.values()} <= set(shown)
    drawn.clear()
    records = cohort.records
    sites = pd.Series([SITES[place % len(SITES)] for place in range(len(records.episodes))])
    episodes = records.episodes.assign(site=sites.to_numpy())
    episodes["site"] = episodes["site"].astype("category")
    named = select_cohort(replace(records, episodes=episodes), instrument="odi")
    draw_funnel(release(compare_sites(named), "team"))
    assert set(SITES) <= {text.get_text() for text in drawn}
    assert not any(text.get_parse_math() for text in drawn)


def test_a_label_that_mathtext_cannot_read_stops_no_figure() -> None:
    for label in ("$\\frac{1}$", "$x", "a $\\nosuch{1}$ b", "$_$", "$$$$"):
        with apply_style():
            figure = open_figure(1)
            figure.text(0.1, 0.5, label)
            axes = figure.add_subplot()
            axes.set_xticks([0, 1], [label, label])
        assert save_png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("label", MARKED)
def test_tables_hold_labels_as_text(label: str) -> None:
    cells = pd.DataFrame({"row": [label], "mean": [label]})
    text = render_table(cells, stub=label, headings={"mean": label}, caption=label, groups=[label])
    tree = html5lib.parseFragment(text, namespaceHTMLElements=False)
    found = ["".join(element.itertext()) for element in tree.iter() if element.tag in ("th", "td", "caption")]
    assert [" ".join(one.split()) for one in found] == [label] * 6


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Iterator[Path]:
    """A clinic whose therapies and sites have marked names, its folder the current one."""
    folder = tmp_path_factory.mktemp("marked")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_clinic(folder / "records", n_episodes=700, seed=4)
        episodes = pd.read_csv("records/episodes.csv", dtype="str", keep_default_na=False)
        sites = sorted(set(episodes["site"]))
        episodes["site"] = episodes["site"].map(dict(zip(sites, SITES, strict=False)))
        episodes.to_csv("records/episodes.csv", index=False)
        write_source(folder / "marked.toml", sorted(set(episodes["therapy"])), MARKED)
        yield folder


def write_source(path: Path, therapies: list[str], labels: tuple[str, ...]) -> None:
    import outcomes

    shipped = Path(outcomes.__file__).parent / "facts" / "sources" / "made-up-clinic.toml"
    text = shipped.read_text(encoding="utf-8").replace('name = "made-up-clinic"', f'name = "{path.stem}"')
    for place, id in enumerate(therapies):
        label = json.dumps(labels[place % len(labels)], ensure_ascii=False)
        text += f"\n[therapies.{id}]\nlabel = {label}\nshort_label = {label}\n"
        text += f'group = "{read_facts("therapies")[id]["group"]}"\n'
    path.write_text(text, encoding="utf-8")


def read_page(page: Path) -> tuple[str, list[str]]:
    """Return the words of a page and the alternative texts of its figures."""
    tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    words = "".join(tree.find("body").itertext())
    return join_lines(words), [join_lines(image.attrib["alt"]) for image in tree.iter("img")]


@pytest.mark.parametrize(
    ("name", "audience", "held"),
    [
        ("therapy_comparison", "team", MARKED[:4]),
        ("therapy_comparison", "stakeholder", MARKED[:4]),
        ("therapy_profile", "team", MARKED[:1]),
        ("site_benchmark", "stakeholder", SITES[:4]),
        ("trend", "team", ()),
        ("data_quality", "team", SITES[:4]),
        ("model_checks", "team", MARKED[:4]),
    ],
)
def test_pages_hold_labels_as_text(clinic: Path, name: str, audience: str, held: tuple[str, ...]) -> None:
    report = run_report(name, {"audience": audience}, source="marked.toml", path="records")
    words, alts = read_page(report.page)
    assert all(label in words for label in held)
    assert report.notes == () and re.fullmatch(r"[a-z0-9_-]+\.html", report.page.name)
    if name == "therapy_comparison":
        assert all(any(label in alt for alt in alts) for label in held)
    table = pd.read_csv(report.folder / "results.csv", dtype="str")
    if name in ("site_benchmark", "data_quality"):
        assert set(held) <= set(table["group"])


def test_what_is_installed_draws_latin_greek_and_cyrillic() -> None:
    texts = [
        "Übung für Ärzte, ça va, Żółć",
        "Ασκήσεις",
        "Боль в спине",
        "≥ 5 − 3 × 2 … “x” – €",
        "a\nb",
        *MARKED,
    ]
    assert find_undrawn(texts) == "" and explain_undrawn("", read_words()) == ""


def test_scripts_are_told_without_their_characters(monkeypatch) -> None:
    monkeypatch.setattr("outcomes.views.figure._list_characters", lambda weight: frozenset(range(0x250)))
    undrawn = find_undrawn(["推拿 復健 推", "カナ", "도수치료", "นวด", "☃"])
    said = explain_undrawn(undrawn, read_words())
    assert "(4 Chinese, 2 Japanese, 4 Korean, 3 Thai and 1 other)" in said
    assert 'Install "Noto Sans CJK", "Noto Sans Thai" and "Noto Sans Symbols"' in said
    assert not set(undrawn) & set(said)


@pytest.fixture
def chinese_font(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """A font of one box for the characters of the labels below, under the name that is advised."""
    characters = sorted(set("推拿復健"))
    names = [".notdef", *(f"c{place}" for place in range(len(characters)))]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(character): f"c{n}" for n, character in enumerate(characters)})
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0)), pen.lineTo((0, 700)), pen.lineTo((700, 700)), pen.closePath()
    glyph = pen.glyph()
    builder.setupGlyf(dict.fromkeys(names, glyph))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Noto Sans CJK TC", "styleName": "Regular"})
    builder.setupOS2(), builder.setupPost()
    path = tmp_path / "made-up.ttf"
    builder.save(path)
    kept = list(fontManager.ttflist)
    fontManager.addfont(path)
    _list_characters.cache_clear()
    yield path
    fontManager.ttflist = kept
    _list_characters.cache_clear()


def test_a_font_that_matplotlib_has_not_listed_yet_is_found(monkeypatch) -> None:
    """It keeps its list for good, so that a font installed later would never be used."""
    known = [entry for entry in fontManager.ttflist if entry.fname in findSystemFonts()]
    if not known:
        pytest.skip("no font but matplotlib's own")
    without = [entry for entry in fontManager.ttflist if entry.fname != known[0].fname]
    monkeypatch.setattr(fontManager, "ttflist", without)
    _learn_fonts.cache_clear()
    find_fonts()
    assert known[0].fname in {entry.fname for entry in fontManager.ttflist}


def test_a_font_that_is_installed_draws_and_nothing_is_told(cohort: Cohort, chinese_font: Path) -> None:
    assert "Noto Sans CJK TC" in find_fonts() and find_undrawn(["推拿", "復健"]) == ""
    view = draw_trajectory(release(summarise_change(relabel(cohort, ("推拿", "復健"))), "team"))
    assert view.undrawn == ""


def test_boxes_are_told_by_check_and_report_before_anybody_sees_them(tmp_path, monkeypatch, capsys) -> None:
    if not find_undrawn("推拿復健"):
        pytest.skip("a Chinese font is installed")
    monkeypatch.chdir(tmp_path)
    write_clinic(tmp_path / "records", n_episodes=500, seed=4)
    therapies = sorted(set(pd.read_csv("records/episodes.csv", dtype="str")["therapy"]))
    write_source(tmp_path / "chinese.toml", therapies, ("推拿 <5 & | _a_ $x$", "復健", "Heat"))
    said = 'which no installed font has (4 Chinese). Install "Noto Sans CJK"'
    for command in (
        ["check"],
        ["report", "therapy_comparison", "--audience", "team", "--audience", "stakeholder"],
    ):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--source", "chinese.toml", "--path", "records"])
        assert ended.value.code == 0
        printed = capsys.readouterr()
        assert (printed.out + printed.err).count(said) == 1
        assert not set("推拿復健") & set(printed.err)
    for page in Path("reports/html").glob("*.html"):
        words, alts = read_page(page)
        assert (said in words) == page.stem.endswith("team")
        assert any("推拿 <5 & | _a_ $x$" in alt for alt in alts)
    shutil.rmtree("reports")
    write_source(tmp_path / "latin.toml", therapies, ("Tuina <5 & | _a_ $x$", "Rehab"))
    with pytest.raises(SystemExit):
        main(["check", "--source", "latin.toml", "--path", "records"])
    assert "no installed font" not in capsys.readouterr().out


def test_boxes_are_told_in_a_notebook_and_beside_single_patients(
    cohort: Cohort, monkeypatch, recwarn
) -> None:
    monkeypatch.setattr("outcomes.views.figure._list_characters", lambda weight: frozenset(range(0x2500)))
    marked = relabel(cohort, ("推拿", "復健"))
    view = draw_trajectory(release(summarise_change(marked), "stakeholder"))
    assert sorted(view.undrawn) == sorted("推拿復健")
    assert "(4 Chinese)" in view._repr_mimebundle_()["text/html"] and "(4 Chinese)" not in view.html
    assert "(4 Chinese)" in draw_individuals(marked).caption
    assert not [one for one in recwarn if "Glyph" in str(one.message)]
