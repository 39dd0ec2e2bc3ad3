"""Whole transfers by STOW-RS: to a real Orthanc, and to what answers as no Orthanc can be made to."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from tests.commands import send, uids_of
from tests.datasets import write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from transfers.methods.base import ReconnectPolicy
from transfers.models import Destination

pytestmark = pytest.mark.django_db(transaction=True)

Answer = Callable[[Asked], Reply]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfers.run.RECONNECT", ReconnectPolicy(first_wait_seconds=0.02))


def to(url: str, **fields: Any) -> Destination:
    quick = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.2, "associations": 2}
    return Destination.objects.create(name="web", kind="dicomweb", url=url, **(quick | fields))


def parts_of(asked: Asked) -> list[bytes]:
    """The files in a request, taken apart by a parser that is not ours."""
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + asked.body)
    return [part.get_payload(decode=True) for part in message.get_payload()]  # type: ignore[misc,union-attr]


def receipts(stored: list[str], failed: dict[str, int] | None = None) -> dict[str, Any]:
    items = [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in stored]
    refused = [
        {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}}
        for uid, reason in (failed or {}).items()
    ]
    return {"00081199": {"vr": "SQ", "Value": items}, "00081198": {"vr": "SQ", "Value": refused}}


def a_service(post: Answer) -> Answer:
    return lambda asked: post(asked) if asked.method == "POST" else Reply(204)


def said(body: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode())


@pytest.mark.parametrize("option", ["body=chunked", "body=buffered", "instances=5"])
def test_what_is_stored_is_committed(web_orthanc: Orthanc, folder: Path, option: str) -> None:
    write_study(folder, 12)

    outcome = send(to(web_orthanc.dicom_web_url), folder, "--verify", "content", "--option", option)

    assert (outcome.exit_code, outcome.transfer["method"]) == (0, "stow-rs")
    assert (outcome.transfer["verdict"], outcome.transfer["proof"]) == ("committed", "identical")
    assert outcome.kind_counts == Counter(sent=12, acknowledged=12, present=12, identical=12)


def test_what_is_filtered_is_not_committed_though_it_has_a_receipt(web_orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 10, patient_id="FILTERED")

    outcome = send(to(web_orthanc.dicom_web_url), folder)

    assert outcome.kind_counts["acknowledged"] == 10
    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert Counter(outcome.verdicts.values()) == Counter(confirmed=8, refuted=2)


def test_every_file_goes_out_once_and_byte_for_byte(web: MakeWeb, folder: Path) -> None:
    paths = write_study(folder, 7)
    peer = web(a_service(lambda _: said(receipts(uids_of(paths)))))

    send(to(peer.url), folder, "--verify", "none", "--option", "instances=3")

    posted = [asked for asked in peer.asked if asked.method == "POST"]
    assert sorted(len(parts_of(asked)) for asked in posted) == [1, 3, 3]
    assert {part for asked in posted for part in parts_of(asked)} == {path.read_bytes() for path in paths}
    assert {asked.headers.get("Transfer-Encoding") for asked in posted} == {"chunked"}


def test_a_buffered_body_says_its_length(web: MakeWeb, folder: Path) -> None:
    paths = write_study(folder, 3)
    peer = web(a_service(lambda _: said(receipts(uids_of(paths)))))

    send(to(peer.url), folder, "--verify", "none", "--option", "body=buffered")

    (asked,) = [asked for asked in peer.asked if asked.method == "POST"]
    assert int(asked.headers["Content-Length"]) == len(asked.body)
    assert len(parts_of(asked)) == 3


def test_each_instance_has_what_its_receipt_says(web: MakeWeb, folder: Path) -> None:
    paths = write_study(folder, 8)
    stored, refused, vendor, both, coerced, absent, odd, full = uids = uids_of(paths)
    body = receipts([stored, both, coerced, "1.2.3"], {refused: 0x0110, vendor: 45070, both: 0xA700, full: 0xA701})
    body["00081199"]["Value"][2]["00081196"] = {"vr": "US", "Value": [0xB000]}
    body["00081198"]["Value"].append({"00081155": {"vr": "UI", "Value": [odd]}})
    peer = web(a_service(lambda _: said(body, 202)))

    outcome = send(to(peer.url), folder, "--verify", "none")

    last = {uid: outcome.kinds(uid)[-1] for uid in uids}
    assert last == {
        stored: "acknowledged",
        coerced: "acknowledged",
        refused: "refused",
        full: "refused",
        vendor: "answer-unclear",
        both: "answer-unclear",
        absent: "answer-unclear",
        odd: "answer-unclear",
    }
    assert "Elements were coerced" in outcome.output
    assert "stored there already" in outcome.output


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(200), "answer-unclear"),
        (Reply(200, b"<html>ok</html>", "text/html"), "answer-unclear"),
        (Reply(200, b"{", "application/dicom+json"), "answer-unclear"),
        (Reply(400), "answer-unclear"),
        (Reply(409), "answer-unclear"),
        (Reply(413, b"too large", "text/plain"), "answer-unclear"),
        (Reply(500), "no-answer"),
        (Reply(403), "no-answer"),
        (Reply(is_dropped=True), "no-answer"),
        (Reply(200, b'{"00081199": {"vr": "SQ"}}', cut_after=10), "no-answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}-{value.body[:12]!r}",
)
def test_what_gives_no_receipt_proves_nothing(web: MakeWeb, folder: Path, reply: Reply, kind: str) -> None:
    paths = write_study(folder, 3)
    peer = web(a_service(lambda _: reply))

    outcome = send(to(peer.url), folder, "--verify", "none")

    assert {outcome.kinds(uid)[-1] for uid in uids_of(paths)} == {kind}
    assert outcome.transfer["verdict"] == "unverifiable"


def test_an_answer_in_xml_is_read_too(web: MakeWeb, folder: Path) -> None:
    paths = write_study(folder, 2)
    stored, refused = uids_of(paths)
    xml = f"""<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
      <DicomAttribute tag="00081199" vr="SQ"><Item number="1">
        <DicomAttribute tag="00081155" vr="UI"><Value number="1">{stored}</Value></DicomAttribute>
        </Item></DicomAttribute>
      <DicomAttribute tag="00081198" vr="SQ"><Item number="1">
        <DicomAttribute tag="00081155" vr="UI"><Value number="1">{refused}</Value></DicomAttribute>
        <DicomAttribute tag="00081197" vr="US"><Value number="1">290</Value></DicomAttribute></Item></DicomAttribute>
      </NativeDicomModel>"""
    peer = web(a_service(lambda _: Reply(202, xml.encode(), "application/dicom+xml")))

    outcome = send(to(peer.url), folder, "--verify", "none")

    assert (outcome.kinds(stored)[-1], outcome.kinds(refused)[-1]) == ("acknowledged", "refused")
    assert "The SOP class is not supported" in outcome.output


def test_a_request_that_was_lost_is_sent_again_whole_and_a_receipt_is_never_asked_for_twice(
    web: MakeWeb, folder: Path
) -> None:
    paths = write_study(folder, 4)
    bodies: list[list[str]] = []

    def post(asked: Asked) -> Reply:
        bodies.append(sorted(hashlib.sha256(part).hexdigest() for part in parts_of(asked)))
        if len(bodies) == 2:
            return Reply(503, headers={"Retry-After": "1"})
        return said(receipts(uids_of(paths)))

    outcome = send(to(web(a_service(post)).url, associations=1), folder, "--verify", "none", "--option", "instances=2")

    assert len(bodies) == 3
    assert bodies[1] == bodies[2] != bodies[0]
    assert outcome.kind_counts == Counter({"sent": 6, "acknowledged": 4, "no-answer": 2})


def test_a_file_that_changed_breaks_off_its_request_alone(web: MakeWeb, folder: Path) -> None:
    paths = write_study(folder, 3)
    first, changed, last = uids_of(paths)

    def answer(asked: Asked) -> Reply:
        if asked.method != "POST":
            paths[1].write_bytes(paths[1].read_bytes() + b"\0")
            return Reply(204)
        return said(receipts(uids_of(paths)))

    peer = web(answer)

    outcome = send(to(peer.url, associations=1), folder, "--verify", "none")

    assert outcome.kinds(changed) == ["not-sent"]
    assert [outcome.kinds(uid)[-1] for uid in (first, last)] == ["acknowledged", "acknowledged"]
    (whole,) = [asked for asked in peer.asked if asked.method == "POST" and asked.is_whole]
    assert parts_of(whole) == [paths[0].read_bytes(), paths[2].read_bytes()]


def test_what_is_too_large_for_one_body_is_refused_before_anything_is_sent(
    web: MakeWeb, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(folder, 3)
    monkeypatch.setattr("transfers.methods.stow_rs.LARGEST_BUFFERED_BYTES", 1_000)
    peer = web(a_service(lambda _: Reply(200)))

    outcome = send(to(peer.url), folder, "--verify", "none", "--option", "body=buffered")

    assert "cannot pass 2 GB" in outcome.output
    assert outcome.kind_counts == Counter({"not-sent": 3})
    assert not [asked for asked in peer.asked if asked.method == "POST"]
