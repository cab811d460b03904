"""Facts are read strictly, say where they come from, and agree with each other."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from outcomes.errors import FactsError
from outcomes.facts import (
    list_instruments,
    read_facts,
    read_instrument,
    read_schema,
    read_therapies,
    read_timepoints,
    read_words,
)
from outcomes.facts.scoring_rule import read_policies
from outcomes.facts.toml import build_strictly, list_facts, read_table, read_toml
from outcomes.records.spelling import simplify_name

#: Okabe and Ito 2008, with a grey for what stands apart.
PALETTE = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"}


@dataclass(frozen=True)
class Shape:
    name: str
    colour: str
    corners: tuple[int, ...] = ()


class TestStrictReading:
    def test_lists_become_tuples(self) -> None:
        built = build_strictly(Shape, {"name": "box", "colour": "red", "corners": [1, 2]}, "shapes.toml")
        assert built == Shape("box", "red", (1, 2))

    def test_an_unknown_key_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(
            FactsError, match=r"shapes.toml, \[box\]: unknown key 'color'; did you mean 'colour'"
        ):
            build_strictly(Shape, {"name": "box", "color": "red"}, "shapes.toml, [box]")

    def test_an_unknown_key_like_none_is_answered_with_all(self) -> None:
        with pytest.raises(FactsError, match="known are name, colour, corners"):
            build_strictly(Shape, {"name": "box", "zzz": 1}, "shapes.toml")

    def test_all_absent_keys_are_named_at_once(self) -> None:
        with pytest.raises(FactsError, match=r"shapes.toml: add name = ..., colour = ..."):
            build_strictly(Shape, {}, "shapes.toml")

    def test_files_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(FactsError, match=r"no file 'clinic\.toml'"):
            read_toml(tmp_path / "clinic.toml")
        (tmp_path / "latin.toml").write_bytes(b'label = "caf\xe9"')
        with pytest.raises(FactsError, match=r"latin\.toml is not UTF-8"):
            read_toml(tmp_path / "latin.toml")
        (tmp_path / "broken.toml").write_text("label = 1\nsize = =", encoding="utf-8")
        with pytest.raises(FactsError, match=r"broken\.toml is not valid TOML: .*line 2"):
            read_toml(tmp_path / "broken.toml")

    def test_a_byte_order_mark_does_no_harm(self, tmp_path: Path) -> None:
        (tmp_path / "bom.toml").write_text('label = "x"', encoding="utf-8-sig")
        assert read_toml(tmp_path / "bom.toml") == {"label": "x"}

    def test_facts_that_there_are_not_are_named(self) -> None:
        with pytest.raises(FactsError, match="no file of facts called 'nothing'"):
            read_facts("nothing")
        with pytest.raises(FactsError, match="no table of facts called 'nothing'"):
            read_table("nothing")
        with pytest.raises(FactsError, match="no words in 'tlh'; known are en"):
            read_words("tlh")
        with pytest.raises(FactsError, match=r"has no text 'no\.such\.key'"):
            read_words().say("no.such.key")
        with pytest.raises(FactsError, match="needs a value: 'low'"):
            read_words().say("instrument_sheet.score.sum", n_items=3)


class TestTherapies:
    def test_colours_come_from_the_palette(self) -> None:
        assert {entry.colour for entry in read_therapies().values()} <= PALETTE

    def test_no_two_look_the_same(self) -> None:
        looks = [(entry.colour, entry.marker) for entry in read_therapies().values()]
        assert len(set(looks)) == len(looks)
        markers = [
            entry.marker for entry in read_therapies().values() if entry.group not in ("control", "other")
        ]
        assert len(set(markers)) == len(markers)

    @pytest.mark.parametrize(
        "together",
        [
            ("strengthening", "manual_therapy", "combined_pt", "usual_care"),
            (
                "strengthening",
                "stretching",
                "aerobic",
                "posture_education",
                "manual_therapy",
                "combined_pt",
                "modalities",
            ),
            ("psychological", "placebo", "usual_care"),
            ("combined_pt", "injection", "endoscopic_surgery", "open_surgery", "usual_care"),
            ("medication", "injection", "traction", "manual_therapy", "usual_care"),
        ],
    )
    def test_those_often_shown_together_differ_in_colour_and_marker(self, together: tuple[str, ...]) -> None:
        entries = [read_therapies()[id] for id in together]
        for one, other in itertools.combinations(entries, 2):
            assert one.colour != other.colour, f"{one.id} and {other.id}"
            assert one.marker != other.marker, f"{one.id} and {other.id}"

    def test_a_spelling_means_one_therapy(self) -> None:
        spellings: dict[str, str] = {}
        for id, entry in read_therapies().items():
            for name in {
                simplify_name(name) for name in (id, entry.label, entry.short_label, *entry.aliases)
            }:
                assert spellings.setdefault(name, id) == id, name

    def test_exercise_alone_is_nobodys_name(self) -> None:
        names = [name for entry in read_therapies().values() for name in (entry.id, *entry.aliases)]
        assert "exercise" not in map(simplify_name, names)


class TestInstruments:
    def test_a_spelling_means_one_instrument(self) -> None:
        spellings: dict[str, str] = {}
        for id in list_instruments():
            instrument = read_instrument(id)
            for name in (id, instrument.name, instrument.short_name, *instrument.aliases):
                assert spellings.setdefault(simplify_name(name), id) == id, name

    def test_spellings_that_hide_the_scale_are_nobodys_name(self) -> None:
        names = {
            simplify_name(name)
            for id in list_instruments()
            for name in (id, read_instrument(id).short_name, *read_instrument(id).aliases)
        }
        assert not names & {"vas", "schober", "groc", "grc", "eq5d", "pain"}

    def test_variants_can_be_joined_by_hyphens(self) -> None:
        for id in list_instruments():
            names = [name for names in read_instrument(id).variants.values() for name in names]
            assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
            assert len(set(names)) == len(names)

    def test_domains_have_words(self) -> None:
        domains = read_words().list("instrument_sheet.domain")
        assert {read_instrument(id).domain for id in list_instruments()} <= set(domains)

    def test_every_policy_is_used_and_explained(self) -> None:
        used = set()
        for id in list_instruments():
            scoring = read_instrument(id).scoring
            used |= {scoring["missing"], *scoring.get("policies", ())}
        assert used == set(read_policies())
        assert all(policy.blank in ("person_mean", "zero") for policy in read_policies().values())


class TestSchemaAndTimepoints:
    def test_columns_have_known_types_meanings_and_labels_for_their_codes(self) -> None:
        for columns in read_schema().values():
            for column in columns.values():
                assert column.type in ("id", "category", "number", "integer", "date", "flag")
                assert column.meaning.endswith(".")
                assert set((column.aliases or {}).values()) <= set(column.allowed)
                assert set(column.labels or {}) <= set(column.allowed)
                if column.covariate:
                    assert column.label, f"{column.name} stands on pages"

    def test_windows_neither_overlap_nor_miss_their_target(self) -> None:
        points = [entry for entry in read_timepoints().values() if entry.first_day is not None]
        for entry in points:
            assert entry.first_day <= entry.day <= entry.last_day
        for earlier, later in itertools.pairwise(points):
            assert earlier.last_day < later.first_day
            assert earlier.day < later.day


def test_every_file_of_facts_says_something_about_itself() -> None:
    for name in list_facts("."):
        assert read_facts(name)


#: Thresholds of the outside list that are caveats here: of another form, or for getting worse.
CAVEATS = {("groc15", 2.5), ("joa_cervical", 20), ("comi_back", 0.3)}
#: Items or scores that are something else here: counts, days, sums before a table, scores computed elsewhere.
OTHER_RANGE = {
    "adherence",
    "recurrence",
    "adverse_events",
    "promis_global10",
    "promis29",
    "sf12_vr12",
    "joabpeq",
}


@pytest.fixture(scope="module")
def outside(shared: Path) -> list[dict]:
    """The entries of the outside list that the package has too."""
    yaml = pytest.importorskip("yaml")
    text = (shared / "facts" / "instruments.yaml").read_text(encoding="utf-8")
    found = [entry for entry in yaml.safe_load(text)["instruments"] if entry["id"] in list_instruments()]
    beyond = {"eq_vas", "koos_ps", "hoos_ps"}  # part of EQ-5D there, and tables without an entry
    assert {entry["id"] for entry in found} == set(list_instruments()) - beyond
    return found


def test_ranges_and_directions_agree_with_the_outside_list(outside: list[dict]) -> None:
    words = {"not_monotone": "none", "mixed_see_subscales": "none"}
    for entry in outside:
        instrument = read_instrument(entry["id"])
        if entry["id"] != "recurrence":  # days without it here, the event there
            assert instrument.direction == words.get(entry["direction"], entry["direction"]), entry["id"]
        lows, highs = instrument.scoring_rule.list_bounds(instrument.scoring_rule.n_items)
        if entry["id"] not in OTHER_RANGE:
            assert entry["item_min"] in (None, min(lows)), entry["id"]
            assert entry["item_max"] in (None, max(highs)) or instrument.scoring_rule.recodes, entry["id"]
            if instrument.unit != "T points":
                assert entry["total_max"] in (None, instrument.maximum), entry["id"]
                assert entry["total_min"] in (None, instrument.minimum), entry["id"]


def test_no_threshold_of_the_outside_list_is_left_out_or_called_checked_wrongly(outside: list[dict]) -> None:
    for entry in outside:
        instrument = read_instrument(entry["id"])
        parts = [instrument, *instrument.subscales.values()]
        ours = {(each.value, each.verified) for part in parts for each in part.thresholds}
        for threshold in (*entry["mcid"], *entry["mdc"], *entry.get("pass", ())):
            value = threshold["value"]
            value = max(value) if isinstance(value, list) else value
            if not isinstance(value, str) and (entry["id"], value) not in CAVEATS:
                assert (value, threshold["verified"]) in ours, f"{entry['id']}: {value}"
