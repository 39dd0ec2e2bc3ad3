"""POST /instances by us, where something goes wrong: to a real Orthanc, and to services that answer as none does."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from audit.entries import ManifestEntry
from audit.limits import most_bytes_of
from audit.observations import EvidenceKind
from tests.datasets import unique_uid, write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply, Web
from tests.integration.transfers.methods.sending import FINAL, PATIENT, POLICY, Sent
from tests.integration.transfers.methods.stowing import TooEarly
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers.endpoints import OrthancEndpoint
from transfers.errors import CredentialsRefused, NotTheService, RequestError
from transfers.methods.base import SendContext
from transfers.methods.orthanc_rest import OrthancRest
from transfers.sources.base import InstanceSource
from transfers.sources.files import LocalFiles
from transfers.sources.orthanc import OrthancSource

SENT, ACKNOWLEDGED, UNCLEAR = EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED, EvidenceKind.ANSWER_UNCLEAR
NO_ANSWER, NOT_SENT = EvidenceKind.NO_ANSWER, EvidenceKind.NOT_SENT
IDENTICAL, UNREADABLE = EvidenceKind.IDENTICAL, EvidenceKind.UNREADABLE
ID = "f689ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"
STORED = json.dumps({"ID": ID, "Status": "Success"}).encode()


def endpoint_of(peer: Orthanc | Web | str, **changes: Any) -> OrthancEndpoint:
    url = peer if isinstance(peer, str) else peer.url
    return OrthancEndpoint(url, timeouts=PATIENT, **({"connections": 1} | changes))


def post(
    to: OrthancEndpoint,
    entries: Sequence[ManifestEntry],
    *,
    stop: Event | None = None,
    source: InstanceSource | None = None,
    **options: Any,
) -> Sent:
    """Send everything."""
    sent = Sent()
    context = SendContext(to, POLICY, options, stop or Event(), source or LocalFiles())
    for seen in OrthancRest().send(entries, context):
        sent.add(seen)
    for entry in entries:
        assert FINAL & set(sent.of(entry)), f"nothing final was said of {entry.sop_instance_uid}"
    return sent


def test_an_answer_before_all_was_sent_proves_nothing(tmp_path: Path) -> None:
    entry = entry_of(write_instance(tmp_path, size_bytes=30_000_000))

    with TooEarly(STORED) as service:
        sent = post(endpoint_of(service.url), [entry])

    assert ACKNOWLEDGED not in sent.of(entry)
    assert SENT not in sent.of(entry)


def test_as_many_connections_are_kept_as_requests_go_side_by_side(web: MakeWeb, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, 18, size_bytes=200))
    together, ports = Barrier(6, timeout=10), set()

    def answer(asked: Asked) -> Reply:
        ports.add(asked.port)
        together.wait()
        return Reply(body=STORED)

    sent = post(endpoint_of(web(answer)), entries, requests=6)

    assert {sent.of(entry)[-1] for entry in entries} == {ACKNOWLEDGED}
    assert len(ports) == 6


def test_what_comes_from_a_source_is_known_there_by_its_digest(
    source_orthanc: Orthanc, orthanc: Orthanc, tmp_path: Path
) -> None:
    source = OrthancSource(OrthancEndpoint(source_orthanc.url))
    entries = stored_at(source_orthanc, write_study(tmp_path, 3, size_bytes=200))
    post(endpoint_of(orthanc), entries, source=source)

    sent = post(endpoint_of(orthanc), entries, source=source)

    assert [sent.of(entry) for entry in entries] == [[SENT, ACKNOWLEDGED, IDENTICAL]] * 3
    assert {sent.detail(entry, IDENTICAL)["by"] for entry in entries} == {"digest"}


def test_an_id_of_another_instance_than_the_source_has_is_no_answer_to_ours(
    web: MakeWeb, source_orthanc: Orthanc, tmp_path: Path
) -> None:
    (entry,) = stored_at(source_orthanc, write_study(tmp_path, 1, size_bytes=200))
    source = OrthancSource(OrthancEndpoint(source_orthanc.url))

    sent = post(endpoint_of(web(lambda _: Reply(body=STORED))), [entry], source=source)

    assert sent.of(entry) == [SENT, UNCLEAR]


def lists_another(asked: Asked) -> Reply:
    return Reply(body=json.dumps({"ID": ID, "MainDicomTags": {"SOPInstanceUID": unique_uid()}}).encode())


def lists_it(entry: ManifestEntry, asked: Asked, file: Reply) -> Reply:
    if asked.path.endswith("/md5"):
        return Reply(body=b"0" * 32, content_type="text/plain")
    tags = {"SOPInstanceUID": entry.sop_instance_uid}
    return file if asked.path.endswith("/file") else Reply(body=json.dumps({"ID": ID, "MainDicomTags": tags}).encode())


@pytest.mark.parametrize("why", ["another", "unreadable", "changed"])
def test_what_is_there_instead_of_ours_and_cannot_be_compared_is_unreadable(
    web: MakeWeb, entries: list[ManifestEntry], why: str
) -> None:
    entry = entries[0]

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            if why == "changed":
                Path(entry.path).write_bytes(b"")
            return Reply(body=json.dumps({"ID": ID, "Status": "AlreadyStored"}).encode())
        return lists_another(asked) if why == "another" else lists_it(entry, asked, Reply(500))

    sent = post(endpoint_of(web(answer)), [entry])

    assert sent.of(entry) == [SENT, ACKNOWLEDGED, UNREADABLE]


def test_of_what_is_there_instead_of_ours_no_more_is_kept_than_ours_can_take(
    web: MakeWeb, entries: list[ManifestEntry]
) -> None:
    too_much = Reply(body=bytes(most_bytes_of(entries[0]) + 1), content_type="application/dicom")
    had_it = Reply(body=json.dumps({"ID": ID, "Status": "AlreadyStored"}).encode())
    peer = web(lambda asked: had_it if asked.method == "POST" else lists_it(entries[0], asked, too_much))

    sent = post(endpoint_of(peer), entries[:1])

    assert sent.detail(entries[0], UNREADABLE)["code"] == "instance_too_large"


def test_a_stop_ends_what_is_under_way_and_all_is_told(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    stop = Event()

    def answer(_: Asked) -> Reply:
        stop.set()
        return Reply(trickles_its_head=True, seconds_a_byte=0.05)

    begun = time.monotonic()
    sent = post(endpoint_of(web(answer)), entries, stop=stop)

    assert time.monotonic() - begun < 5
    assert [sent.of(entry)[-1] for entry in entries] == [NO_ANSWER] + [NOT_SENT] * 4


def test_a_poison_instance_is_set_aside_and_the_others_are_sent(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    poison = Path(entries[1].path).read_bytes()
    service = web(lambda asked: Reply(is_dropped=True) if asked.body == poison else Reply(body=STORED))

    sent = post(endpoint_of(service), entries)

    assert sent.of(entries[1]) == [SENT, NO_ANSWER] * POLICY.losses_per_instance
    assert [sent.of(entry)[-1] for entry in entries if entry is not entries[1]] == [ACKNOWLEDGED] * 4


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(401), CredentialsRefused),
        (Reply(body=b'{"name": "no Orthanc"}', content_type="application/json"), NotTheService),
        (Reply(body=b"<html>", content_type="text/html"), NotTheService),
    ],
    ids=["401", "another service", "a page"],
)
def test_preflight_finds_what_would_not_take_it(
    web: MakeWeb, entries: list[ManifestEntry], reply: Reply, error: type[RequestError]
) -> None:
    with pytest.raises(error):
        OrthancRest().preflight(entries, SendContext(endpoint_of(web(lambda _: reply))))


def test_preflight_lets_an_orthanc_pass(orthanc: Orthanc, entries: list[ManifestEntry]) -> None:
    preflight = OrthancRest().preflight(entries, SendContext(endpoint_of(orthanc)))

    assert preflight.unsendable == {}
    assert [seen.name for seen in preflight.occurrences] == ["preflight_request"]
