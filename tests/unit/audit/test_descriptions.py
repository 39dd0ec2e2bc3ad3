"""A study is described by what its files say, and no file is too odd to be asked."""

from __future__ import annotations

import pytest

from audit.data_sets import MODALITY, SPECIFIC_CHARACTER_SET, STUDY_DATE, STUDY_DESCRIPTION
from audit.descriptions import Describer
from audit.entries import StudyDescription


def described(*files: dict[int, bytes]) -> StudyDescription:
    """The description of a study of these files, of one series."""
    describer = Describer()
    for values in files:
        describer.add(values)
    return describer.description(series=1)


def text_of(value: bytes, character_set: bytes = b"") -> str:
    return described({STUDY_DESCRIPTION: value, SPECIFIC_CHARACTER_SET: character_set}).text


def date_of(value: bytes) -> str:
    return described({STUDY_DATE: value}).date


def test_text_and_date_are_those_of_the_first_file_that_has_them() -> None:
    study = described(
        {},
        {STUDY_DESCRIPTION: b"  ", STUDY_DATE: b"20260105"},
        {STUDY_DESCRIPTION: b"Abdomen ", STUDY_DATE: b"20260106"},
        {STUDY_DESCRIPTION: b"Thorax"},
    )

    assert study == StudyDescription("Abdomen", "2026-01-05", (), 1)


def test_a_date_that_is_none_is_passed_over_for_the_next() -> None:
    assert described({STUDY_DATE: b"unknown"}, {STUDY_DATE: b"20260105"}).date == "2026-01-05"


def test_modalities_are_those_of_all_files_each_once_and_sorted() -> None:
    study = described(*({MODALITY: value} for value in (b"PT", b"CT", b"PT", b"", b"SR\0", b" CT ")))

    assert study.modalities == ("CT", "PT", "SR")


@pytest.mark.parametrize("value", [b"\xff\xfe", b"A\0B", b"A,B", b"CT\\PT", b"\x1b[2J", b"X" * 17])
def test_what_is_no_code_is_no_modality(value: bytes) -> None:
    assert described({MODALITY: value}, {MODALITY: b"CT"}).modalities == ("CT",)


@pytest.mark.parametrize(
    ("character_set", "encoding", "text"),
    [
        (b"", "ascii", "Whole body PET/CT"),
        (b"ISO_IR 100", "latin-1", "Schädel nativ"),
        (b"ISO_IR 192", "utf-8", "Шея с контрастом"),
        (b"ISO_IR 144", "iso8859_5", "Шея"),
        (b"GB18030", "gb18030", "腹部增强"),
        (b"ISO_IR 13 ", "shift_jis", "ﾌｸﾌﾞ"),
        (b"\\ISO 2022 IR 87", "iso2022_jp", "腹部 CT"),
        (b"ISO-IR 144", "iso8859_5", "Шея"),
    ],
    ids=["ASCII", "Latin", "UTF-8", "Cyrillic", "Chinese", "Katakana", "Kanji by escape", "misspelled"],
)
def test_text_is_read_by_the_character_set_of_its_file(character_set: bytes, encoding: str, text: str) -> None:
    assert text_of(text.encode(encoding), character_set) == text


@pytest.mark.parametrize(
    "character_set",
    [
        b"ISO_IR 999",
        b"zlib_codec",
        b"undefined",
        b"idna",
        b"ISO\0\xff",
        b"\\\\\\",
        b"ISO_IR 192\\ISO_IR 100",
        b"\xff" * 99,
    ],
)
def test_a_character_set_that_is_none_costs_no_more_than_a_few_characters(character_set: bytes) -> None:
    assert text_of(b"Sch\xe4del", character_set).startswith("Sch")


@pytest.mark.parametrize("value", [b"Sch\xe4del", b"\x1b$BSch", b"Sch\x1b\x1b$)C\xff", b"\x1b-ASch\xff"])
def test_what_is_not_in_its_character_set_is_replaced(value: bytes) -> None:
    assert "Sch" in text_of(value, b"ISO_IR 192") or "\ufffd" in text_of(value, b"ISO_IR 192")


def test_text_is_one_line_that_commands_no_terminal() -> None:
    assert text_of(b"\0 Neck\r\n  with\tcontrast \x1b[2J\x07\0") == "Neck with contrast [2J"


def test_no_invisible_character_turns_the_text_around() -> None:
    assert text_of("a\u202eb\u200bc\u3000d".encode(), b"ISO_IR 192") == "abc d"


def test_longer_text_is_cut_to_64_characters() -> None:
    assert text_of(b"x" * 63 + b" tail") == "x" * 63
    assert text_of("ä".encode() * 65, b"ISO_IR 192") == "ä" * 64


@pytest.mark.parametrize(
    ("value", "date"),
    [
        (b"20240229", "2024-02-29"),
        (b"20240229\0", "2024-02-29"),
        (b" 20240229 ", "2024-02-29"),
        (b"20230229", ""),
        (b"00000000", ""),
        (b"2024.02.29", "2024-02-29"),
        (b"2024.0229", ""),
        (b"2024-W09", ""),
        (b"2024W091", ""),
        (b"20240229-20240301", ""),
        (b"202402", ""),
        ("２０２４".encode(), ""),
        (b"\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2", ""),
        (b"", ""),
    ],
)
def test_a_date_is_one_of_the_calendar_or_none(value: bytes, date: str) -> None:
    assert date_of(value) == date
