"""How `serve` and `run_transfer_worker` live and end: one event loop, told to stop by SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

import uvicorn
from channels.routing import get_default_application

from transfers.errors import ListenerNotStarted
from transfers.exit_codes import ExitCode
from transfers.listener import describe, make_listener
from transfers.management.base import wrong_usage
from transfers.worker import TransferWorker, keep_running

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
REQUESTS_SECONDS = 5
"""For requests that are being answered when the server is stopped."""
LONGEST_STOP_SECONDS = 12.0
"""Then the process ends, whatever a thread still waits for: who supervises it would kill it soon after."""
WEBSOCKET_MESSAGE_BYTES = 64 * 1024


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and does not answer yet. Raises CommandError where that is not possible."""
    if port not in range(65536):
        raise wrong_usage(f"{port} is not a port: give a number from 1 to 65535, or 0 for one that is free.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise wrong_usage(
            f"{host}:{port} cannot be listened on: {error.strerror}. Give another --port (0: one that is free), "
            "or end the program that listens there."
        ) from error


def address_of(listening: socket.socket) -> str:
    """As a browser takes it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def reports_taken(say: Callable[[str], object], warn: Callable[[str], object]) -> Iterator[None]:
    """With the DICOM listener; without it, where it cannot be started: a process of ours may be what has the port."""
    listener = make_listener()
    try:
        listener.start()
    except ListenerNotStarted as error:
        warn(
            f"Warning: {error} Unless it is a listener of this installation (`manage.py run_listener`), what archives "
            "report on storage commitment does not arrive."
        )
        yield
        return
    say(describe(listener))
    try:
        yield
    finally:
        listener.stop()


def serve(listening: socket.socket, announce: Callable[[], None]) -> None:
    """Answer on the socket and work in the background until told to stop; `announce` once it answers."""
    asyncio.run(_serve(listening, announce))


def work(announce: Callable[[], None]) -> None:
    """Work in the background until told to stop."""
    asyncio.run(_work(announce))


async def _serve(listening: socket.socket, announce: Callable[[], None]) -> None:
    server, worker = _Server(announce), TransferWorker()

    def stop() -> None:
        server.should_exit = True
        worker.stop()

    _on_stop_signal(stop)
    working = asyncio.create_task(keep_running(worker.arun, until=lambda: server.should_exit))
    try:
        await server.serve(sockets=[listening])
    finally:
        stop()
        await working


async def _work(announce: Callable[[], None]) -> None:
    worker = TransferWorker()
    _on_stop_signal(worker.stop)
    announce()
    await worker.arun()


class _Server(uvicorn.Server):
    """Leaves the signals to us, and says when it answers."""

    def __init__(self, announce: Callable[[], None]) -> None:
        self._announce = announce
        super().__init__(
            uvicorn.Config(
                get_default_application(),
                log_config=None,
                access_log=False,  # addresses tell what somebody looked for
                server_header=False,
                proxy_headers=False,
                ws_max_size=WEBSOCKET_MESSAGE_BYTES,
                ws_per_message_deflate=False,  # for each socket anew: it would cost more than all the rest of telling
                timeout_graceful_shutdown=REQUESTS_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _on_stop_signal(stop: Callable[[], None]) -> None:
    """The first one stops in order and in time; the second one breaks off."""
    signals: list[int] = []

    def handle(number: int) -> None:
        if signals:
            sys.stderr.write("Broken off at once. What was saved is kept; another worker goes on from there.\n")
            _end_process(ExitCode.INTERRUPTED)
        signals.append(number)
        timer = Timer(LONGEST_STOP_SECONDS, _end_process, [ExitCode.COMMITTED])
        timer.daemon = True
        timer.start()
        stop()

    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, handle, number)


def _end_process(exit_code: int) -> None:
    """Without waiting for any thread, as an exit would."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
