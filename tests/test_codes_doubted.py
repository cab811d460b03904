"""Codes of categories: one that is unknown makes the short ones beside it doubtful."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asked_files import list_asked, read_table
from outcomes.facts import read_facts, read_schema

SEX = {"male", "female"}


def _write(values) -> str:
    rows = [f"p{number:03},{value},{number % 7 + 2}" for number, value in enumerate(values)]
    return "\n".join(["id,code,pain", *rows]) + "\n"


def _block(column: str = "sex", **more):
    return {
        "columns": {"patient_id": "id", column: "code"},
        "scores": [{"instrument": "nprs", "variant": "average", "timepoint": "baseline", "column": "pain"}],
        **more,
    }


def _list_lines(text: str) -> list[dict]:
    """Return the answers of a question as they would stand in the source."""
    lines = re.findall(r"^ +\[file\.(codes|missing_codes)\] (.*?)  # ", text, flags=re.MULTILINE)
    return [tomllib.loads(line) for table, line in lines if table == "codes"]


@pytest.mark.parametrize(
    ("held", "readings"),
    [
        ("HM", [{"H": "male", "M": "female"}]),
        ("HF", [{"H": "male", "F": "female"}]),
        ("MWD", [{"M": "male", "W": "female", "D": "other"}]),
        ("MFX", [{"M": "male", "F": "female", "X": "other"}]),
        ("MK", [{"M": "male", "K": "female"}]),
        ("12", [{"1": "male", "2": "female"}, {"1": "female", "2": "male"}]),
        ("01", [{"0": "male", "1": "female"}, {"0": "female", "1": "male"}]),
    ],
)
def test_the_languages_of_a_sex_column_are_offered_and_each_answer_is_read(tmp_path, held, readings):
    table = _write(held * 10)
    (text,) = list_asked(tmp_path, table, _block()).values()
    assert all(f"{code!r} (10 patients)" in text for code in held)
    assert [line["sex"] for line in _list_lines(text)] == readings
    for reading in readings:
        found = read_table(tmp_path, table, _block(codes={"sex": reading})).episodes["sex"].value_counts()
        assert found[found > 0].to_dict() == dict.fromkeys(reading.values(), 10)


def test_hombre_and_mujer_are_never_read_as_men_alone(tmp_path):
    """The built-in reading of M is male; beside H it is doubtful, even where M alone is left undeclared."""
    table = _write("HHM" * 5)
    assert list(list_asked(tmp_path, table, _block())) == ["CODE_UNKNOWN_BESIDE_KNOWN"]
    half = _block(codes={"sex": {"H": "male"}})
    assert list(list_asked(tmp_path, table, half)) == ["CODE_READ_TWICE"]
    records = read_table(tmp_path, table, _block(codes={"sex": {"h": "male", "m": "female"}}))
    assert records.episodes["sex"].tolist() == ["male", "male", "female"] * 5


@pytest.mark.parametrize(
    "values",
    [
        "MF" * 8,
        "mf" * 8,
        "MF" * 8 + "X",  # one slip
        "MF" * 8 + "XX",  # two
        ["male", "female"] * 32 + ["x", "n", "z"],  # three slips of 67, below the share that is asked about
        ["male", "female"] * 8 + ["x"] * 2,  # spelled out in full
        ["Male", "F", ""] * 8,
        ["M", "F", "unknown"] * 8,
    ],
)
def test_a_slip_and_words_in_full_are_no_doubt(tmp_path, values):
    table = _write(values)
    assert list_asked(tmp_path, table, _block()) == {}
    records = read_table(tmp_path, table, _block())
    n_slips = sum(value in ("X", "x", "n", "z") for value in values)
    assert records.refused["rule"].tolist() == ["CATEGORY_UNKNOWN"] * n_slips
    assert records.n_refused == 0


def test_a_source_that_declares_the_unknown_code_alone_settles_it(tmp_path):
    table = _write("MFX" * 6)
    assert list_asked(tmp_path, table, _block(codes={"sex": {"X": "other"}})) == {}
    assert list_asked(tmp_path, table, _block(missing_codes={"sex": ["X"]})) == {}


@pytest.mark.parametrize(
    ("column", "held", "readings"),
    [
        ("previous_episodes", "12", [{"1": "yes", "2": "no"}, {"1": "no", "2": "yes"}]),
        ("previous_episodes", "ON", [{"O": "yes", "N": "no"}]),
        ("previous_episodes", "SN", [{"S": "yes", "N": "no"}]),
        ("previous_episodes", "JN", [{"J": "yes", "N": "no"}]),
        ("region", "LC", [{"L": "low_back", "C": "neck"}]),
        ("duration", "ASC", [{"A": "acute", "S": "subacute", "C": "chronic"}]),
        ("risk_group", "LMH", [{"L": "low", "M": "medium", "H": "high"}]),
        ("risk_group", "123", [{"1": "low", "2": "medium", "3": "high"}]),
    ],
)
def test_other_columns_are_asked_about_with_their_own_readings(tmp_path, column, held, readings):
    (text,) = list_asked(tmp_path, _write(held * 5), _block(column)).values()
    assert [line[column] for line in _list_lines(text)] == readings


def test_codes_that_two_languages_read_in_opposite_ways_are_asked_about(tmp_path):
    """M and V: man and vrouw, or mujer and varón; neither code is unknown."""
    asked = list_asked(tmp_path, _write("MV" * 6), _block())
    assert list(asked) == ["CODES_OF_TWO_LANGUAGES"]
    assert [line["sex"] for line in _list_lines(asked["CODES_OF_TWO_LANGUAGES"])] == [
        {"M": "male", "V": "female"},
        {"M": "female", "V": "male"},
    ]


def test_yes_and_no_need_no_answer(tmp_path):
    for held in ("YN", "10", ["yes", "no"], ["ja", "nein"], ["True", "False"]):
        assert list_asked(tmp_path, _write(list(held) * 6), _block("previous_episodes")) == {}


def test_the_same_column_of_several_files_is_asked_about_once(tmp_path):
    from outcomes.errors import RecordsError
    from outcomes.facts.source import build_source
    from outcomes.records import read_records

    for number, held in enumerate(["M" * 8, "HM" * 4]):
        rows = _write(held).replace("p", f"q{number}")
        (tmp_path / f"month-{number}.csv").write_text(rows.replace(f"q{number}ain", "pain"), encoding="utf-8")
    block = {"path": "month-*.csv", "rows": "episode", **_block()}
    source = build_source({"name": "two", "label": "two", "k_min": 0, "file": [block]}, "two.toml")
    with pytest.raises(RecordsError) as caught:
        read_records(source, tmp_path, private_folder=tmp_path / "private")
    asked = {str(entry.what) for entry in caught.value.findings if entry.outcome == "ask"}
    assert len(asked) == 1 and "'M' (12 patients)" in asked.pop()


def test_what_may_be_a_name_or_a_number_is_counted_and_not_shown(tmp_path):
    codes = ["Marta Quill", "a code that is far too long to be one of a list"]
    (text,) = list_asked(tmp_path, _write(codes * 6), _block("region")).values()
    assert "2 that may not be shown" in text and "Quill" not in text and "too long" not in text


def test_the_same_patient_many_times_is_one_patient(tmp_path):
    rows = [f"p,{code},{time},5" for time, code in (("baseline", "X"), ("week_6", "X"), ("month_3", "X"))]
    rows += [f"q{number},{code},baseline,4" for number, code in enumerate("MF" * 6)]
    block = {
        "rows": "assessment",
        "columns": {"patient_id": "id", "sex": "code", "timepoint": "visit"},
        "scores": [{"instrument": "nprs", "variant": "average", "column": "pain"}],
    }
    assert list_asked(tmp_path, "\n".join(["id,code,visit,pain", *rows]) + "\n", block) == {}


@settings(max_examples=60)
@given(
    reading=st.sampled_from(read_facts("code_readings")["sex"]),
    n=st.integers(3, 30),
    upper=st.booleans(),
    data=st.data(),
)
def test_no_language_is_read_against_its_meaning(tmp_path, reading, n, upper, data):
    """Whatever two codes a clinic of that language writes: they are read as meant, or asked about."""
    meant = {code: value for code, value in reading["codes"].items() if value in SEX}
    codes = data.draw(st.permutations(sorted(meant)).map(lambda order: order[:2]))
    spelled = {code: code.upper() if upper else code for code in codes}
    table = _write([spelled[codes[number % 2]] for number in range(2 * n)])
    if list_asked(tmp_path, table, _block()):
        return
    found = read_table(tmp_path, table, _block()).episodes["sex"].tolist()
    assert found == [meant[codes[number % 2]] for number in range(2 * n)]


def test_readings_lead_to_codes_of_the_schema():
    schema = read_schema()["episodes"]
    for name, entries in read_facts("code_readings").items():
        if isinstance(entries, list) and isinstance(entries[0], dict):
            allowed = {"yes", "no"} if name == "flag" else set(schema[name].allowed)
            assert all(set(entry["codes"].values()) <= allowed for entry in entries)


def _rename(table: str, header: str) -> str:
    return table.replace("id,code,pain", f"id,{header},pain")


def _block_under(header: str, column: str = "sex", **more):
    block = _block(column, **more)
    return {**block, "columns": {**block["columns"], column: header}}


@pytest.mark.parametrize(
    ("header", "held", "meant"),
    [
        ("geslacht", "mv", {"m": "male", "v": "female"}),
        ("Geslacht (m/v)", "MV", {"M": "male", "V": "female"}),
        ("Sekse", "MV", {"M": "male", "V": "female"}),
        ("Sexo", "VM", {"V": "male", "M": "female"}),
        ("Geschlecht", "mw", {"m": "male", "w": "female"}),
        ("Sexo", "MF", {"M": "male", "F": "female"}),
        ("sexe", "MF", {"M": "male", "F": "female"}),
        ("性別", "MF", {"M": "male", "F": "female"}),
        ("sex", "MF", {"M": "male", "F": "female"}),
    ],
)
def test_known_codes_are_read_in_the_language_of_their_header(tmp_path, header, held, meant):
    table, block = _rename(_write(held * 6), header), _block_under(header)
    assert list_asked(tmp_path, table, block) == {}
    records = read_table(tmp_path, table, block)
    assert records.episodes["sex"].tolist() == [meant[code] for code in held] * 6
    turned = meant == {"V": "male", "M": "female"}
    assert any("Codes of sex" in line for line in map(str, records.list_said("nprs"))) == turned


@pytest.mark.parametrize(
    ("header", "held", "readings"),
    [
        ("Sexo", "HM", [{"H": "male", "M": "female"}]),
        ("sexe", "HF", [{"H": "male", "F": "female"}]),
        ("Sexe", "HD", [{"H": "male", "D": "female"}]),
        ("Geschlecht", "MWD", [{"M": "male", "W": "female", "D": "other"}]),
        ("płeć", "KM", [{"K": "female", "M": "male"}]),
        ("kön", "MK", [{"M": "male", "K": "female"}]),
        ("sex", "MV", [{"M": "male", "V": "female"}, {"M": "female", "V": "male"}]),
        ("Sexo", "M", [{"M": "female"}, {"M": "male"}]),  # mujer, or masculino
    ],
)
def test_a_question_offers_the_readings_of_the_headers_language_alone(tmp_path, header, held, readings):
    table = _rename(_write(held * 6), header)
    (text,) = list_asked(tmp_path, table, _block_under(header)).values()
    assert [line["sex"] for line in _list_lines(text)] == readings


def test_an_answer_holds_against_the_language_of_the_header(tmp_path):
    table = _rename(_write("MV" * 6), "geslacht")
    block = _block_under("geslacht", codes={"sex": {"M": "female", "V": "male"}})
    assert read_table(tmp_path, table, block).episodes["sex"].tolist() == ["female", "male"] * 6


def test_flags_follow_the_language_of_their_header_too(tmp_path):
    table = _rename(_write("JN" * 6), "Rezidiv")
    (text,) = list_asked(tmp_path, table, _block_under("Rezidiv", "previous_episodes")).values()
    assert [line["previous_episodes"] for line in _list_lines(text)] == [{"J": "yes", "N": "no"}]


@pytest.mark.parametrize(
    ("column", "held", "asked"),
    [
        ("risk_group", ["low", "medium", "hoch"], {"hoch": "high"}),
        ("risk_group", ["Low", "Medium", "High", "tief"], {"tief": "low"}),
        ("region", ["neck", "low back", "Schulter"], {"Schulter": "shoulder"}),
        ("region", ["lumbar", "cervical", "dorsal"], {"dorsal": "thoracic"}),
        ("duration", ["acute", "chronic", "sub-akut"], {"sub-akut": "subacute"}),
        ("sex", ["male", "female", "non-binary"], {"non-binary": "other"}),
        ("work_status", ["working", "off work", "retired"], {"retired": "not_working"}),
        ("previous_episodes", ["yes", "no", "several"], {"several": "yes"}),
    ],
)
def test_an_unknown_code_beside_known_words_is_asked_about_alone(tmp_path, column, held, asked):
    """The known words are shown as they are read, and need not be declared again."""
    table = _write(held * 4)
    (text,) = list_asked(tmp_path, table, _block(column)).values()
    (line,) = _list_lines(text)
    assert set(line[column]) == set(asked)
    assert all(f"{word!r} (4 patients) is read as" in text for word in held if word not in asked)
    records = read_table(tmp_path, table, _block(column, codes={column: asked}))
    assert records.episodes[column].notna().all() and len(records.refused) == 0
    gone = read_table(tmp_path, table, _block(column, missing_codes={column: list(asked)}))
    assert gone.episodes[column].isna().sum() == 4


def test_rare_unknown_codes_that_are_many_together_are_asked_about_and_not_shown(tmp_path):
    """Each spelling is one patient's, and a quarter of the column is lost all the same."""
    table = _write([*["low", "medium", "high"] * 10, *[f"risk {letter}" for letter in "abcdefghij"]])
    (text,) = list_asked(tmp_path, table, _block("risk_group")).values()
    assert "10 that may not be shown" in text and "risk a" not in text and '"<code>"' in text


@pytest.mark.parametrize(
    ("held", "asked"), [("M" * 18 + "HH", True), ("M" * 18 + "H", True), ("MF" * 9 + "H", False)]
)
def test_a_rare_code_that_turns_the_others_round_is_no_slip(tmp_path, held, asked):
    """Two hombres among eighteen mujeres: M would be read as male throughout."""
    assert bool(list_asked(tmp_path, _write(held), _block())) == asked


def test_codes_of_therapists_and_sites_are_free(tmp_path):
    rows = [f"p{n:03},{'HM'[n % 2]}{n % 4},{'HM'[n % 2]},{n % 7 + 2}" for n in range(30)]
    block = _block()
    block["columns"] = {"patient_id": "id", "therapist": "th", "site": "site"}
    assert list_asked(tmp_path, "\n".join(["id,th,site,pain", *rows]) + "\n", block) == {}
