"""Every word of every language is understood: beside the others, in either order, and as clinics write it."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.drafting.column import SheetColumn
from outcomes.drafting.role import find_asked, guess_role
from outcomes.drafting.spelling import list_languages, normalise, split_scale
from outcomes.drafting.words import find_code, find_moment
from outcomes.facts import read_facts

LANGUAGES = list_languages()
SIGNS = {"drafting/zh", "drafting/ja"}
SCORES = tuple(range(11)) * 3
COLUMNS = {
    "patient_id": tuple(f"P{i}" for i in range(30)),
    "therapy": ("a", "b") * 15,
    "sex": ("f", "m") * 15,
    "age_years": tuple(range(30, 60)),
    "region": ("neck", "back") * 15,
    "start_date": tuple(f"2025-01-{day:02}" for day in range(1, 31)),
    "site": ("x", "y") * 15,
}


def _list_measures(language: str) -> list[tuple[str, str]]:
    words = read_facts(language)["instruments"]
    own = [(word, id) for id in ("nprs", "odi", "ndi", "vas100") for word in words.get(id, ())]
    return [*own, ("ODI", "odi"), ("NDI", "ndi")]


def _list_times(language: str) -> list[tuple[str, str]]:
    facts, space = read_facts(language), "" if language in SIGNS else " "
    named = [(word, id) for id in ("baseline", "end_of_therapy") for word in facts["timepoints"][id]]
    named += [(f"6{space}{unit}", "week_6") for unit in facts["units"]["weeks"]]
    return [*named, *((f"3{space}{unit}", "month_3") for unit in facts["units"]["months"])]


def _join(language: str, first: str, second: str) -> list[str]:
    if language in SIGNS:
        return [first + second, second + first]
    return [
        f"{first} {second}",
        f"{second} {first}",
        f"{first}_{second}".replace(" ", "_"),
        f"{first} ({second})",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_measure_stands_beside_every_time(language):
    wrong = []
    for (measure, id), (time, timepoint) in itertools.product(
        _list_measures(language), _list_times(language)
    ):
        for header in _join(language, measure, time):
            role = guess_role(SheetColumn(header, SCORES))
            if (role.kind, role.name, role.timepoint, role.doubt) != ("score", id, timepoint, ""):
                wrong.append(header)
    assert not wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_a_column_is_that_column(language):
    for name, cells in COLUMNS.items():
        for word in read_facts(language)["columns"].get(name, ()):
            role = guess_role(SheetColumn(word, cells))
            assert (role.kind, role.name) == ("column", name) or role.kind == "identifying", word


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_word_is_its_code(language):
    for category, codes in read_facts(language)["values"].items():
        for code, words in codes.items():
            for word in words:
                assert find_code(category, word) == code, word
                assert find_code(category, word.upper()) == code, word


def test_simplified_signs_and_japanese_ones_are_those_of_the_word_list():
    pairs = (
        ("六周后疼痛评分", "六週後疼痛評分"),
        ("颈椎", "頸椎"),
        ("頚椎", "頸椎"),
        ("年齢", "年齡"),
        ("编号", "編號"),
    )
    assert all(normalise(one) == normalise(other) for one, other in pairs)


@pytest.mark.parametrize(
    ("header", "rest", "scale"),
    [
        ("ODI /50", "odi", "/50"), ("Pain 0-10", "pain", "0-10"), ("OHS 12–60", "ohs", "12–60"),
        ("NDI %", "ndi", "%"),
        ("ODI 6/52", "odi 6 weeks", ""), ("ODI 3/12", "odi 3 months", ""), ("NRS 10/7", "nrs 10 days", ""),
        ("EVA sur 100", "eva", "sur 100"), ("疼痛（０～１０）", "疼痛", "０～１０"),
        ("SF-12 at 6 weeks", "sf 12 at 6 weeks", ""),
    ],
)  # fmt: skip
def test_what_names_a_scale_is_kept_apart_from_times(header, rest, scale):
    bare, said = split_scale(header)
    assert normalise(bare) == rest
    assert unicodedata.normalize("NFKC", said) == unicodedata.normalize("NFKC", scale)


@given(
    st.integers(1, 104),
    st.sampled_from([("weeks", 7), ("wk", 7), ("months", 30.4375), ("Wochen", 7), ("mois", 30.4375)]),
)
def test_any_counted_time_becomes_the_nearest_time_point_or_one_of_its_own(number, unit):
    word, days = unit
    moment = find_moment(f"ODI {number} {word}")
    assert moment is not None
    known = {"week_6": 42, "month_3": 91, "month_6": 183, "month_12": 365, "month_24": 730}
    day = moment.day if moment.day is not None else known[str(moment.timepoint)]
    assert abs(day - number * days) <= 0.1 * number * days


@pytest.mark.parametrize(
    ("question", "answers", "found"),
    [
        ("What is your patient number?", tuple(range(6)) * 3, "patient_id"),
        ("What is your patient number?", tuple(range(5)) * 3, None),  # as few as codes of something else
        ("What is your patient number?", tuple(f"My back hurts since day {i}" for i in range(9)), None),
        ("What is your age?", (5, 110) * 9, "age_years"), ("What is your age?", (4, 50) * 9, None),
        ("What is your age?", (111, 50) * 9, None),
        ("What is your sex?", ("f", "twice") * 9, "sex"),
        ("What is your sex?", ("f", "twice", "no") * 9, None),
        ("At what time point do you answer this?", ("3 months", "why") * 9, "timepoint"),
        ("At what time point do you answer this?", ("3 months", "why", "now") * 9, None),
    ],
)  # fmt: skip
def test_a_question_names_a_column_where_its_answers_prove_it(question, answers, found):
    assert find_asked(SheetColumn(question, answers)) == found
