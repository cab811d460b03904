"""Delimited files are read strictly: the right records at the right lines, or a refusal that says why."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.drafting.grid import read_grids
from outcomes.errors import FactsError, PrivacyError, RecordsError
from outcomes.facts import FileSpec, ScoreSpec
from outcomes.records.files.file_reader import read_text_table
from outcomes.records.text_table import TextTable

SPEC = FileSpec("*", "assessment", {"patient_id": "id", "score": "score"})


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def write_and_read(content: str | bytes, name: str = "visits.csv", **changes) -> TextTable:
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return read_text_table(path, dataclasses.replace(SPEC, **changes))

    return write_and_read


@pytest.fixture
def refuse(read):
    """Read a file that must be refused, and return the findings by rule."""

    def read_and_refuse(content, name="visits.csv", **changes):
        with pytest.raises(RecordsError) as caught:
            read(content, name, **changes)
        return {finding.rule: finding for finding in caught.value.findings}

    return read_and_refuse


def rows(text: TextTable) -> list[tuple]:
    return list(zip(text.lines.tolist(), *(column.to_pylist() for column in text.table.columns), strict=True))


def rules(text: TextTable) -> list[str]:
    return [finding.rule for finding in text.findings]


def test_only_mapped_columns_are_read_as_text_at_their_lines(read):
    text = read("id,name,score\n0007,Ann,07\n1E5,Bo,NA\n")
    assert rows(text) == [(2, "0007", "07"), (3, "1E5", "NA")]
    assert text.headers == ("id", "name", "score")
    assert text.unmapped == ("name",)
    assert "Ann" not in repr(text)


def test_lines_count_preamble_blank_lines_and_breaks_inside_quotes(read):
    text = read('Clinic export\n\nid,score\n\nP1,"1\n\n2"\n  \nP2,3\n,,,\nP3,4\n', header_row=3)
    assert rows(text) == [(5, "P1", "1 2"), (9, "P2", "3"), (11, "P3", "4")]
    assert text.n_read == 3


def test_a_header_of_two_lines_is_joined(read):
    columns = {"patient_id": "Pt"}
    scores = (ScoreSpec("odi", "Baseline ODI"), ScoreSpec("nprs", "Baseline Pain"))
    text = read(
        "Pt,Baseline,,Notes\n,ODI,Pain,\nP1,40,7,well\n", header_row=(1, 2), columns=columns, scores=scores
    )
    assert rows(text) == [(3, "P1", "40", "7")]


def test_a_header_elsewhere_names_the_line_to_declare(refuse):
    found = refuse("Report\nid,score\nP1,1\n")
    assert str(found["PREAMBLE"].remedy) == "add header_row = 2"
    merged = {"patient_id": "Pt", "score": "First score"}
    found = refuse("Report\nPt,First,\n,id,score\nP1,1,2\n", columns=merged)
    assert str(found["PREAMBLE"].remedy) == "add header_row = [2, 3]"


def test_quoted_fields_keep_delimiters_and_quotes(read):
    assert rows(read('"id","score"\n"P1","a, ""b"""\nP2,\n')) == [(2, "P1", 'a, "b"'), (3, "P2", "")]


@pytest.mark.parametrize("wrong", ['P2,5"6', 'P2,"5"6', 'P"2,5', '"P2"x,5'])
def test_a_stray_quote_refuses_its_record_only(read, wrong):
    text = read(f'id,score\nP1,"4"\n{wrong}\nP3,"6\n7"\nP4,8\n')
    assert rows(text) == [(2, "P1", "4"), (4, "P3", "6 7"), (6, "P4", "8")]
    assert [(refusal.line, refusal.rule) for refusal in text.refused] == [(3, "QUOTE_STRAY")]


def test_quotes_with_blanks_before_them_refuse_the_file(refuse):
    assert refuse('id,score\n"P1", "4"\n"P2", "5"\n')["QUOTE_STRAY"].count == 2


@pytest.mark.parametrize("rest", ["P2,5\nP3,6\n", 'P2,"5"\nP3,6\n', 'P2,5\n"P3",6'])
def test_a_quote_that_is_not_closed_refuses_the_file_at_its_line(refuse, rest):
    assert refuse(f'id,score\nP0,3\nP1,"4\n{rest}')["QUOTE_UNTERMINATED"].lines == (3,)


def test_records_with_too_many_or_too_few_fields_are_refused_at_their_lines(read):
    text = read("id,score\nP1,1\nP2,2,3\nP3\nP4,4\nP5,5\n")
    assert [line for line, *_ in rows(text)] == [2, 5, 6]
    assert [(refusal.line, refusal.rule) for refusal in text.refused] == [
        (3, "FIELD_COUNT"),
        (4, "FIELD_COUNT"),
    ]
    assert text.n_read == 5


def test_a_record_may_lack_fields_that_are_not_mapped(read):
    text = read("id,score,note\nP1,1,x\nP2,2\nP3,3,y\n")
    assert rows(text) == [(2, "P1", "1"), (3, "P2", "2"), (4, "P3", "3")]
    assert rules(text) == ["FIELDS_ABSENT"]


def test_the_last_line_may_lack_its_end_but_not_its_fields(read, refuse):
    assert len(rows(read("id,score\nP1,1\nP2,2"))) == 2
    assert refuse("id,score,note\nP1,1,x\nP2,2")["TRUNCATED"].lines == (3,)


def test_all_problems_of_a_header_are_told_at_once(refuse):
    found = refuse("ID,Scor,ID\nP1,1,2\n")
    assert set(found) == {"HEADER_DUPLICATE", "COLUMN_MISSING"}
    assert "'Scor'" in str(found["COLUMN_MISSING"].remedy)


def test_headers_that_may_be_values_are_not_repeated(refuse):
    message = str(refuse("Tina Wood,7\nOlga Green,8\n", columns={"patient_id": "id", "sex": "sex"}))
    assert "Tina" not in message


def test_totals_and_repeated_headers_are_no_records(read):
    text = read("id,score\nP1,1\nid,score\nP2,2\nTotal,3\n")
    assert [(refusal.line, refusal.rule) for refusal in text.refused] == [
        (3, "HEADER_REPEATED"),
        (5, "TOTAL_ROW"),
    ]
    assert text.n_read == 4


def test_a_comma_that_is_delimiter_and_decimal_refuses_the_file(refuse):
    assert refuse("id,score\nP1,7,5\nP2,4\nP3,6\n")["DELIM_AMBIGUOUS"].lines == (2,)


def test_decimal_commas_are_read_where_declared_and_pointed_out_where_not(read):
    content = "id;score\n1,5;7,5\n2;8\n"
    assert rows(read(content, decimal=",")) == [(2, "1,5", "7.5"), (3, "2", "8")]
    text = read(content)
    assert rows(text)[0] == (2, "1,5", "7,5")
    assert [str(finding.remedy) for finding in text.findings if finding.rule == "DECIMAL_COMMA"] == [
        'add decimal = "," if that is so'
    ]


def test_a_point_that_parts_thousands_is_not_taken_for_a_decimal(read):
    text = read("id;score\nP1;1.234\nP2;8,5\n", decimal=",")
    assert rows(text) == [(2, "P1", None), (3, "P2", "8.5")]
    assert text.bad_cells[0][:3] == (2, "score", "DECIMAL_POINT")


def test_blank_cells_are_filled_down_where_declared(read):
    text = read("id,score\n,1\nP1,2\n,3\n,4\nP2,5\n", fill_down=("id",))
    assert [patient for _, patient, _ in rows(text)] == ["", "P1", "P1", "P1", "P2"]
    assert "FILLED_DOWN" in rules(text)


def test_spellings_that_look_alike_become_one_text(read):
    text = read("id,score\nP1,７\nP1\u200b,7\nthe\u0301,1\nthé,1\n")
    assert [row[1:] for row in rows(text)] == [("P1", "7"), ("P1", "7"), ("thé", "1"), ("thé", "1")]
    codes, texts = text.split("id")
    assert codes.tolist() == [0, 0, 1, 1]
    assert texts.to_pylist() == ["P1", "thé"]
    assert set(rules(text)) == {"UNICODE_NFKC", "INVISIBLE_CHAR", "UNICODE_NFC"}


def test_a_raised_digit_is_not_made_part_of_a_number(read):
    assert rows(read("id,score\nP1,7²\n")) == [(2, "P1", "7²")]


def test_control_and_direction_characters_make_a_bad_cell(read):
    text = read("id,score\nP1,A\u202eB\nP2,\x07\nP3,3\n")
    assert rows(text) == [(2, "P1", None), (3, "P2", None), (4, "P3", "3")]
    assert [cell.rule for cell in text.bad_cells] == ["BIDI_CONTROL", "CONTROL_CHAR"]
    assert text.split("score")[0].tolist()[:2] == [-1, -1]


@pytest.mark.parametrize("words", ["thérapie", "Übung « à la maison »", "40 °C", "½ dose", "徒手治療"])
def test_text_in_other_languages_is_no_mojibake(read, words):
    assert rows(read(f"id,score\nP1,{words}\n"))[0][2] == words


def test_an_undeclared_encoding_is_never_guessed(refuse):
    finding = refuse("id,score\nP1,thérapie\nP2,à la maison\n".encode("cp1252"))["ENC_UNDECIDED"]
    assert finding.lines == (2, 3)
    assert 'encoding = "cp1252"' in str(finding.remedy)


EXPORTS = {
    "cp1252": ["thérapie à la maison", "Rückenübungen für Männer", "señales del año", "exercício não"],
    "mac_roman": ["thérapie à la maison, séance terminée", "Rückenübungen für Männer"],
    "cp1250": ["ćwiczenia w domu, ból pleców, początek", "cvičení doma, začátek, průměr"],
    "cp1251": ["боль в спине, упражнения"],
    "cp1254": ["sırt ağrısı, başlangıç, fizik tedavi"],
    "cp950": ["病歷號,基準,治療方式,疼痛分數", "初診日,徒手治療,運動治療"],
    "gb18030": ["病历号,治疗方法,基线,疼痛评分", "手法治疗,运动治疗,性别"],
    "cp932": ["患者番号,治療,開始時", "カルテ番号,腰痛,運動療法"],
    "cp949": ["환자번호,치료,시작,허리통증"],
}


@pytest.mark.parametrize("encoding", EXPORTS)
def test_the_most_plausible_encoding_is_named_first(refuse, encoding):
    for words in EXPORTS[encoding]:
        content = f'id,score\nP1,1\nP2,2\n"{words}",3\n"{words[::-1]}",3\n'.encode(encoding)
        found = refuse(content)
        remedy = next(
            str(found[rule].remedy) for rule in ("ENC_UNDECIDED", "ENC_INVALID_BYTE") if rule in found
        )
        first = remedy.partition('encoding = "')[2].partition('"')[0]
        # Another name will do where the text reads the same.
        assert content.decode(first) == content.decode(encoding), (words, remedy)


@pytest.mark.parametrize("encoding", EXPORTS)
def test_a_draft_reads_a_text_in_its_encoding_and_answers_where_there_is_no_doubt(tmp_path, encoding):
    words = EXPORTS[encoding][0]
    rows = [f"{words.replace(',', ' ')} {i},{i}" for i in range(40)]
    path = tmp_path / "visits.csv"
    path.write_bytes("\n".join(["id,score", *rows]).encode(encoding))
    grid = read_grids(path)[0]
    assert grid.rows[1][0] == f"{words.replace(',', ' ')} 0"
    assert grid.cells.certain
    path.write_text("\n".join(["id,score", *rows]), encoding="utf-8-sig")
    assert (read_grids(path)[0].cells.encoding, read_grids(path)[0].rows[0][0]) == (None, "id")


def test_a_single_letter_leaves_the_encoding_in_doubt(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_bytes("id,score\nP1,1\nP2,è\n".encode("cp1252"))
    assert (read_grids(path)[0].cells.encoding, read_grids(path)[0].cells.certain) == ("cp1252", False)


def test_an_unknown_encoding_is_a_mistake_of_the_source(read):
    with pytest.raises(FactsError, match="klingon"):
        read("id,score\nP1,1\n", encoding="klingon")


def test_a_wrong_declared_encoding_names_the_line(refuse):
    assert refuse(b"id,score\nP1,\x81\n", encoding="cp1252")["ENC_INVALID_BYTE"].lines == (2,)


def test_a_wrong_declared_delimiter_is_refused(refuse):
    assert str(refuse("id;score\nP1;1\n", delimiter="|")["DELIM_DECLARED"].remedy).startswith(
        "write delimiter = ';'"
    )


@pytest.mark.parametrize("name", ["visits.csv.gz", "visits.csv.zip"])
def test_compressed_files_are_read(read, name):
    content = b"id,score\nP1,1\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("visits.csv", content)
    text = read(gzip.compress(content) if name.endswith("gz") else packed.getvalue(), name)
    assert rows(text) == [(2, "P1", "1")]


def test_a_damaged_compressed_file_is_refused(refuse):
    assert "FILE_CORRUPT" in refuse(gzip.compress(b"id,score\nP1,1\n")[:-6], "visits.csv.gz")
    assert "FILE_CORRUPT" in refuse(b"PK\x03\x04 and no more", "visits.csv.zip")


def test_a_name_may_be_refused_by_the_gate_without_being_repeated(tmp_path):
    path = tmp_path / "wood_tina.csv"
    path.write_text("id,score\nP1,1\n", encoding="utf-8")
    with pytest.raises(PrivacyError) as caught:
        read_text_table(path, SPEC, check_name=lambda name: "tina" in name)
    assert "tina" not in str(caught.value)


def test_a_source_that_maps_nothing_is_a_mistake(read):
    with pytest.raises(FactsError, match="maps no column"):
        read("id,score\nP1,1\n", columns={})


def test_a_file_with_one_column_is_read(read):
    assert rows(read("id\nP1\n\nP2\n", columns={"patient_id": "id"})) == [(2, "P1"), (4, "P2")]


def test_reading_twice_gives_the_same(read):
    content = 'id,score\nP1,1\nP2,"2\nP3,x,y\n"\nP4\nP5,７\n'
    first, second = read(content), read(content)
    assert (first.findings, first.refused, first.sha256) == (second.findings, second.refused, second.sha256)
    assert first.table.equals(second.table)


CELL = st.text(st.sampled_from('ab7 ,;"\n.é'), max_size=6)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12), st.sampled_from(",;\t|"), st.booleans()
)
def test_what_a_csv_writer_wrote_is_read_back_at_its_lines(tmp_path, cells, delimiter, quote_all):
    """Every record that is not blank comes back with its text and its first line; breaks become spaces."""
    out, expected = io.StringIO(), []
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=quote_all * csv.QUOTE_ALL)
    writer.writerow(["id", "score", "note"])
    for row in cells:
        line = out.getvalue().count("\n") + 1
        writer.writerow(row)
        written = out.getvalue().split("\n", line - 1)[-1].removesuffix("\n")
        if written.strip(f" {delimiter}"):
            expected.append((line, row[0], row[1]))
    path = tmp_path / "visits.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    try:
        text = read_text_table(path, dataclasses.replace(SPEC, columns={"patient_id": "id", "site": "score"}))
    except RecordsError as error:
        assert {finding.rule for finding in error.findings if finding.outcome == "refuse_file"} <= {
            "FILE_NO_ROWS"
        }
        assert not expected
        return
    found = [(line, *("".join(cell.split()) for cell in cells)) for line, *cells in rows(text)]
    assert found == [(line, *("".join(cell.split()) for cell in cells)) for line, *cells in expected]
    assert not any("\n" in cell for _, *cells in rows(text) for cell in cells)


def test_many_records_over_several_blocks_keep_their_lines(read):
    """Wrong records, blank lines and quoted breaks are placed right far into a large file."""
    lines, wrong = ["id,score"], []
    for number in range(300_000):
        if number % 50_000 == 7:
            lines += ["", f'P{number},"1\n2"']
        elif number % 50_000 == 11:
            lines.append(f"P{number},1,2")
            wrong.append(number)
        else:
            lines.append(f"P{number},3")
    content = "\n".join(lines) + "\n"
    text = read(content)
    physical = content.split("\n")
    patients = text.table.column("id").to_pylist()
    assert all(
        physical[line - 1].startswith(f"{patient},")
        for line, patient in zip(text.lines, patients, strict=True)
    )
    assert [physical[refusal.line - 1] for refusal in text.refused] == [f"P{number},1,2" for number in wrong]
    assert text.n_read == 300_000
