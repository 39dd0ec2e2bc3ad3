"""What a STOW-RS service answers, in JSON and XML, as it should be and otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.errors import MalformedAnswer
from transfers.wire.stow import StowAnswer, read_stow_answer
from transfers.wire.stow_reasons import is_listed, store_failure_text, store_warning_text

JSON, XML = "application/dicom+json", "application/dicom+xml"


def item(uid: object, **reason: object) -> dict[str, Any]:
    elements = {"00081155": {"vr": "UI", "Value": [uid]}}
    return elements | {tag.removeprefix("x"): {"vr": "US", "Value": [value]} for tag, value in reason.items()}


def in_json(**sequences: list[Any]) -> bytes:
    said = {tag.removeprefix("x"): {"vr": "SQ", "Value": items} for tag, items in sequences.items()}
    return json.dumps(said).encode()


def in_xml(sequence: str, uid: str, more: str = "") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
      <DicomAttribute tag="{sequence}" vr="SQ" keyword="x"><Item number="1">
        <DicomAttribute tag="00081155" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>{more}
      </Item></DicomAttribute></NativeDicomModel>""".encode()


def test_what_is_stored_and_what_is_not_is_told_apart_in_json() -> None:
    content = in_json(
        x00081199=[item("1.2.1"), item("1.2.2", x00081196=45056)],
        x00081198=[item("1.2.3", x00081197=272), item("1.2.4")],
        x0008119A=[{}, {}],
    )

    assert read_stow_answer(content, JSON) == StowAnswer(
        {"1.2.1": None, "1.2.2": 0xB000}, {"1.2.3": 0x0110, "1.2.4": None}, 2
    )


def test_the_same_in_xml() -> None:
    reason = '<DicomAttribute tag="00081197" vr="US"><Value number="1">43264</Value></DicomAttribute>'

    assert read_stow_answer(in_xml("00081198", "1.2.3", reason), XML) == StowAnswer({}, {"1.2.3": 0xA900})
    assert read_stow_answer(in_xml("00081199", "1.2.3"), XML) == StowAnswer({"1.2.3": None})


@pytest.mark.parametrize(("reason", "failed"), [(42752, {"1.2.1": 0xA700}), ("x", {"1.2.1": None}), (0, {})])
def test_what_is_said_to_be_stored_with_a_reason_why_not_is_both(reason: object, failed: dict[str, int | None]) -> None:
    content = in_json(x00081199=[item("1.2.1", x00081197=reason)])

    assert read_stow_answer(content, JSON) == StowAnswer({"1.2.1": None}, failed)


def test_which_of_the_two_it_is_can_be_seen_whatever_the_type_says() -> None:
    assert read_stow_answer(in_xml("00081199", "1.2.3"), "text/plain").stored == {"1.2.3": None}
    assert read_stow_answer(in_json(x00081199=[item("1.2.3")]), "").stored == {"1.2.3": None}


def test_a_list_of_one_data_set_is_read_too() -> None:
    assert read_stow_answer(b"[" + in_json(x00081199=[item("1.2.3")]) + b"]", JSON).stored == {"1.2.3": None}


@pytest.mark.parametrize("content", [b"", b" \r\n", b"{}", b'{"00081199": {"vr": "SQ"}}'], ids=repr)
def test_nothing_said_is_a_receipt_for_nothing(content: bytes) -> None:
    assert read_stow_answer(content, JSON) == StowAnswer()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"stored",
        b"null",
        b"[]",
        b"[1, 2]",
        b'{"00081199": []}',
        b'{"00081199": {"Value": [1]}}',
        b'{"00081199": {"Value": [{"00081155": []}]}}',
        b'{"00081199": {"Value": {"00081155": {"Value": ["1.2.3"]}}}}',
        b"[" * 100_000,
        b"<",
        b"<html><body>Log in<br></body></html>",
        b'<?xml version="1.0" encoding="nonsense"?><NativeDicomModel/>',
        in_json(x00081199=[item("1.2.3")])[:-1],
        in_xml("00081199", "1.2.3")[:-1],
        b"\xff\xfe",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_cannot_be_read_is_no_receipt(content: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read_stow_answer(content, JSON)


def test_entities_are_not_expanded() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "1.2.3"><!ENTITY b "&a;&a;">]>'
    content = in_xml("00081199", "&b;").replace(b'encoding="UTF-8"?>', b'encoding="UTF-8"?>' + laughs)

    with pytest.raises(MalformedAnswer):
        read_stow_answer(content, XML)


@pytest.mark.parametrize(("said", "reason"), [("272", 272), (272.0, 272), ("0x0110", None), (-1, None), (70000, None)])
def test_a_reason_that_is_no_number_spoils_only_itself(said: object, reason: int | None) -> None:
    content = in_json(x00081199=[item("1.2.1")], x00081198=[item("1.2.3", x00081197=said)])

    assert read_stow_answer(content, JSON) == StowAnswer({"1.2.1": None}, {"1.2.3": reason})


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["00081199", "00081155", "Value"]), inner),
    )
)
def test_whatever_is_answered_is_read_or_refused(said: object) -> None:
    try:
        answer = read_stow_answer(json.dumps(said).encode(), JSON)
    except MalformedAnswer:
        return
    assert not answer.failed


def test_a_uid_that_could_do_harm_equals_none_of_ours() -> None:
    (named,) = read_stow_answer(in_json(x00081199=[item("1.2.3\n")]), JSON).stored

    assert named != "1.2.3"


@pytest.mark.parametrize(
    ("reason", "refuses"),
    [
        (0x0110, True),
        (0x0122, True),
        (0x0124, True),
        (0xA700, True),
        (0xA7FF, True),
        (0xA900, True),
        (0xA901, True),
        (0xC000, True),
        (0xC122, True),
        (0xCFFF, True),
        (0, False),
        (0x0111, False),
        (0xA800, False),
        (0xB000, False),
        (45070, False),
        (45071, False),
        (0xD000, False),
    ],
    ids=hex,
)
def test_which_reasons_refuse(reason: int, *, refuses: bool) -> None:
    assert is_listed(reason) is refuses
    assert store_failure_text(reason)


def test_reasons_have_words() -> None:
    assert store_failure_text(0xC122) == "The transfer syntax is not supported"
    assert store_failure_text(0xC123) == "The data set cannot be understood"
    assert "already" in store_failure_text(45070)
    assert "no table" in store_failure_text(0x1234)
    assert store_warning_text(0xB006) == "Warning: Elements were left out"
