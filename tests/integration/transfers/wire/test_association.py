"""An association as its requestor, against the scripted archive, pynetdicom's SCP, and bare sockets."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import cycle
from threading import Event, Thread, Timer

import pytest
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.pdu import A_RELEASE_RP, A_RELEASE_RQ

from tests.fakes.acts import EMPTY_PDU, Abort, Reject, Silence
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from transfers.endpoints import DicomEndpoint, Timeouts
from transfers.errors import (
    AnswerTimedOut,
    AssociationAborted,
    AssociationInterrupted,
    AssociationLost,
    AssociationReleased,
    AssociationTimedOut,
    ConnectionFailed,
    MalformedPDU,
    NetworkTimedOut,
)
from transfers.wire.association import Association, ProposedContext
from transfers.wire.transport import Transport
from transfers.wire.waiting import Interruption

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
ECHO = [ProposedContext(VERIFICATION, (IMPLICIT,))]
SOON = Timeouts(connect_seconds=1, acse_seconds=0.3, dimse_seconds=0.3, network_seconds=0.2)


def echo_request(message_id: int = 1) -> C_ECHO:
    request = C_ECHO()
    request.MessageID = message_id
    request.AffectedSOPClassUID = UID(VERIFICATION)
    return request


@pytest.fixture
def pynetdicom_port() -> Iterator[int]:
    entity = AE("PYNETDICOM")
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    yield server.server_address[1]
    server.shutdown()


def endpoint(port: int, timeouts: Timeouts = SOON) -> DicomEndpoint:
    return DicomEndpoint("127.0.0.1", port, "PEER", "TALLYMAN", timeouts=timeouts)


@contextmanager
def peer_that(serves: Callable[[socket.socket], None]) -> Iterator[int]:
    """A socket that is served once by a function of the test's."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                serves(connection)

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_messages_go_to_pynetdicom_and_come_back(pynetdicom_port: int) -> None:
    with Association.open(endpoint(pynetdicom_port), ECHO) as association:
        (context,) = association.accepted
        for message_id in (1, 2):
            association.send_message(context.context_id, echo_request(message_id))
            context_id, answer = association.receive_message()

            assert isinstance(answer, C_ECHO)
            assert (context_id, answer.Status, answer.MessageIDBeingRespondedTo) == (1, 0x0000, message_id)


def test_leaving_the_block_releases_and_an_exception_aborts(archive: MakeArchive) -> None:
    peer = archive()

    with Association.open(peer.endpoint(), ECHO):
        pass
    with pytest.raises(ZeroDivisionError), Association.open(peer.endpoint(), ECHO):
        raise ZeroDivisionError

    peer.wait_until(lambda peer: all(record.ended for record in peer.log.associations))
    assert [record.ended for record in peer.log.associations] == ["released", "aborted"]


def test_what_was_accepted_can_be_asked(archive: MakeArchive) -> None:
    contexts = [*ECHO, ProposedContext("1.2.3", (IMPLICIT,)), ProposedContext(VERIFICATION, ("1.2.840.10008.1.2.1",))]
    peer = archive(Script(without_sop_classes=["1.2.3"], maximum_length=4096))

    with Association.open(peer.endpoint(), contexts) as association:
        assert [context.context_id for context in association.accepted] == [1, 5]
        assert [context.context_id for context in association.rejected] == [3]
        assert (association.maximum_length, association.fragment_size) == (4096, 4090)
        found = association.accepted_context(VERIFICATION, "1.2.840.10008.1.2.1")
        assert found is not None
        assert found.context_id == 5
        assert association.accepted_context("1.2.3") is None


def test_an_answer_that_does_not_come_is_timed_out_by_the_time_asked_for(archive: MakeArchive) -> None:
    peer = archive(Script(on_echo=Silence()))
    association = Association.open(peer.endpoint(), ECHO)
    association.send_message(1, echo_request())
    began = time.monotonic()

    with pytest.raises(AnswerTimedOut):
        association.receive_message(timeout_seconds=0.1)

    assert time.monotonic() - began < 1
    association.abort()


@pytest.mark.parametrize(
    ("pieces", "pause_seconds"),
    [([EMPTY_PDU], 0.1), ([EMPTY_PDU], 0.0), ([b"\x04\0\0\0\xff\xff", *[b"\0"] * 65_535], 0.1)],
    ids=["empty PDUs", "a flood of empty PDUs", "one PDU byte by byte"],
)
def test_an_answer_that_never_ends_is_timed_out(pieces: list[bytes], pause_seconds: float) -> None:
    is_over = Event()

    def feed(connection: socket.socket) -> None:
        accepting(connection)
        stream = cycle(pieces)
        with suppress(OSError):
            while not is_over.wait(pause_seconds):
                connection.sendall(next(stream))

    with peer_that(feed) as port:
        association = Association.open(endpoint(port), ECHO)
        timer = Timer(5, is_over.set)
        timer.start()
        began = time.monotonic()
        with pytest.raises(AnswerTimedOut):
            association.receive_message()
        seconds = time.monotonic() - began
        timer.cancel()
        is_over.set()
        association.abort()

    assert seconds < 2


def test_a_release_that_is_not_answered_is_not_awaited_for_ever() -> None:
    def feed(connection: socket.socket) -> None:
        accepting(connection)
        with suppress(OSError):
            for _ in range(50):
                time.sleep(0.1)
                connection.sendall(EMPTY_PDU)

    with peer_that(feed) as port:
        association = Association.open(endpoint(port), ECHO)
        began = time.monotonic()
        association.release()
        assert time.monotonic() - began < 2


def test_an_abort_tells_its_reason(archive: MakeArchive) -> None:
    peer = archive(Script(on_echo=Abort(source=2, reason=5)))

    association = Association.open(peer.endpoint(), ECHO)
    association.send_message(1, echo_request())

    with pytest.raises(AssociationAborted, match=r"did not expect a parameter of a PDU \(source 2, reason 5\)"):
        association.receive_message()
    association.abort()


def test_an_association_is_not_left_open_where_it_is_rejected(archive: MakeArchive) -> None:
    peer = archive(Script(on_association=Reject(1, 1, 3)))

    for _ in range(3):
        with pytest.raises(Exception, match="Register our AE title “TALLYMAN”"):
            Association.open(peer.endpoint(), ECHO)


def accepting(connection: socket.socket) -> None:
    """Accept nothing of what is proposed, as an SCP may."""
    connection.recv(65536)
    connection.sendall(struct.pack(">BxIHxx64x", 0x02, 68, 1))


def test_an_association_without_any_accepted_context_is_no_error() -> None:
    with peer_that(accepting) as port:
        association = Association.open(endpoint(port), ECHO)

        assert association.accepted == ()
        assert "did not answer this presentation context" in association.rejected[0].reason
        association.close()


def test_a_release_by_the_destination_is_answered_and_named() -> None:
    received = []

    def release(connection: socket.socket) -> None:
        accepting(connection)
        connection.sendall(A_RELEASE_RQ().encode())
        received.append(connection.recv(10))

    with peer_that(release) as port:
        association = Association.open(endpoint(port), ECHO)
        with pytest.raises(AssociationReleased):
            association.receive_message()
        association.abort()

    assert received == [A_RELEASE_RP().encode()]


def test_both_sides_may_release_at_once() -> None:
    received = bytearray()

    def collide(connection: socket.socket) -> None:
        accepting(connection)
        received.extend(connection.recv(10))
        connection.sendall(A_RELEASE_RQ().encode())
        received.extend(connection.recv(10))
        connection.sendall(A_RELEASE_RP().encode())

    with peer_that(collide) as port:
        Association.open(endpoint(port), ECHO).release()

    assert received == A_RELEASE_RQ().encode() + A_RELEASE_RP().encode()


def test_a_pdu_that_does_not_belong_there_ends_the_association() -> None:
    def accept_twice(connection: socket.socket) -> None:
        accepting(connection)
        connection.sendall(A_RELEASE_RP().encode())
        connection.recv(10)

    with peer_that(accept_twice) as port:
        association = Association.open(endpoint(port), ECHO)
        with pytest.raises(MalformedPDU, match="A-RELEASE-RP"):
            association.receive_message()
        association.abort()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", AssociationTimedOut),
        (b"\x02\0", NetworkTimedOut),
        (b"\x02\0\0\0\0\x44", NetworkTimedOut),
        (b"\x05\0\0\0\0\4\0\0\0\0", MalformedPDU),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", MalformedPDU),
    ],
    ids=["nothing", "half a header", "a header alone", "a release", "another protocol"],
)
def test_a_port_that_does_not_answer_as_it_should_is_a_named_error(answer: bytes, error: type[Exception]) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(answer)
        while connection.recv(65536):
            pass

    with peer_that(serve) as port, pytest.raises(error):
        Association.open(endpoint(port), ECHO)


def test_a_port_on_which_nobody_listens_is_named(pynetdicom_port: int) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with pytest.raises(ConnectionFailed, match=f"127.0.0.1:{port}: Connection refused"):
            Association.open(endpoint(port), ECHO)


def test_a_connection_that_nobody_accepts_is_not_waited_for_longer_than_allowed() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with closing(socket.create_connection(listener.getsockname())):
            began = time.monotonic()

            with pytest.raises((ConnectionFailed, AssociationTimedOut)):
                Association.open(endpoint(listener.getsockname()[1]), ECHO)

            assert time.monotonic() - began < 3


@pytest.mark.parametrize("script", [Script(on_association=Silence()), Script(on_connection=Silence())])
def test_an_interruption_ends_the_waiting_at_once(archive: MakeArchive, script: Script) -> None:
    peer = archive(script)
    with closing(Interruption()) as interruption:
        timer = Timer(0.1, interruption.set)
        timer.start()
        began = time.monotonic()

        with pytest.raises(AssociationInterrupted):
            Association.open(peer.endpoint(), ECHO, interruption)

        assert time.monotonic() - began < 2
        timer.join()


def test_an_abort_is_seen_while_writing_though_the_destination_neither_reads_nor_closes() -> None:
    is_seen = Event()

    def abort_and_hold(connection: socket.socket) -> None:
        accepting(connection)
        connection.recv(1000)
        connection.sendall(bytes.fromhex("07000000000400000202"))
        assert is_seen.wait(10)

    with peer_that(abort_and_hold) as port:
        association = Association.open(endpoint(port, Timeouts(network_seconds=5)), ECHO)
        with pytest.raises(AssociationAborted, match=r"\(source 2, reason 2\)"):
            association.write([bytes(60_000_000)])
        is_seen.set()
        association.abort()


def test_a_slow_reader_gets_every_byte_of_many_buffers() -> None:
    received = bytearray()

    def read_slowly(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        while piece := connection.recv(50_000):
            received.extend(piece)
            time.sleep(0.0005)

    buffers = [bytes([number % 256]) * (number % 7000) for number in range(3000)]
    with peer_that(read_slowly) as port:
        transport = Transport.connect(endpoint(port, Timeouts()))
        transport.write(buffers)
        transport.close()

    assert received == b"".join(buffers)


def test_a_message_that_is_broken_off_ends_in_a_reset() -> None:
    errors = []

    def stall(connection: socket.socket) -> None:
        time.sleep(1)
        try:
            while connection.recv(1 << 20):
                pass
        except ConnectionResetError as error:
            errors.append(error)

    with peer_that(stall) as port:
        transport = Transport.connect(endpoint(port))
        with pytest.raises(NetworkTimedOut):
            transport.write([bytes(60_000_000)])
        assert not transport.is_between_messages
        transport.close()

    assert errors


def test_a_connection_that_breaks_is_lost() -> None:
    with peer_that(lambda _: None) as port:
        transport = Transport.connect(endpoint(port))

        with pytest.raises(AssociationLost):
            transport.read(1)
        transport.close()
        transport.close()
