"""Whatever the destination does, every instance is accounted for, and what was answered is not sent again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.acts import (
    EMPTY_PDU,
    HUGE_PDU,
    NO_COMMAND_SET,
    OVERLONG_ITEM,
    TRUNCATED_PDU,
    UNKNOWN_PDU,
    Abort,
    Act,
    Answer,
    Close,
    Die,
    HalfClose,
    Raw,
    Reject,
    Silence,
)
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script, StoreRequest, from_number
from tests.integration.transfers.methods.sending import SOON, send
from transfers.endpoints import DicomEndpoint
from transfers.methods.base import ReconnectPolicy
from transfers.methods.store_queue import StoreQueue
from transfers.methods.task import SendTask
from transfers.wire.association import Association

ACKNOWLEDGED = [EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED]
LOST_THEN_ACKNOWLEDGED = [EvidenceKind.SENT, EvidenceKind.NO_ANSWER, *ACKNOWLEDGED]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x0000, EvidenceKind.ACKNOWLEDGED),
        (0xB000, EvidenceKind.ACKNOWLEDGED),
        (0xB007, EvidenceKind.ACKNOWLEDGED),
        (0xA700, EvidenceKind.REFUSED),
        (0xC001, EvidenceKind.REFUSED),
        (0x0124, EvidenceKind.REFUSED),
        (0x0111, EvidenceKind.ANSWER_UNCLEAR),
        (0x9999, EvidenceKind.ANSWER_UNCLEAR),
        (0xFF00, EvidenceKind.ANSWER_UNCLEAR),
    ],
)
def test_a_status_is_kept_with_its_code(
    archive: MakeArchive, entries: list[ManifestEntry], code: int, kind: EvidenceKind
) -> None:
    second = entries[1]
    peer = archive(Script(on_store={second.sop_instance_uid: Answer(code)}))

    sent = send(peer, entries)

    assert sent.of(second) == [EvidenceKind.SENT, kind]
    assert sent.last(second).detail["status_code"] == f"0x{code:04X}"
    assert [sent.of(entry) for entry in entries if entry is not second] == [ACKNOWLEDGED] * 4


def test_an_error_comment_is_kept_clean(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(on_store=Answer(0xA700, error_comment="disk \x1b[1mfull\n")))

    sent = send(peer, entries)

    assert {seen.detail["error_comment"] for seen in sent.observations if seen.kind is EvidenceKind.REFUSED} == {
        "disk [1mfull"
    }


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (Abort(), "association_aborted"),
        (Abort(source=2, reason=6), "association_aborted"),
        (Abort(stores=True), "association_aborted"),
        (Close(), "association_lost"),
        (Close(stores=True), "association_lost"),
        (Close(resets=True), "association_lost"),
        (HalfClose(), "association_lost"),
        (Raw(), "malformed_pdu"),
        (Raw(HUGE_PDU), "malformed_pdu"),
        (Raw(UNKNOWN_PDU), "malformed_pdu"),
        (Raw(OVERLONG_ITEM), "malformed_pdu"),
        (Raw(NO_COMMAND_SET), "malformed_pdu"),
        (Raw(TRUNCATED_PDU, closes=True), "association_lost"),
        (Answer(message_id=4711), "unexpected_answer"),
        (Answer(sop_instance_uid="1.2.3"), "unexpected_answer"),
        (Answer(command_field=0x8020), "unexpected_answer"),
        (Answer(status_code=None), "malformed_pdu"),
    ],
    ids=repr,
)
def test_an_association_that_fails_is_opened_again_and_goes_on(
    archive: MakeArchive, entries: list[ManifestEntry], act: Act, code: str
) -> None:
    peer = archive(Script(on_store={2: act}))

    sent = send(peer, entries)

    assert sent.of(entries[1]) == LOST_THEN_ACKNOWLEDGED
    assert [sent.of(entry) for entry in entries if entry is not entries[1]] == [ACKNOWLEDGED] * 4
    assert sent.names() == ["association_opened", "association_lost", "association_opened", "association_released"]
    assert sent.codes() == [code]
    assert len(peer.log.instances) == 6
    assert set(peer.stored) == {entry.sop_instance_uid for entry in entries}


@pytest.mark.parametrize("act", [Silence(), Raw(EMPTY_PDU), Answer(dribbles=True, delay_seconds=2)], ids=repr)
def test_an_answer_that_does_not_come_in_time_costs_the_association(
    archive: MakeArchive, entries: list[ManifestEntry], act: Act
) -> None:
    peer = archive(Script(on_store={2: act}))

    sent = send(peer, entries, timeouts=SOON)

    assert sent.of(entries[1]) == LOST_THEN_ACKNOWLEDGED
    assert sent.codes() == ["answer_timed_out"]


@pytest.mark.parametrize("act", [Abort(early=True), Close(early=True), Close(early=True, resets=True)], ids=repr)
def test_an_association_lost_while_an_instance_is_written_is_opened_again(
    archive: MakeArchive, entries: list[ManifestEntry], act: Act
) -> None:
    peer = archive(Script(on_store={2: act}))

    sent = send(peer, entries)

    assert sent.of(entries[1])[-3:] == [EvidenceKind.NO_ANSWER, *ACKNOWLEDGED]
    assert [sent.of(entry) for entry in entries if entry is not entries[1]] == [ACKNOWLEDGED] * 4


def test_an_answer_in_small_pieces_is_an_answer(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    acts: dict[int | str, Act] = {1: Answer(fragment_length=10), 2: Answer(dribbles=True), 3: Answer(early=True)}
    peer = archive(Script(on_store=acts))

    sent = send(peer, entries)

    assert [sent.of(entry) for entry in entries] == [ACKNOWLEDGED] * 5
    assert sent.names() == ["association_opened", "association_released"]


def test_an_instance_that_costs_two_associations_is_set_aside(
    archive: MakeArchive, entries: list[ManifestEntry]
) -> None:
    poison = entries[2]
    peer = archive(Script(on_store={poison.sop_instance_uid: Abort()}))

    sent = send(peer, entries)

    assert sent.of(poison) == [EvidenceKind.SENT, EvidenceKind.NO_ANSWER] * 2
    assert sent.last(poison).detail["will_be_sent_again"] is False
    assert [sent.of(entry) for entry in entries if entry is not poison] == [ACKNOWLEDGED] * 4
    assert sent.names().count("association_opened") == 2


@pytest.mark.parametrize(
    ("reject", "code", "tries"),
    [
        (Reject(1, 1, 1), "association_rejected", 1),
        (Reject(1, 1, 3), "association_rejected", 1),
        (Reject(1, 1, 7), "association_rejected", 1),
        (Reject(1, 2, 2), "association_rejected", 1),
        (Reject(2, 3, 1), "association_rejected_for_now", 3),
        (Reject(2, 3, 2), "association_rejected_for_now", 3),
    ],
    ids=repr,
)
def test_a_rejection_is_tried_again_only_if_it_may_pass(
    archive: MakeArchive, entries: list[ManifestEntry], reject: Reject, code: str, tries: int
) -> None:
    peer = archive(Script(on_association=reject))

    sent = send(peer, entries, associations=4, policy=ReconnectPolicy(attempts=3, first_wait_seconds=0.01))

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 5
    assert {sent.last(entry).detail["code"] for entry in entries} == {code}
    assert sent.names() == ["association_rejected"] * tries
    assert peer.log.requests == []


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (Abort(), "association_aborted"),
        (Close(), "association_lost"),
        (Silence(), "association_timed_out"),
        (Raw(), "malformed_pdu"),
        (Raw(UNKNOWN_PDU), "malformed_pdu"),
    ],
    ids=repr,
)
def test_an_association_request_without_a_proper_answer_sends_nothing(
    archive: MakeArchive, entries: list[ManifestEntry], act: Act, code: str
) -> None:
    peer = archive(Script(on_association=act))

    sent = send(peer, entries, timeouts=SOON, policy=ReconnectPolicy(attempts=2, first_wait_seconds=0.01))

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 5
    assert sent.codes() == [code] * 2


def test_a_destination_that_nobody_serves_is_said_to_be_so(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive()
    peer.die()

    sent = send(peer, entries, policy=ReconnectPolicy(attempts=2, first_wait_seconds=0.01))

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 5
    assert sent.last(entries[0]).detail["code"] == "connection_failed"
    assert "Connection refused" in sent.last(entries[0]).detail["reason"]


def test_a_host_that_nobody_knows_is_not_tried_again(entries: list[ManifestEntry]) -> None:
    sent = send(DicomEndpoint("no\x00host", 104, "A", "B"), entries)

    assert sent.codes() == ["address_unknown"]


def test_an_archive_that_restarts_is_waited_for(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(on_store={3: Die(returns_after_seconds=0.2)}))

    sent = send(peer, entries, policy=ReconnectPolicy(first_wait_seconds=0.05))

    assert sent.of(entries[2]) == LOST_THEN_ACKNOWLEDGED
    assert sent.names()[-2:] == ["association_opened", "association_released"]
    assert "connection_failed" in sent.codes()


def test_an_archive_that_does_not_come_back_leaves_the_rest_not_sent(
    archive: MakeArchive, entries: list[ManifestEntry]
) -> None:
    peer = archive(Script(on_store={3: Die()}))

    sent = send(peer, entries, policy=ReconnectPolicy(attempts=2, first_wait_seconds=0.01))

    assert [sent.of(entry)[-1] for entry in entries] == [
        *[EvidenceKind.ACKNOWLEDGED] * 2,
        EvidenceKind.NO_ANSWER,
        *[EvidenceKind.NOT_SENT] * 2,
    ]
    assert sent.last(entries[2]).detail["will_be_sent_again"] is False
    assert sent.last(entries[3]).detail["code"] == "connection_failed"


def test_nothing_goes_where_no_context_is_accepted(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(sop_classes=[]))

    sent = send(peer, entries)

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 5
    assert sent.last(entries[0]).detail["code"] == "no_presentation_context"
    assert "CT Image Storage in Explicit VR Little Endian is not accepted" in sent.last(entries[0]).detail["reason"]
    assert peer.log.requests == []


def test_a_context_for_another_transfer_syntax_is_not_used(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(transfer_syntaxes=["1.2.840.10008.1.2"]))

    sent = send(peer, entries)

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 5
    assert peer.log.requests == []


@pytest.mark.parametrize("act", [Silence(), Abort(), Close(), Raw()], ids=repr)
def test_a_release_that_fails_is_no_error(archive: MakeArchive, entries: list[ManifestEntry], act: Act) -> None:
    peer = archive(Script(on_release=act))

    sent = send(peer, entries, timeouts=SOON)

    assert [sent.of(entry) for entry in entries] == [ACKNOWLEDGED] * 5
    assert sent.names() == ["association_opened", "association_released"]


@pytest.mark.parametrize(
    "beyond", [None, Reject(2, 3, 2), Reject(1, 1, 1)], ids=["not answered", "for now", "for good"]
)
def test_extra_associations_that_are_not_served_cost_nothing(
    archive: MakeArchive, entries: list[ManifestEntry], beyond: Reject | None
) -> None:
    slowly = Script(on_store=Answer(delay_seconds=0.1), associations_at_once=1, beyond=beyond)
    peer = archive(slowly)
    started = time.monotonic()

    sent = send(peer, entries, associations=4)

    assert time.monotonic() - started < 3
    assert [sent.of(entry) for entry in entries] == [ACKNOWLEDGED] * 5
    assert len(peer.log.associations) > 1
    assert sent.names().count("association_opened") == 1
    assert all(seen.detail["extra"] for seen in sent.occurrences if seen.name == "association_rejected")


def test_work_is_shared_by_the_associations_that_are_served(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.3)))

    sent = send(peer, entries, associations=4)

    assert [sent.of(entry) for entry in entries] == [ACKNOWLEDGED] * 5
    assert sum(record.stores > 0 for record in peer.log.associations) > 1
    assert len(peer.log.instances) == 5


def aborts_each(count: int) -> Callable[..., Act | None]:
    return lambda request: Abort() if request.number % count == 0 else None


def test_several_associations_that_keep_failing_lose_and_repeat_nothing(
    archive: MakeArchive, entries: list[ManifestEntry]
) -> None:
    peer = archive(Script(on_store=aborts_each(3)))

    sent = send(peer, entries, associations=3, policy=ReconnectPolicy(first_wait_seconds=0.01, losses_per_instance=9))

    assert {sent.last(entry).kind for entry in entries} == {EvidenceKind.ACKNOWLEDGED}
    answered = [uid for uid, _ in peer.log.answers]
    assert sorted(answered) == sorted(entry.sop_instance_uid for entry in entries)


def test_a_peer_that_always_aborts_is_given_up(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(on_store=from_number(1, Abort())))

    sent = send(peer, entries)

    assert EvidenceKind.ACKNOWLEDGED not in {seen.kind for seen in sent.observations}
    assert sent.names().count("association_opened") == 5
    assert {sent.last(entry).kind for entry in entries} <= {EvidenceKind.NO_ANSWER, EvidenceKind.NOT_SENT}


def test_associations_that_are_lost_all_at_once_do_not_end_the_send(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, 30, size_bytes=64))
    all_under_way = Barrier(5)

    def abort_the_first_five(request: StoreRequest) -> Act | None:
        if request.number > 5:
            return None
        all_under_way.wait(10)
        return Abort()

    peer = archive(Script(on_store=abort_the_first_five))

    sent = send(peer, entries, associations=5, policy=ReconnectPolicy(first_wait_seconds=0.3))

    assert Counter(sent.last(entry).kind for entry in entries) == {EvidenceKind.ACKNOWLEDGED: 30}
    lost_at = max(seen.at for seen in sent.occurrences if seen.name == "association_lost")
    opened_at = min(seen.at for seen in sent.occurrences if seen.name == "association_opened" and seen.at > lost_at)
    assert (opened_at - lost_at).total_seconds() >= 0.29


def test_an_extra_association_that_opens_too_late_leaves_what_comes_back_to_the_others(
    archive: MakeArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = entries_of(write_study(tmp_path, 3, size_bytes=64))
    is_put_back = Event()
    open_association, put_last = Association.open, StoreQueue.put_last

    def open_slowly(*arguments: Any) -> Association:
        association = open_association(*arguments)
        if len(peer.log.associations) == 2:
            is_put_back.wait(5)
        return association

    def put_back(queue: StoreQueue, task: SendTask) -> None:
        put_last(queue, task)
        is_put_back.set()
        time.sleep(0.3)  # time for the other sender to take it

    peer = archive(Script(on_store=lambda request: Abort() if request.number == 3 else Answer(delay_seconds=0.2)))
    monkeypatch.setattr(Association, "open", open_slowly)
    monkeypatch.setattr(StoreQueue, "put_last", put_back)

    sent = send(peer, entries, associations=2)

    assert [sent.last(entry).kind for entry in entries] == [EvidenceKind.ACKNOWLEDGED] * 3
    assert EvidenceKind.NOT_SENT not in {seen.kind for seen in sent.observations}
