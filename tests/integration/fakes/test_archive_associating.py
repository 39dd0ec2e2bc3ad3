"""The scripted archive does what its script says when an association is asked for."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from tests.certificates import CertificateAuthority
from tests.datasets import write_instance
from tests.fakes.acts import GARBAGE, Abort, Answer, Close, Raw, Reject, Silence
from tests.fakes.fixtures import MakeArchive, Request
from tests.fakes.link import A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_RELEASE_RP, Ended
from tests.fakes.script import Script
from tests.integration.fakes.conftest import Associate
from tests.peers.programs import program


def test_c_echo_is_answered_as_the_script_says(archive: MakeArchive, associate: Associate) -> None:
    peer = archive(Script(on_echo={2: Answer(0x0122)}))
    association = associate(peer)

    codes = [association.send_c_echo().Status for _ in range(3)]

    assert codes == [0x0000, 0x0122, 0x0000]
    assert peer.log.echoes == 3


@pytest.mark.parametrize(("result", "source", "reason"), [(1, 1, 7), (2, 3, 2)], ids=["permanent", "transient"])
def test_an_association_is_rejected(
    archive: MakeArchive, request_of: Request, result: int, source: int, reason: int
) -> None:
    peer = archive(Script(on_association=Reject(result, source, reason)))
    requestor = request_of(peer)
    requestor.link.send(requestor.associate_pdu())

    assert requestor.link.read_pdu() == (A_ASSOCIATE_RJ, bytes((0, result, source, reason)))
    assert peer.log.associations[0].calling_ae_title == "REQUESTOR"


def test_contexts_are_accepted_as_the_script_says(archive: MakeArchive, request_of: Request) -> None:
    both = (CTImageStorage, MRImageStorage)
    some = request_of(archive(Script(without_sop_classes=[CTImageStorage])), *both)
    none = request_of(archive(Script(sop_classes=[])), *both)
    others = request_of(archive(Script(transfer_syntaxes=["1.2.840.10008.1.2"])), *both)

    assert some.associate() == {1: 3, 3: 0}
    assert none.associate() == {1: 3, 3: 3}
    assert others.associate() == {1: 4, 3: 4}


def test_what_was_proposed_is_written_down(archive: MakeArchive, request_of: Request) -> None:
    peer = archive()
    request_of(peer).associate()

    proposal = peer.log.associations[0].proposals[0]

    assert proposal.abstract_syntax == CTImageStorage
    assert proposal.transfer_syntaxes == (ExplicitVRLittleEndian,)
    assert proposal.accepted == ExplicitVRLittleEndian


@pytest.mark.parametrize("act", [Close(), Close(resets=True), Raw(GARBAGE, closes=True)], ids=["close", "reset", "raw"])
@pytest.mark.parametrize("moment", ["on_connection", "on_association"])
def test_nothing_comes_of_the_association(
    archive: MakeArchive, request_of: Request, act: Close | Raw, moment: str
) -> None:
    script = Script()
    setattr(script, moment, act)
    peer = archive(script)

    # A reset may come before connecting has returned.
    with pytest.raises((Ended, AssertionError, ValueError, ConnectionResetError)):
        request_of(peer).associate()


def test_an_association_can_be_aborted_at_once(archive: MakeArchive, request_of: Request) -> None:
    requestor = request_of(archive(Script(on_association=Abort())))
    requestor.link.send(requestor.associate_pdu())

    assert requestor.link.read_pdu()[0] == A_ABORT


def test_a_release_can_remain_unanswered(archive: MakeArchive, request_of: Request) -> None:
    polite, rude = request_of(archive()), request_of(archive(Script(on_release=Close())))
    for requestor in (polite, rude):
        requestor.associate()
        requestor.ask_for_release()

    assert polite.link.read_pdu()[0] == A_RELEASE_RP
    with pytest.raises(Ended):
        rude.link.read_pdu()


def test_associations_over_the_limit_wait_for_one_to_end(archive: MakeArchive, request_of: Request) -> None:
    peer = archive(Script(associations_at_once=1))
    first, second = request_of(peer), request_of(peer)
    first.associate()
    second.link.send(second.associate_pdu())
    time.sleep(0.1)
    assert not second.link.has_input()

    first.link.close()

    assert second.link.read_pdu()[0] == A_ASSOCIATE_AC
    assert peer.turns.most_at_once == 1


def test_associations_over_the_limit_are_rejected(archive: MakeArchive, request_of: Request) -> None:
    peer = archive(Script(associations_at_once=1, beyond=Reject(2, 3, 2)))
    first, second = request_of(peer), request_of(peer)
    first.associate()
    second.link.send(second.associate_pdu())

    assert second.link.read_pdu() == (A_ASSOCIATE_RJ, b"\0\2\3\2")


def test_it_starts_and_stops_at_once_and_leaves_no_thread(archive: MakeArchive, request_of: Request) -> None:
    before, begun = threading.active_count(), time.monotonic()
    peer = archive(Script(associations_at_once=1, on_release=Silence()))
    waiting = [request_of(peer) for _ in range(3)]
    for requestor in waiting:
        requestor.link.send(requestor.associate_pdu())

    peer.stop()

    assert time.monotonic() - begun < 0.5
    assert threading.active_count() == before


def test_it_speaks_tls(archive: MakeArchive, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    peer = archive(tls=authority.server_context(authority.issue("server"), asks_for_certificate=True))
    client, address = authority.issue("client"), [peer.host, str(peer.port)]
    echoscu = [program("echoscu", package="dcmtk"), "+cf", str(authority.certificate)]

    known = subprocess.run([*echoscu, "+tls", client.key, client.certificate, *address], check=False, timeout=20)
    unknown = subprocess.run([*echoscu, "+tla", *address], check=False, timeout=20)

    assert known.returncode == 0
    assert unknown.returncode != 0
    assert peer.log.echoes == 1


def test_several_associations_store_side_by_side(archive: MakeArchive, request_of: Request, tmp_path: Path) -> None:
    peer, path = archive(), write_instance(tmp_path)
    requestors = [request_of(peer) for _ in range(4)]
    for requestor in requestors:
        requestor.associate()

    codes = [requestor.store(path, f"2.25.{number}") for number, requestor in enumerate(requestors)]

    assert codes == [0x0000] * 4
    assert peer.turns.most_at_once == 4
    assert len(peer.stored) == 4
