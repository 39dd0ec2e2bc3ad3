"""A send that is stopped, or no longer listened to, ends within seconds and leaves no thread and no connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from tests.datasets import write_instance
from tests.entries import entry_of
from tests.fakes.acts import Answer, Reject, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.methods.sending import PATIENT, POLICY, send, sender_threads
from transfers.methods import journal
from transfers.methods.base import ReconnectPolicy, SendContext
from transfers.methods.c_store import CStore

ACKNOWLEDGED = [EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED]


@contextmanager
def stopped_after(seconds: float) -> Iterator[Event]:
    stop = Event()
    timer = Timer(seconds, stop.set)
    timer.start()
    yield stop
    timer.join()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def ends_of(peer: Archive) -> list[str]:
    peer.wait_until(lambda peer: all(record.ended for record in peer.log.associations))
    return [record.ended for record in peer.log.associations]


def test_a_stopped_send_takes_the_answers_under_way_and_begins_nothing_new(
    archive: MakeArchive, entries: list[ManifestEntry]
) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.4)))

    with stopped_after(0.2) as stop, within(2):
        sent = send(peer, entries, stop=stop)

    assert sent.of(entries[0]) == ACKNOWLEDGED
    assert [sent.of(entry) for entry in entries[1:]] == [[EvidenceKind.NOT_SENT]] * 4
    assert sent.last(entries[4]).detail["code"] == "stopped"
    assert ends_of(peer) == ["released"]


def test_a_stopped_send_does_not_wait_long_for_an_answer(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(on_store=Silence()))

    with stopped_after(0.1) as stop, within(4):
        sent = send(peer, entries, stop=stop)

    assert sent.of(entries[0]) == [EvidenceKind.SENT, EvidenceKind.NO_ANSWER]
    assert [sent.of(entry) for entry in entries[1:]] == [[EvidenceKind.NOT_SENT]] * 4
    assert ends_of(peer) != ["released"]


def test_a_stop_breaks_off_an_instance_that_is_being_written(archive: MakeArchive, tmp_path: Path) -> None:
    large = entry_of(write_instance(tmp_path, size_bytes=60_000_000))
    peer = archive(Script(on_store=Silence(early=True)))

    with stopped_after(0.1) as stop, within(4):
        sent = send(peer, [large], stop=stop)

    assert sent.of(large) == [EvidenceKind.NOT_SENT]
    assert sent.last(large).detail["code"] == "stopped"
    assert peer.log.instances == []


@pytest.mark.parametrize(
    "script", [Script(on_association=Silence()), Script(on_association=Reject(2, 3, 1))], ids=["silence", "rejections"]
)
def test_a_stop_ends_the_waiting_for_an_association(
    archive: MakeArchive, entries: list[ManifestEntry], script: Script
) -> None:
    policy = ReconnectPolicy(attempts=99, first_wait_seconds=30)

    with stopped_after(0.1) as stop, within(4):
        sent = send(archive(script), entries, stop=stop, policy=policy)

    assert [sent.of(entry) for entry in entries] == [[EvidenceKind.NOT_SENT]] * 5
    assert sent.last(entries[0]).detail["code"] == "stopped"


def test_nothing_is_sent_where_it_was_stopped_before(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    stop = Event()
    stop.set()
    peer = archive()

    sent = send(peer, entries, stop=stop)

    for entry in entries:
        assert sent.of(entry) in ([EvidenceKind.NOT_SENT], ACKNOWLEDGED)


@pytest.mark.parametrize(
    "script", [Script(on_store={3: Silence()}), Script(on_association=Silence())], ids=["send", "open"]
)
def test_whoever_no_longer_listens_ends_the_threads_and_the_associations(
    archive: MakeArchive, entries: list[ManifestEntry], script: Script
) -> None:
    peer = archive(script)
    sending = CStore().send(entries, SendContext(peer.endpoint(associations=2, timeouts=PATIENT), POLICY))
    with within(2):
        for _ in range(4):
            next(sending)

        sending.close()

    assert sender_threads() == []
    assert all(ends_of(peer))


def test_a_reader_that_falls_behind_is_waited_for(
    archive: MakeArchive, entries: list[ManifestEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_UNREAD", 4)
    peer = archive()
    sending = CStore().send(entries, SendContext(peer.endpoint()))
    next(sending)
    time.sleep(0.3)

    assert len(peer.log.instances) == 2
    with within(2):
        sending.close()
    assert sender_threads() == []


def test_what_was_seen_is_handed_on_while_nothing_happens(archive: MakeArchive, entries: list[ManifestEntry]) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=1)))
    sending = CStore().send(entries, SendContext(peer.endpoint()))

    with within(0.9):
        seen = [next(sending) for _ in range(8)]

    assert None in seen
    sending.close()


def test_an_empty_send_ends_at_once(archive: MakeArchive) -> None:
    assert list(CStore().send([], SendContext(archive().endpoint()))) == []
