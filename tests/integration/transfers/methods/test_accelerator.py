"""The accelerator's push protocol, to a counterpart in front of a real Orthanc: what is told, and what is there."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from audit.manifest import read_input
from audit.observations import EvidenceKind
from tests.datasets import data_set_bytes, write_instance, write_study
from tests.entries import entries_of
from tests.fakes.accelerator import Accelerator as Peer
from tests.fakes.accelerator_script import Step
from tests.fakes.fixtures import MakeAccelerator, MakeWeb
from tests.fakes.web import Asked, Reply
from tests.fakes.web_archives import always
from tests.integration.transfers.methods.pushing import context_of, held, push, requests
from tests.peers.orthanc import Orthanc
from transfers.errors import AcceleratorMissing, CredentialsRefused, ServiceUnreachable
from transfers.methods.accelerator import Accelerator
from transfers.methods.base import Checkpoint, ReconnectPolicy

SENT, ACKNOWLEDGED = EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED
NO_ANSWER, NOT_SENT = EvidenceKind.NO_ANSWER, EvidenceKind.NOT_SENT
DOWN = "http://127.0.0.1:1"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_study_is_committed_at_once_byte_for_byte(peer: Peer, tmp_path: Path, compression: str) -> None:
    paths = [
        *write_study(tmp_path, 4, size_bytes=3000),
        write_instance(tmp_path, size_bytes=5_000_000),
        write_instance(tmp_path, size_bytes=9_000_000),
    ]
    entries = entries_of(paths)

    sent = push(entries, context_of(peer, options={"compression": compression}))

    for entry, path in zip(entries, paths, strict=True):
        assert sent.of(entry) == [SENT, ACKNOWLEDGED]
        data_set = data_set_bytes(path)
        detail = sent.detail(entry, SENT)
        assert (detail["sha256"], detail["bytes"]) == (hashlib.sha256(data_set).hexdigest(), len(data_set))
        query = {"SOPInstanceUID": entry.sop_instance_uid}
        (found,) = peer.orthanc.rest("/tools/find", body={"Level": "Instance", "Query": query})
        info = peer.orthanc.rest(f"/instances/{found}/attachments/dicom/info")
        assert info["UncompressedMD5"] == hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    asked = requests(peer)
    assert (asked[0], sorted(asked[1:-1]), asked[-1]) == ("POST", [f"PUT {n}" for n in range(4)], "POST commit")
    assert peer.open_transactions == []
    assert sent.names() == ["transaction_opened", "commit_asked", "transaction_committed"]
    created = peer.received[-1].split()[1].removesuffix("/commit")
    uids = [entry.sop_instance_uid for entry in entries]
    assert sent.checkpoints == [Checkpoint("transaction", {"path": created, "sop_instance_uids": uids})]
    assert sent.detail(entries[0], ACKNOWLEDGED)["status_code"] == 200


def test_nothing_is_sent_of_nothing(peer: Peer) -> None:
    assert push([], context_of(peer)).observations == []
    assert peer.received == []


def test_members_of_zip_files_are_pushed(peer: Peer, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 3, size_bytes=2000)
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    entries = list(read_input([tmp_path / "study.zip"]).studies[0].entries)

    sent = push(entries, context_of(peer))

    assert [sent.of(entry) for entry in entries] == [[SENT, ACKNOWLEDGED]] * 3
    assert held(peer, entries) == 3


def test_a_bounded_transaction_is_followed_by_another(peer: Peer, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, 5, size_bytes=600_000))

    sent = push(entries, context_of(peer, options={"transaction_megabytes": 1}))

    assert sent.names().count("transaction_committed") == 5
    assert peer.receiving.largest_number == 1
    assert held(peer, entries) == 5


def test_never_more_than_one_transaction_is_open(peer: Peer, six: list[ManifestEntry]) -> None:
    peer.script.failing = {Step.COMMIT: [500]}

    push(six, context_of(peer))

    assert peer.receiving.largest_number == 1


def test_preflight_asks_for_the_plug_in(peer: Peer, orthanc: Orthanc, six: list[ManifestEntry]) -> None:
    assert [each.name for each in Accelerator().preflight(six, context_of(peer)).occurrences] == ["accelerator_found"]
    with pytest.raises(AcceleratorMissing):
        Accelerator().preflight(six, context_of(orthanc.url))
    with pytest.raises(ServiceUnreachable):
        Accelerator().preflight(six, context_of(DOWN))


def test_preflight_asks_with_the_credentials(tmp_path: Path, accelerator: MakeAccelerator) -> None:
    with Orthanc(tmp_path, users={"ann": "secret"}) as orthanc:
        peer = accelerator(orthanc)
        context = context_of(peer)
        with pytest.raises(CredentialsRefused):
            Accelerator().preflight([], context)
        entries = entries_of(write_study(tmp_path, 1, size_bytes=100))
        refused = push(entries, context)
        known = replace(context, endpoint=replace(context.orthanc_endpoint, username="ann", password="secret"))
        sent = push(entries, known)

    assert refused.of(entries[0]) == [NOT_SENT]
    assert refused.last(entries[0]).detail["code"] == "credentials_refused"
    assert sent.of(entries[0]) == [SENT, ACKNOWLEDGED]


# What a commit may come to


@pytest.mark.parametrize("is_answered_late", [False, True], ids=["lost", "late"])
def test_a_commit_without_an_answer_says_nothing(peer: Peer, six: list[ManifestEntry], is_answered_late: bool) -> None:
    options = {"commit_timeout_seconds": 1} if is_answered_late else {}
    peer.script.lost_answers = {} if is_answered_late else {Step.COMMIT: 1}
    peer.script.commit_seconds = 1.5 if is_answered_late else 0

    sent = push(six, context_of(peer, options=options, present=six))

    for entry in six:
        assert sent.of(entry) == [SENT, NO_ANSWER]
        assert sent.last(entry).detail["code"] == ("request_timed_out" if is_answered_late else "answer_cut")
    assert held(peer, six) == 6
    assert requests(peer)[-1].startswith("DELETE")


def test_what_a_lost_commit_did_not_store_is_sent_once_more(peer: Peer, six: list[ManifestEntry]) -> None:
    peer.script.commit_stops_after = 5
    before = held(peer, six)
    listed = [entry for entry in six if entry.sop_instance_uid in peer.orthanc.instances()]

    sent = push(six, context_of(peer, present=listed))

    # Nothing was listed, so all are sent again, and the commit fails again: then the list decides.
    assert before == 0
    assert all(sent.of(entry) == [SENT, NO_ANSWER, SENT, NO_ANSWER] for entry in six)
    assert [seen.detail["will_be_sent_again"] for seen in sent.observations if seen.kind is NO_ANSWER] == [
        *[True] * 6,
        *[False] * 6,
    ]
    assert held(peer, six) == 5
    assert peer.open_transactions == []


def test_only_what_is_missing_is_committed_again(peer: Peer, six: list[ManifestEntry]) -> None:
    peer.script.failing = {Step.COMMIT: [500]}

    sent = push(six, context_of(peer, present=six[:4]))

    assert [sent.of(entry) for entry in six[:4]] == [[SENT, NO_ANSWER]] * 4
    assert [sent.of(entry) for entry in six[4:]] == [[SENT, NO_ANSWER, SENT, ACKNOWLEDGED]] * 2


def test_a_commit_that_is_refused_is_not_repeated(peer: Peer, six: list[ManifestEntry]) -> None:
    peer.script.failing = {Step.COMMIT: [400]}

    sent = push(six, context_of(peer))

    assert all(sent.of(entry) == [SENT, NO_ANSWER] for entry in six)
    assert sent.names()[-2:] == ["commit_failed", "transaction_discarded"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>", "text/html"),
        Reply(200, b"{}", "application/json", cut_after=1),
        Reply(204, b""),
        Reply(202, b"{}", "application/json"),
        Reply(200, b"[]", "application/json"),
    ],
    ids=["page", "cut", "no-content", "accepted", "list"],
)
def test_no_other_answer_to_a_commit_is_a_success(web: MakeWeb, six: list[ManifestEntry], reply: Reply) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/commit"):
            return reply
        body = b'{"ID": "one", "Path": "/transfers/push/one"}' if asked.path == "/transfers/push" else b"{}"
        return Reply(200, body, "application/json")

    sent = push(six, context_of(web(answer).url, policy=ReconnectPolicy(first_wait_seconds=0.01)))

    assert not any(seen.kind is ACKNOWLEDGED for seen in sent.observations)
    assert all(sent.of(entry)[-1] is NO_ANSWER for entry in six)


def test_a_transaction_elsewhere_is_not_followed(web: MakeWeb, six: list[ManifestEntry]) -> None:
    service = web(always(Reply(200, b'{"Path": "/instances/../tools/shutdown"}', "application/json")))

    sent = push(six, context_of(service.url))

    assert all(sent.of(entry) == [NOT_SENT] for entry in six)
    assert set(service.paths()) == {"/transfers/push"}
