"""What a destination writes is made fit to be stored and shown."""

from __future__ import annotations

from transfers.wire.foreign_text import LONGEST_TEXT, clean_text, uid_text


def test_a_text_is_shown_without_control_characters() -> None:
    assert clean_text("disk\x1b[31m full\r\n\0 \u202eagain") == "disk [31m full again"


def test_a_text_without_end_is_cut() -> None:
    assert len(clean_text("no " * 10_000)) <= LONGEST_TEXT


def test_a_uid_is_read_without_its_padding() -> None:
    assert uid_text(b"1.2.3\0") == uid_text(b" 1.2.3 ") == "1.2.3"
    assert uid_text(b"\0") == ""


def test_what_is_no_uid_is_escaped_and_cut() -> None:
    assert uid_text(b"1.2\0\x1b[31m3") == r"'1.2\x00\x1b[31m3'"
    assert len(uid_text(b"\x1b" * 60_000)) < 400
