"""What may go wrong before a push is committed: at the receiver, with a file, by a stop, or all of it at once."""

from __future__ import annotations

import hashlib
import os
import random
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation
from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.accelerator import Accelerator as Peer
from tests.fakes.accelerator_errors import Refused
from tests.fakes.accelerator_script import Step
from tests.fakes.fixtures import MakeAccelerator, MakeWeb
from tests.fakes.gateway import NoAnswer
from tests.fakes.web import Reply
from tests.integration.transfers.methods.pushing import context_of, held, push, push_threads, requests
from tests.peers.orthanc import Orthanc
from transfers.methods.accelerator import Accelerator
from transfers.methods.base import Checkpoint, ReconnectPolicy

SENT, ACKNOWLEDGED = EvidenceKind.SENT, EvidenceKind.ACKNOWLEDGED
NO_ANSWER, NOT_SENT = EvidenceKind.NO_ANSWER, EvidenceKind.NOT_SENT
DOWN = "http://127.0.0.1:1"


def test_an_evicted_transaction_is_begun_again(peer: Peer, six: list[ManifestEntry]) -> None:
    def evict(step: Step, number: int) -> None:
        if (step, number) == (Step.PUT, 1):
            peer.evict()

    peer.script.before = evict

    sent = push(six, context_of(peer))

    assert all(sent.of(entry) == [SENT, ACKNOWLEDGED] for entry in six)
    assert sent.names()[:3] == ["transaction_opened", "transaction_gone", "transaction_opened"]
    assert len(sent.checkpoints) == 2
    assert held(peer, six) == 6


def test_a_restart_before_the_commit_begins_all_again(peer: Peer, six: list[ManifestEntry]) -> None:
    def restart(step: Step, number: int) -> None:
        if (step, number) == (Step.COMMIT, 1):
            peer.restart()

    peer.script.before = restart

    sent = push(six, context_of(peer))

    assert all(sent.of(entry) == [SENT, NO_ANSWER, SENT, ACKNOWLEDGED] for entry in six)
    assert held(peer, six) == 6


def test_a_receiver_that_forgets_again_and_again_is_given_up(peer: Peer, six: list[ManifestEntry]) -> None:
    peer.script.before = lambda step, _: peer.restart() if step is Step.PUT else None

    sent = push(six, context_of(peer, policy=ReconnectPolicy(attempts=3, first_wait_seconds=0.01)))

    assert all(sent.of(entry) == [NOT_SENT] for entry in six)
    assert sent.last(six[0]).detail["code"] == "resource_not_found"
    assert requests(peer).count("POST") == 3
    assert held(peer, six) == 0


@pytest.mark.parametrize("step", [Step.CREATE, Step.PUT])
def test_what_failed_before_the_commit_is_tried_again(peer: Peer, six: list[ManifestEntry], step: Step) -> None:
    peer.script.failing = {step: [500]}

    sent = push(six, context_of(peer))

    assert all(sent.of(entry) == [SENT, ACKNOWLEDGED] for entry in six)
    assert held(peer, six) == 6


@pytest.mark.parametrize(
    ("step", "statuses", "last"),
    [(Step.PUT, [500] * 9, "DELETE"), (Step.PUT, [400], "DELETE"), (Step.CREATE, [500] * 9, "POST")],
)
def test_what_fails_for_good_before_the_commit_was_not_sent(
    peer: Peer, six: list[ManifestEntry], step: Step, statuses: list[int], last: str
) -> None:
    peer.script.failing = {step: statuses}

    sent = push(six, context_of(peer, policy=ReconnectPolicy(first_wait_seconds=0.01)))

    assert all(sent.of(entry) == [NOT_SENT] for entry in six)
    assert requests(peer)[-1] == last
    assert peer.open_transactions == []
    assert held(peer, six) == 0


def test_where_the_discard_is_not_answered_nothing_is_known(peer: Peer, six: list[ManifestEntry]) -> None:
    peer.script.failing = {Step.PUT: [400], Step.DISCARD: [500]}

    sent = push(six, context_of(peer))

    assert all(sent.of(entry) == [NO_ANSWER] for entry in six)


def test_a_destination_that_is_down_was_sent_nothing(six: list[ManifestEntry]) -> None:
    sent = push(six, context_of(DOWN, policy=ReconnectPolicy(attempts=2, first_wait_seconds=0.01)))

    assert all(sent.of(entry) == [NOT_SENT] for entry in six)
    assert sent.last(six[0]).detail["code"] == "service_unreachable"


# Files that are not what they were


def test_a_file_that_is_gone_is_left_out(peer: Peer, six: list[ManifestEntry]) -> None:
    Path(six[2].path).unlink()

    sent = push(six, context_of(peer))

    assert sent.of(six[2]) == [NOT_SENT]
    assert sent.last(six[2]).detail["code"] == "source_file_unreadable"
    assert held(peer, six) == 5


@pytest.mark.parametrize("keeps_its_time", [False, True], ids=["noticed-by-time", "noticed-by-digest"])
def test_a_file_that_changes_while_it_is_sent_is_left_out_before_the_commit(
    peer: Peer, six: list[ManifestEntry], keeps_its_time: bool
) -> None:
    def change(step: Step, number: int) -> None:
        if (step, number) == (Step.CREATE, 1):
            path = Path(six[3].path)
            content = bytearray(path.read_bytes())
            content[-1] ^= 0xFF
            path.write_bytes(content)
            if keeps_its_time:
                os.utime(path, ns=(six[3].modified_ns, six[3].modified_ns))

    peer.script.before = change

    sent = push(six, context_of(peer))

    assert sent.of(six[3]) == [NOT_SENT]
    assert sent.last(six[3]).detail["code"] == "source_file_changed"
    assert [sent.of(entry)[-1] for entry in six].count(ACKNOWLEDGED) == 5
    assert held(peer, six) == 5
    assert requests(peer).count("POST commit") == 1


def test_an_announced_digest_is_held_against_what_is_sent(peer: Peer, six: list[ManifestEntry]) -> None:
    told = replace(six[0], file_md5="0" * 32)

    sent = push([told, *six[1:]], context_of(peer))

    assert sent.of(told) == [NOT_SENT]
    assert held(peer, six) == 5


def test_what_a_source_told_is_announced_as_it_told_it(peer: Peer, six: list[ManifestEntry]) -> None:
    told = [
        replace(
            entry,
            source_id="-".join([f"{number:08x}"] * 5),
            file_md5=hashlib.md5(Path(entry.path).read_bytes(), usedforsecurity=False).hexdigest(),
        )
        for number, entry in enumerate(six)
    ]
    announced: dict[str, str] = {}

    def look(step: Step, _: int) -> None:
        if step is Step.COMMIT:
            (transaction,) = peer.receiving._transactions.values()
            announced.update({key: each.md5 for key, each in transaction.instances.items()})

    peer.script.before = look

    sent = push(told, context_of(peer))

    assert announced == {entry.source_id: entry.file_md5 for entry in told}
    assert all(sent.of(entry) == [SENT, ACKNOWLEDGED] for entry in told)


# Stops


@pytest.mark.parametrize(
    ("step", "expected"),
    [(Step.CREATE, NOT_SENT), (Step.PUT, NOT_SENT), (Step.COMMIT, ACKNOWLEDGED)],
)
def test_a_stop_discards_what_is_not_committed(
    peer: Peer, six: list[ManifestEntry], step: Step, expected: EvidenceKind
) -> None:
    stop = Event()

    def stop_it(seen: Step, number: int) -> None:
        if seen is step:
            stop.set()
            if step is not Step.COMMIT:
                time.sleep(0.2)

    peer.script.before = stop_it
    sent = push(six, context_of(peer, stop=stop))

    assert all(sent.of(entry)[-1] is expected for entry in six)
    assert step is not Step.PUT or requests(peer)[-1] == "DELETE"
    assert held(peer, six) == (6 if step is Step.COMMIT else 0)


def test_a_stop_does_not_wait_for_a_slow_commit(peer: Peer, six: list[ManifestEntry]) -> None:
    stop, end = Event(), Event()

    def stop_and_wait(step: Step, _: int) -> None:
        if step is Step.COMMIT:
            stop.set()
            end.wait(10)

    peer.script.before = stop_and_wait
    started = time.monotonic()

    sent = push(six, context_of(peer, stop=stop))

    assert time.monotonic() - started < 4
    end.set()
    assert all(sent.of(entry) == [SENT, NO_ANSWER] for entry in six)
    assert sent.last(six[0]).detail["code"] == "stopped"


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_commit_may_go_on_until_a_discard_is_answered(
    peer: Peer, six: list[ManifestEntry], is_answered: bool
) -> None:
    peer.script.failing = {Step.COMMIT: [500], Step.DISCARD: [] if is_answered else [500]}
    once = ReconnectPolicy(attempts=1)

    sent = push(six, context_of(peer, policy=once))

    left = [each for each in sent.checkpoints if each.outlives_send]
    assert bool(left) is not is_answered
    peer.script.failing = {Step.DISCARD: [503]}
    context = context_of(peer, policy=once, checkpoints=left)
    assert Accelerator().under_way(context) == {entry.sop_instance_uid for entry in six if left}
    assert Accelerator().under_way(context) == set()  # it answers, or has forgotten the transaction


@pytest.mark.parametrize("is_orthanc", [True, False])
def test_a_404_of_what_stands_before_a_receiver_does_not_end_a_commit(web: MakeWeb, is_orthanc: bool) -> None:
    left = Checkpoint("transaction", {"path": "/transfers/push/1", "sop_instance_uids": ["2.25.1"]})
    version = Reply(body=b'{"Version": "1.12.4"}', content_type="application/json")
    service = web(lambda asked: version if is_orthanc and asked.path == "/system" else Reply(404))

    under_way = Accelerator().under_way(context_of(service.url, checkpoints=[left]))

    assert under_way == (set() if is_orthanc else {"2.25.1"})


def test_closing_it_ends_the_threads_and_discards(peer: Peer, six: list[ManifestEntry]) -> None:
    reached, end = Event(), Event()

    def wait(step: Step, _: int) -> None:
        if step is Step.PUT:
            reached.set()
            end.wait(10)

    peer.script.before = wait

    with closing(Accelerator().send(six, context_of(peer))) as seen:
        while not reached.is_set():
            assert not isinstance(next(seen), Observation)
        end.set()

    assert not push_threads()
    assert peer.open_transactions == []
    assert held(peer, six) == 0


def test_what_an_earlier_process_left_is_discarded_first(peer: Peer, six: list[ManifestEntry]) -> None:
    generator = Accelerator().send(six, context_of(peer))
    left = next(each for each in generator if isinstance(each, Checkpoint))
    peer.script.lost_answers = {Step.DISCARD: 1}
    peer.script.failing = {Step.DISCARD: [500]}
    generator.close()
    assert len(peer.open_transactions) == 1
    assert left.handle["sop_instance_uids"] == [entry.sop_instance_uid for entry in six]

    sent = push(six, context_of(peer, checkpoints=[left, Checkpoint("job", {"id": "other"})]))

    assert all(sent.of(entry) == [SENT, ACKNOWLEDGED] for entry in six)
    assert peer.receiving.largest_number == 1
    assert peer.open_transactions == []


# Everything at once

ACTS = ("drop", "400", "404", "500", "503", "restart", "evict", "stop", "wait")


def at_random(peer: Peer, stop: Event, chance: random.Random) -> None:
    """Have something go wrong at some steps."""
    rate = chance.choice([0.05, 0.2, 0.5])

    def act(step: Step, _: int) -> None:
        what = chance.choice(ACTS) if chance.random() < rate else ""
        if what == "drop":
            raise NoAnswer
        if what.isdigit():
            raise Refused(int(what), 1)
        if what == "wait":
            time.sleep(0.02)
        elif what == "stop" and chance.random() < 0.2:
            stop.set()
        elif what in {"restart", "evict"} and step is not Step.STORE and peer.open_transactions:
            peer.restart() if what == "restart" else peer.evict()

    peer.script.before = act
    if chance.random() < 0.3:
        peer.script.lost_answers = {chance.choice(list(Step)): chance.randint(1, 2)}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_goes_wrong_what_is_said_is_true(
    orthanc: Orthanc, accelerator: MakeAccelerator, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    size = chance.choice([500, 3000, 1_500_000])
    entries = entries_of(write_study(tmp_path, chance.randint(1, 7), 2, size_bytes=size))
    peer, stop = accelerator(orthanc), Event()
    at_random(peer, stop, chance)
    policy = ReconnectPolicy(first_wait_seconds=0.005, maximum_wait_seconds=0.02)
    options = {"compression": chance.choice(["none", "gzip"])}

    sent = push(entries, context_of(peer, policy=policy, stop=stop, options=options))

    there = orthanc.instances()
    for entry in entries:
        seen = [each for each in sent.observations if each.sop_instance_uid == entry.sop_instance_uid]
        (last,) = [each for each in seen if each.kind is not SENT and not each.detail.get("will_be_sent_again")]
        assert last is seen[-1]
        assert last.kind is not ACKNOWLEDGED or entry.sop_instance_uid in there
        assert last.kind is not NOT_SENT or entry.sop_instance_uid not in there
