"""STOW-RS by us, where something goes wrong: to a real Orthanc, and to services that break off, hang or refuse."""

from __future__ import annotations

import hashlib
import socket
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from tests.datasets import data_set_bytes, unique_uid, write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.integration.transfers.methods.sending import Sent
from tests.integration.transfers.methods.stowing import TooEarly, endpoint_of, receipts, stow, taking
from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST
from transfers.endpoints import ClientCredentials, Timeouts
from transfers.errors import (
    BodyTooLarge,
    CredentialsRefused,
    MalformedAnswer,
    NotTheService,
    RequestError,
    ResourceNotFound,
)
from transfers.methods.base import ReconnectPolicy, SendContext
from transfers.methods.stow_rs import StowRs

SENT, ACKNOWLEDGED, UNCLEAR = EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED, EvidenceKind.ANSWER_UNCLEAR
REFUSED, NO_ANSWER, NOT_SENT = EvidenceKind.REFUSED, EvidenceKind.NO_ANSWER, EvidenceKind.NOT_SENT


def posted(asked: list[Asked]) -> list[Asked]:
    return [each for each in asked if each.method == "POST"]


def test_the_data_set_is_digested_while_it_goes_out(web_orthanc: Orthanc, tmp_path: Path) -> None:
    paths = [*write_study(tmp_path, 2), write_instance(tmp_path, size_bytes=1_500_000)]
    entries = entries_of(paths)

    sent = stow(endpoint_of(web_orthanc), entries)

    for entry, path in zip(entries, paths, strict=True):
        data_set, detail = data_set_bytes(path), sent.detail(entry, SENT)
        assert (detail["sha256"], detail["bytes"]) == (hashlib.sha256(data_set).hexdigest(), len(data_set))
        assert detail["request"] == sent.detail(entry, ACKNOWLEDGED)["request"]


def test_what_is_no_dicom_to_the_service_has_no_receipt_and_the_others_do(
    web_orthanc: Orthanc, entries: list[ManifestEntry], tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage.dcm"
    garbage.write_bytes(b"\0" * 128 + b"DICM" + b"garbage" * 1000)
    found = garbage.stat()
    broken = replace(
        entries[2],
        sop_instance_uid=unique_uid(),
        path=str(garbage),
        data_set_offset=132,
        data_set_size=7000,
        file_size=found.st_size,
        modified_ns=found.st_mtime_ns,
    )

    sent = stow(endpoint_of(web_orthanc), [*entries[:2], broken, *entries[3:]])

    assert sent.of(broken) == [SENT, UNCLEAR]
    assert sent.last(broken).detail["http_status"] == 400
    others = [entry for entry in entries if entry is not entries[2]]
    assert [sent.of(entry) for entry in others] == [[SENT, ACKNOWLEDGED]] * 4
    assert {entry.sop_instance_uid for entry in others} <= web_orthanc.instances()


def test_an_instance_of_another_study_is_refused(web_orthanc: Orthanc, entries: list[ManifestEntry]) -> None:
    strays = [replace(entry, study_instance_uid="1.2.3") for entry in entries]

    sent = stow(endpoint_of(web_orthanc), strays)

    assert [sent.of(entry) for entry in strays] == [[SENT, REFUSED]] * 5
    detail = sent.last(strays[0]).detail
    assert (detail["http_status"], detail["status_code"]) == (409, "0x0110")
    assert not {entry.sop_instance_uid for entry in entries} & web_orthanc.instances()


def test_a_destination_that_is_killed_and_started_again_gets_what_it_did_not_get_before(tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    (tmp_path / "study").mkdir()
    entries = entries_of(write_study(tmp_path / "study", 100))
    with Orthanc(tmp_path / "orthanc", dicom_web=True) as orthanc:
        restarts = 0

        def restart_once(sent: Sent) -> None:
            nonlocal restarts
            if not restarts and any(seen.kind is ACKNOWLEDGED for seen in sent.observations):
                restarts += 1
                orthanc.kill()
                orthanc.start()

        patient = ReconnectPolicy(attempts=50, first_wait_seconds=0.1, factor=1)
        sent = stow(endpoint_of(orthanc), entries, policy=patient, on_seen=restart_once, instances=2)

        assert "request_failed" in sent.names()
        assert [sent.of(entry)[-1] for entry in entries] == [ACKNOWLEDGED] * 100
        assert [sent.of(entry).count(ACKNOWLEDGED) for entry in entries] == [1] * 100
        assert {entry.sop_instance_uid for entry in entries} <= orthanc.instances()


def test_a_receipt_for_what_was_not_yet_sent_proves_nothing(tmp_path: Path) -> None:
    entry = entry_of(write_instance(tmp_path, size_bytes=30_000_000))

    with TooEarly(receipts([entry.sop_instance_uid])) as service:
        sent = stow(endpoint_of(service.url), [entry])

    assert ACKNOWLEDGED not in sent.of(entry)
    assert SENT not in sent.of(entry)


def test_what_is_too_large_together_goes_out_in_smaller_requests(web: MakeWeb, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, 12))
    service = web(taking(entries, largest=2))

    sent = stow(endpoint_of(service), entries, instances=8)

    assert [sent.of(entry)[-1] for entry in entries] == [ACKNOWLEDGED] * 12
    assert [sent.of(entry).count(ACKNOWLEDGED) for entry in entries] == [1] * 12
    assert sent.names() == ["request_too_large"] * 4  # of 8, then 4 (as a half, twice) and the 4 that had waited


def test_what_is_too_large_by_itself_has_no_receipt(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    sent = stow(endpoint_of(web(taking(entries, largest=0))), entries)

    assert [sent.of(entry)[-1] for entry in entries] == [UNCLEAR] * 5
    assert sent.last(entries[0]).detail["http_status"] == 413


def test_a_busy_service_is_no_fault_of_an_instance(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    take = taking(entries)
    service = web(lambda asked: Reply(503) if len(posted(service.asked)) <= 4 else take(asked))

    sent = stow(endpoint_of(service), entries[:1])

    assert sent.of(entries[0]) == [*[SENT, NO_ANSWER] * 4, SENT, ACKNOWLEDGED]


def test_an_instance_over_which_requests_are_lost_is_set_aside_alone(
    web: MakeWeb, entries: list[ManifestEntry]
) -> None:
    take, poison = taking(entries), entries[3]

    def answer(asked: Asked) -> Reply:
        is_poisoned = poison.sop_instance_uid.encode() in asked.body
        return Reply(is_dropped=True) if is_poisoned else take(asked)

    sent = stow(endpoint_of(web(answer)), entries, policy=ReconnectPolicy(attempts=9, first_wait_seconds=0.01))

    assert sent.last(poison).kind is NO_ANSWER
    assert not sent.last(poison).detail["will_be_sent_again"]
    others = [entry for entry in entries if entry is not poison]
    assert [sent.of(entry)[-1] for entry in others] == [ACKNOWLEDGED] * 4
    failed = [seen for seen in sent.occurrences if seen.name == "request_failed"]
    assert [seen.detail["instances"] for seen in failed][:2] == [5, 5], "the same once more, before it is halved"


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_what_will_not_pass_ends_the_send(web: MakeWeb, entries: list[ManifestEntry], status: int) -> None:
    service = web(lambda _: Reply(status))

    sent = stow(endpoint_of(service), entries, instances=2)

    assert len(service.asked) == 1
    assert [sent.of(entry)[-1] for entry in entries] == [NO_ANSWER] * 2 + [NOT_SENT] * 3


def test_a_token_that_is_revoked_meanwhile_is_replaced(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    take, given = taking(entries), iter(["old", "new"])

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            token = f'{{"access_token": "{next(given)}", "token_type": "Bearer"}}'.encode()
            return Reply(body=token, content_type="application/json")
        return take(asked) if asked.headers.get("Authorization") == "Bearer new" else Reply(401)

    service = web(answer)
    credentials = ClientCredentials(f"{service.url}/token", unique_uid(), "s3cret")

    sent = stow(endpoint_of(service, oauth2=credentials), entries)

    assert [sent.of(entry)[-1] for entry in entries] == [ACKNOWLEDGED] * 5
    assert sent.codes() == ["access_token_refused"]
    assert "s3cret" not in str(sent)


def test_a_stop_ends_what_is_under_way_and_all_is_told(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    stop = Event()

    def answer(_: Asked) -> Reply:
        stop.set()
        return Reply(trickles_its_head=True, seconds_a_byte=0.05)

    begun = time.monotonic()
    sent = stow(endpoint_of(web(answer)), entries, stop=stop, instances=2)

    assert time.monotonic() - begun < 5
    assert [sent.of(entry)[-1] for entry in entries] == [NO_ANSWER] * 2 + [NOT_SENT] * 3
    assert sent.last(entries[4]).detail["code"] == "stopped"


def test_a_stop_ends_the_wait_for_a_service_that_takes_nothing(tmp_path: Path) -> None:
    stop = Event()
    entry = entry_of(write_instance(tmp_path, size_bytes=30_000_000))
    with closing(socket.create_server((HOST, 0))) as never_read:
        Timer(0.2, stop.set).start()
        begun = time.monotonic()
        sent = stow(endpoint_of(f"http://{HOST}:{never_read.getsockname()[1]}"), [entry], stop=stop)

    assert time.monotonic() - begun < 5
    assert sent.of(entry) == [NO_ANSWER]


def test_a_service_that_never_answers_is_left(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    service = web(lambda _: Reply(trickles_its_head=True, seconds_a_byte=1))
    soon = Timeouts(connect_seconds=1, dimse_seconds=0.2)

    sent = stow(endpoint_of(service, timeouts=soon), entries[:1], policy=ReconnectPolicy(attempts=2))

    assert sent.of(entries[0])[-1] is NO_ANSWER
    assert set(sent.codes()) == {"request_timed_out"}


@pytest.mark.parametrize("body", ["chunked", "buffered"])
def test_a_file_that_is_gone_is_not_sent_and_the_others_are(
    web: MakeWeb, entries: list[ManifestEntry], body: str
) -> None:
    service = web(taking(entries))
    Path(entries[2].path).unlink()

    sent = stow(endpoint_of(service), entries, body=body)

    assert sent.of(entries[2]) == [NOT_SENT]
    assert sent.last(entries[2]).detail["code"] == "source_file_unreadable"
    assert [sent.of(each)[-1] for each in entries if each is not entries[2]] == [ACKNOWLEDGED] * 4
    assert len([asked for asked in posted(service.asked) if asked.is_whole]) == 1
    assert sent.names() == ["request_broken_off"]


def preflight(peer: Orthanc | str, entries: list[ManifestEntry], **options: object) -> list[str]:
    context = SendContext(endpoint_of(peer), options=options)
    return [each.name for each in StowRs().preflight(entries, context).occurrences]


def test_preflight_finds_a_service_that_lets_us_in(web_orthanc: Orthanc, entries: list[ManifestEntry]) -> None:
    assert preflight(web_orthanc, entries) == ["preflight_request"]
    assert preflight(web_orthanc, []) == []


def test_preflight_finds_a_path_that_leads_elsewhere(web_orthanc: Orthanc, entries: list[ManifestEntry]) -> None:
    stow(endpoint_of(web_orthanc), entries)

    with pytest.raises(ResourceNotFound):
        preflight(f"{web_orthanc.url}/elsewhere", entries)
    with pytest.raises(MalformedAnswer):  # the list of Orthanc's own IDs
        preflight(web_orthanc.url, entries)
    with pytest.raises(ResourceNotFound):
        preflight(f"{web_orthanc.url}/app", entries)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(401), CredentialsRefused),
        (Reply(403), CredentialsRefused),
        (Reply(404), ResourceNotFound),
        (Reply(body=b"<html/>", content_type="text/html"), NotTheService),
        (Reply(500), RequestError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value.status),
)
def test_preflight_stops_before_the_first_byte(
    web: MakeWeb, entries: list[ManifestEntry], reply: Reply, error: type[RequestError]
) -> None:
    with pytest.raises(error):
        preflight(web(lambda _: reply).url, entries)


@pytest.mark.parametrize("status", [400, 405, 406, 501])
def test_a_service_that_only_stores_is_sent_to(web: MakeWeb, entries: list[ManifestEntry], status: int) -> None:
    assert preflight(web(lambda _: Reply(status)).url, entries) == ["preflight_request"]


@pytest.mark.parametrize("status", [200, 204, 400, 409, 415])
def test_a_service_whose_searches_lead_nowhere_is_sent_to_where_it_stores(
    web: MakeWeb, entries: list[ManifestEntry], status: int
) -> None:
    service = web(lambda asked: Reply(status if asked.method == "POST" else 404))

    assert preflight(service.url, entries) == ["preflight_request"]
    assert service.asked[-1].path == "/studies"
    assert b"application/dicom\r\n" not in service.asked[-1].body


@pytest.mark.parametrize("status", [404, 405, 500])
def test_a_path_that_leads_nowhere_is_called_that(web: MakeWeb, entries: list[ManifestEntry], status: int) -> None:
    with pytest.raises(ResourceNotFound, match="check the path"):
        preflight(web(lambda asked: Reply(status if asked.method == "POST" else 404)).url, entries)


def test_preflight_refuses_a_body_over_2_gb_and_says_why(web_orthanc: Orthanc, entries: list[ManifestEntry]) -> None:
    large = [replace(entry, data_set_size=500_000_000) for entry in entries]

    with pytest.raises(BodyTooLarge, match=r"2,500,\d{3},\d{3} bytes"):
        preflight(web_orthanc, large, body="buffered")
    assert preflight(web_orthanc, large, body="buffered", megabytes=1000) == ["preflight_request"]
    assert preflight(web_orthanc, large, body="chunked", instances=5, megabytes=5000) == ["preflight_request"]
