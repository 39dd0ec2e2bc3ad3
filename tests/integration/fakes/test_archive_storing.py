"""The scripted archive does what its script says of a C-STORE, and nothing else."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.datasets import data_set_bytes, write_instance, write_study
from tests.fakes import command_sets as wire
from tests.fakes.acts import (
    EMPTY_PDU,
    GARBAGE,
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
    Silence,
)
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive, Request
from tests.fakes.link import A_ABORT, Ended
from tests.fakes.script import Script, every, from_number
from tests.integration.fakes.conftest import Associate
from tests.peers.programs import program


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return write_instance(tmp_path, sop_instance_uid="2.25.1", size_bytes=100_000)


def test_everything_is_kept_byte_for_byte(archive: MakeArchive, tmp_path: Path) -> None:
    peer = archive()
    paths = write_study(tmp_path, instances=5, size_bytes=70_000)

    subprocess.run(
        [program("storescu", package="dcmtk"), "-aec", peer.ae_title, peer.host, str(peer.port), *paths],
        check=True,
        timeout=20,
    )

    assert sorted(holding.data_set for holding in peer.stored.values()) == sorted(map(data_set_bytes, paths))
    assert [code for _, code in peer.log.answers] == [0x0000] * 5
    assert peer.log.requests == peer.log.instances == list(peer.stored)
    peer.wait_until(lambda it: it.log.associations[0].ended == "released")
    assert peer.log.broken_rules == []


def test_status_codes_and_error_comments_are_those_of_the_script(
    archive: MakeArchive, associate: Associate, tmp_path: Path
) -> None:
    paths = write_study(tmp_path, instances=5)
    uids = [str(dcmread(path).SOPInstanceUID) for path in paths]
    refusal = Answer(0xA700, "Disk full")
    peer = archive(Script(on_store={uids[0]: refusal, 2: Answer(0xB000), 3: Answer(stores=False), 4: Answer(0x1234)}))
    association = associate(peer)

    answers = [association.send_c_store(dcmread(path)) for path in paths]

    assert [answer.Status for answer in answers] == [0xA700, 0xB000, 0x0000, 0x1234, 0x0000]
    assert answers[0].ErrorComment == "Disk full"
    assert list(peer.stored) == [uids[1], uids[4]]


def test_plans_can_be_for_every_nth_and_from_the_nth_on(
    archive: MakeArchive, request_of: Request, instance: Path
) -> None:
    thirds = archive(Script(on_store=every(3, Answer(0xC000))))
    late = archive(Script(on_store=from_number(3, Answer(0xC000))))

    def answered(peer: Archive) -> list[bool]:
        requestor = request_of(peer)
        requestor.associate()
        return [requestor.store(instance, f"2.25.{number}") == 0x0000 for number in range(1, 7)]

    assert answered(thirds) == [True, True, False, True, True, False]
    assert answered(late) == [True, True, False, False, False, False]


def test_an_instance_that_is_there_keeps_its_old_bytes(
    archive: MakeArchive, request_of: Request, tmp_path: Path, instance: Path
) -> None:
    old = write_instance(tmp_path, sop_instance_uid="2.25.1", noise=2, name="old")
    peer = archive()
    peer.hold(old)
    requestor = request_of(peer)
    requestor.associate()

    assert requestor.store(instance, "2.25.1") == 0x0000
    assert peer.stored["2.25.1"].data_set == data_set_bytes(old) != data_set_bytes(instance)


ENDINGS = [
    pytest.param(Close(), id="close"),
    pytest.param(Close(early=True), id="close-within-the-data-set"),
    pytest.param(Close(resets=True), id="reset"),
    pytest.param(HalfClose(), id="half-close"),
    pytest.param(Die(), id="die"),
    pytest.param(Raw(TRUNCATED_PDU, closes=True), id="truncated"),
]


@pytest.mark.parametrize("act", ENDINGS)
def test_the_connection_ends_without_an_answer(
    archive: MakeArchive, request_of: Request, instance: Path, act: Act
) -> None:
    peer = archive(Script(on_store={3: act}))
    requestor = request_of(peer)
    requestor.associate()
    codes = [requestor.store(instance, f"2.25.{number}") for number in (1, 2)]

    with pytest.raises(Ended):
        requestor.store(instance, "2.25.3")

    assert codes == [0x0000, 0x0000]
    assert peer.log.requests == ["2.25.1", "2.25.2", "2.25.3"]
    assert list(peer.stored) == ["2.25.1", "2.25.2"]


@pytest.mark.parametrize("early", [False, True], ids=["after", "within"])
def test_an_abort_comes_after_the_data_set_or_within_it(
    archive: MakeArchive, request_of: Request, instance: Path, early: bool
) -> None:
    peer = archive(Script(on_store={"2.25.1": Abort(source=2, reason=1, early=early)}))
    requestor = request_of(peer)
    requestor.associate()

    requestor.write_store(instance, "2.25.1", fragments=1 if early else None)

    assert requestor.link.read_pdu() == (A_ABORT, b"\0\0\2\1")
    assert len(peer.log.instances) == (0 if early else 1)


RUBBISH = [
    pytest.param(GARBAGE, id="a-web-server"),
    pytest.param(UNKNOWN_PDU, id="unknown-type"),
    pytest.param(EMPTY_PDU, id="empty"),
    pytest.param(HUGE_PDU, id="huge"),
    pytest.param(OVERLONG_ITEM, id="overlong-item"),
    pytest.param(NO_COMMAND_SET, id="no-command-set"),
]


@pytest.mark.parametrize("data", RUBBISH)
def test_rubbish_is_sent_as_it_is(archive: MakeArchive, request_of: Request, instance: Path, data: bytes) -> None:
    peer = archive(Script(on_store=Raw(data, closes=True)))
    requestor = request_of(peer)
    requestor.associate()
    requestor.write_store(instance, "2.25.1")

    assert requestor.link.read(len(data)) == data
    with pytest.raises(Ended):
        requestor.link.read(1)


def test_an_instance_can_be_kept_and_its_answer_lost(archive: MakeArchive, request_of: Request, instance: Path) -> None:
    peer = archive(Script(on_store=Close(stores=True)))
    requestor = request_of(peer)
    requestor.associate()

    with pytest.raises(Ended):
        requestor.store(instance, "2.25.1")

    assert list(peer.stored) == peer.log.instances == ["2.25.1"]
    assert peer.log.answers == []


def test_answers_can_be_of_something_else(archive: MakeArchive, request_of: Request, instance: Path) -> None:
    peer = archive(Script(on_store=Answer(None, message_id=999, sop_instance_uid="1.2.3", command_field=0x8030)))
    requestor = request_of(peer)
    requestor.associate()
    requestor.write_store(instance, "2.25.1")

    answer = requestor.read_answer()

    assert answer.number(wire.MESSAGE_ID_BEING_RESPONDED_TO) == 999
    assert answer.text(wire.AFFECTED_SOP_INSTANCE_UID) == "1.2.3"
    assert answer.number(wire.COMMAND_FIELD) == 0x8030
    assert wire.STATUS not in answer.elements


def test_an_answer_can_come_in_fragments_and_byte_by_byte(
    archive: MakeArchive, request_of: Request, instance: Path
) -> None:
    peer = archive(Script(on_store={1: Answer(0xB006, fragment_length=10), 2: Answer(0xB007, dribbles=True)}))
    requestor = request_of(peer)
    requestor.associate()

    assert [requestor.store(instance, uid) for uid in ("2.25.1", "2.25.2")] == [0xB006, 0xB007]


def test_an_early_answer_comes_before_the_data_set(archive: MakeArchive, request_of: Request, instance: Path) -> None:
    peer = archive(Script(on_store=Answer(0xA900, early=True)))
    requestor = request_of(peer)
    requestor.associate()

    requestor.write_store(instance, "2.25.1", fragments=0)

    assert requestor.read_answer().number(wire.STATUS) == 0xA900
    assert peer.log.requests == ["2.25.1"]
    assert peer.log.instances == []


def test_a_slow_answer_takes_its_time(archive: MakeArchive, request_of: Request, instance: Path) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.2)))
    requestor = request_of(peer)
    requestor.associate()
    begun = time.monotonic()

    assert requestor.store(instance, "2.25.1") == 0x0000
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize("act", [Silence(), Silence(early=True)], ids=["silence", "reads-nothing"])
def test_an_answer_that_never_comes_does_not_keep_the_archive_from_stopping(
    archive: MakeArchive, request_of: Request, instance: Path, act: Act
) -> None:
    peer = archive(Script(on_store=act))
    requestor = request_of(peer)
    requestor.associate()
    requestor.write_store(instance, "2.25.1", fragments=1)
    peer.wait_until(lambda it: it.log.requests == ["2.25.1"])
    begun = time.monotonic()

    peer.stop()

    assert time.monotonic() - begun < 0.5
    with pytest.raises(Ended):
        requestor.link.read_pdu()


def test_a_dead_archive_comes_back_on_its_port_with_what_it_had(
    archive: MakeArchive, request_of: Request, instance: Path
) -> None:
    peer = archive(Script(on_store={2: Die(returns_after_seconds=0.2)}))
    requestor = request_of(peer)
    requestor.associate()
    requestor.store(instance, "2.25.1")
    with pytest.raises(Ended):
        requestor.store(instance, "2.25.2")
    with pytest.raises(ConnectionRefusedError):
        request_of(peer)

    time.sleep(0.3)
    again = request_of(peer)
    again.associate()

    assert again.store(instance, "2.25.2") == 0x0000
    assert list(peer.stored) == ["2.25.1", "2.25.2"]
    assert len(peer.log.associations) == 2


def test_what_the_peer_does_against_the_rules_is_written_down(
    archive: MakeArchive, request_of: Request, instance: Path
) -> None:
    peer = archive()
    requestor = request_of(peer)
    requestor.associate()

    requestor.link.send(b"\x04\x00\x00\x00\x00\x07\x00\x00\x00\x03\x01\x00x")

    assert requestor.link.read_pdu()[0] == A_ABORT
    assert "odd length" in peer.log.broken_rules[0]
    assert "without its command set" in peer.log.broken_rules[1]
