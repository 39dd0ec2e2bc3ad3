"""The bad network does what it says, and what a seed has it do is always the same."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.fakes.chaos import Chaos, Deed, Fault, random_faults
from tests.peers.process import HOST

BYTES = 50_000


class Echo:
    """Sends back what it gets, and keeps it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                self.received += data
                connection.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as echo:
        yield echo


def said(chaos: Chaos, content: bytes = b"x" * BYTES) -> bytes:
    """What comes back until all is there or the connection ends. Raises ConnectionResetError."""
    answer = bytearray()
    with socket.create_connection((HOST, chaos.port)) as connection:
        connection.settimeout(10)
        threading.Thread(target=_send, args=(connection, content), daemon=True).start()
        while len(answer) < len(content) and (data := connection.recv(65536)):
            answer += data
    return bytes(answer)


def _send(connection: socket.socket, content: bytes) -> None:
    with suppress(OSError):
        connection.sendall(content)


def test_undisturbed_everything_comes_through(echo: Echo) -> None:
    content = random.Random(1).randbytes(BYTES)
    with Chaos(echo.port) as chaos:
        assert said(chaos, content) == content

    assert chaos.done == []


@pytest.mark.parametrize("after_bytes", [0, 1, 20_000])
def test_what_is_cut_ends_where_it_was_cut(echo: Echo, after_bytes: int) -> None:
    with Chaos(echo.port, lambda _: Fault(Deed.CUT, after_bytes)) as chaos:
        with suppress(ConnectionResetError):
            said(chaos)
        wait_for(echo, after_bytes)

    assert len(echo.received) == after_bytes


def test_what_is_cut_in_its_answer_was_asked_whole(echo: Echo) -> None:
    with Chaos(echo.port, lambda _: Fault(Deed.CUT, 20_000, is_in_answers=True)) as chaos, suppress(OSError):
        assert len(said(chaos)) <= 20_000

    assert chaos.done == [Fault(Deed.CUT, 20_000, is_in_answers=True)]


def test_what_is_reset_is_seen_to_be_broken(echo: Echo) -> None:
    with Chaos(echo.port, lambda _: Fault(Deed.RESET, 100)) as chaos, pytest.raises(ConnectionResetError):
        said(chaos)

    assert len(echo.received) <= 100  # a reset may overtake what was on its way


@pytest.mark.parametrize("deed", [Deed.STALL, Deed.SLOW])
def test_what_is_held_up_comes_through_in_the_end(echo: Echo, deed: Deed) -> None:
    content = random.Random(2).randbytes(BYTES)
    with Chaos(echo.port, lambda _: Fault(deed, 10_000, seconds=0.1)) as chaos:
        begun = time.monotonic()
        assert said(chaos, content) == content

    assert time.monotonic() - begun >= 0.1
    assert bytes(echo.received) == content


def test_of_what_is_held_back_nothing_comes_through_once_the_client_has_gone(echo: Echo) -> None:
    with Chaos(echo.port, lambda _: Fault(Deed.STALL, 10_000, seconds=20)) as chaos:
        connection = socket.create_connection((HOST, chaos.port))
        connection.sendall(b"x" * BYTES)
        wait_for(echo, 10_000)
        connection.close()

    assert len(echo.received) == 10_000


def test_a_server_that_is_away_refuses(echo: Echo) -> None:
    echo.close()
    with Chaos(1) as chaos, suppress(ConnectionResetError):
        assert said(chaos) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, chaos.port))


def test_a_seed_always_makes_the_same_faults_and_so_many_at_most() -> None:
    def faults(seed: int) -> list[Fault | None]:
        plan = random_faults(random.Random(seed), most=5)
        return [plan(number) for number in range(1, 40)]

    assert faults(1) == faults(1) != faults(2)
    assert len([fault for fault in faults(1) if fault]) == 5


def wait_for(echo: Echo, length: int) -> None:
    until = time.monotonic() + 10
    while len(echo.received) < length and time.monotonic() < until:
        time.sleep(0.01)
