"""The connection test tells what a destination would take, and what is wrong with one that cannot be asked."""

from __future__ import annotations

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from tests.fakes.acts import Abort, Answer, Reject, Silence
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Plan, Script, from_number
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port
from tests.peers.storescp import Storescp
from transfers.endpoints import DicomEndpoint, Timeouts
from transfers.wire import connection_test
from transfers.wire.connection_test import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES

TIMEOUTS = Timeouts(connect_seconds=2, acse_seconds=1, dimse_seconds=1, network_seconds=1)
VERIFICATION = "1.2.840.10008.1.1"


def test_an_archive_that_takes_everything(archive: MakeArchive) -> None:
    peer = archive()

    report = connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS))

    assert report.is_ok
    assert (report.is_reachable, report.echo_status_code, report.can_be_listed) == (True, 0x0000, True)
    assert (report.implementation_version_name, report.maximum_length) == ("SCRIPTED", 16384)
    assert report.accepted == dict.fromkeys(STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES)
    assert (report.error_code, report.error) == ("", "")
    assert 0 < report.seconds < 1


def test_nothing_is_sent_and_every_association_is_released(archive: MakeArchive) -> None:
    peer = archive(Script(associations_at_once=1, beyond=Reject()))

    connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS))

    assert {record.ended for record in peer.log.associations} == {"released"}
    assert {
        len(proposal.transfer_syntaxes) for record in peer.log.associations[1:] for proposal in record.proposals
    } == {1}
    assert peer.log.requests == []
    assert peer.log.broken_rules == []


def test_what_is_not_accepted_is_not_told(archive: MakeArchive) -> None:
    taken = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    peer = archive(Script(sop_classes=[VERIFICATION, CTImageStorage, MRImageStorage], transfer_syntaxes=taken))

    report = connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS))

    assert report.is_ok
    assert not report.can_be_listed
    both = (str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian))
    assert report.accepted == {str(CTImageStorage): both, str(MRImageStorage): both}


def test_an_archive_without_echo_is_asked_what_it_takes(archive: MakeArchive) -> None:
    peer = archive(Script(without_sop_classes=[VERIFICATION]))

    report = connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS))

    assert (report.is_ok, report.is_reachable, report.echo_status_code) == (False, True, None)
    assert report.error_code == "no_presentation_context"
    assert len(report.accepted) == len(STORAGE_SOP_CLASSES)


def test_an_echo_that_fails(archive: MakeArchive) -> None:
    peer = archive(Script(on_echo=Answer(0x0122)))

    report = connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS))

    assert (report.is_ok, report.is_reachable, report.echo_status_code) == (False, True, 0x0122)


FAULTS = [
    pytest.param({"on_association": Reject(1, 1, 7)}, False, "association_rejected", id="rejected"),
    pytest.param({"on_association": Abort()}, False, "association_aborted", id="aborted"),
    pytest.param({"on_association": Silence()}, False, "association_timed_out", id="silent"),
    pytest.param({"on_echo": Silence()}, True, "answer_timed_out", id="echo-not-answered"),
    pytest.param({"on_echo": Answer(message_id=999)}, True, "unexpected_answer", id="another-message-answered"),
    pytest.param({"on_echo": Answer(command_field=0x8001)}, True, "unexpected_answer", id="answered-as-a-store"),
]


@pytest.mark.parametrize(("plans", "is_reachable", "code"), FAULTS)
def test_a_fault_is_told_and_not_raised(
    archive: MakeArchive, plans: dict[str, Plan], is_reachable: bool, code: str
) -> None:
    script = Script()
    for moment, plan in plans.items():
        setattr(script, moment, plan)

    report = connection_test.test_connection(archive(script).endpoint(timeouts=TIMEOUTS))

    assert (report.is_ok, report.is_reachable, report.error_code) == (False, is_reachable, code)
    assert report.accepted == {}
    assert report.error


def test_what_was_found_out_before_a_fault_is_told(archive: MakeArchive) -> None:
    peer = archive(Script(on_association=from_number(3, Abort())))

    report = connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS))

    assert report.is_ok
    assert report.error_code == "association_aborted"
    assert 0 < len(report.accepted) < len(STORAGE_SOP_CLASSES)


def test_an_archive_that_is_busy_for_a_moment_is_asked_again(archive: MakeArchive) -> None:
    peer = archive(Script(on_association={1: Reject(2, 3, 2)}))

    assert connection_test.test_connection(peer.endpoint(timeouts=TIMEOUTS)).is_ok


def test_nobody_there() -> None:
    endpoint = DicomEndpoint("127.0.0.1", free_port(), "NOBODY", "TALLYMAN", timeouts=TIMEOUTS)

    report = connection_test.test_connection(endpoint)

    assert (report.is_reachable, report.error_code) == (False, "connection_failed")
    assert str(endpoint.port) in report.error


def test_orthanc(orthanc: Orthanc) -> None:
    report = connection_test.test_connection(DicomEndpoint(orthanc.host, orthanc.port, orthanc.ae_title, "TALLYMAN"))

    assert report.is_ok
    assert report.can_be_listed
    assert report.implementation_version_name.startswith("OFFIS_DCMTK")
    assert set(report.accepted[CTImageStorage]) == set(TRANSFER_SYNTAXES)


def test_storescp_cannot_be_listed(storescp: Storescp) -> None:
    report = connection_test.test_connection(DicomEndpoint(storescp.host, storescp.port, storescp.ae_title, "TALLYMAN"))

    assert report.is_ok
    assert not report.can_be_listed
    assert STUDY_ROOT_FIND not in report.accepted
    assert CTImageStorage in report.accepted
