"""dcmtk's storescp as a peer, on loopback: stores to a folder, serves one association at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.certificates import Identity
from tests.peers.process import HOST, Process, free_port, is_listening
from tests.peers.programs import program

NO_DELAY = {"TCP_NODELAY": "1"}
"""In dcmtk's environment: its answers no longer wait for our delayed acknowledgement."""


class Storescp:
    """Takes unknown SOP classes and all transfer syntaxes, and writes what it gets bit by bit, unless told otherwise.

    `ignore` receives and stores nothing; with `tls` it speaks TLS, and with `ca` too it requires a certificate that
    the CA has signed; `options` are added to the command line.
    """

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "STORESCP",
        ignore: bool = False,
        maximum_length: int = 16384,
        tls: Identity | None = None,
        ca: Path | None = None,
        options: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = free_port()
        self._options = [
            *("-aet", ae_title, "-pdu", str(maximum_length), "-pm", "+xa", "+B", "-od", folder),
            *(["--ignore"] if ignore else []),
            *(["+tls", tls.key, tls.certificate] if tls else []),
            *(["+cf", ca] if ca else ["-ic"] if tls else []),
            *options,
        ]
        self._environment = dict(environment or {})
        self._process: Process | None = None

    def __enter__(self) -> Self:
        executable = program("storescp", package="dcmtk")
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder.with_name(self.folder.name + ".log")
        command = [executable, *self._options, str(self.port)]
        self._process = Process(command, log=log, environment=self._environment)
        self._process.wait_until_ready(lambda: is_listening(self.port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    def files(self) -> list[Path]:
        """What it has stored."""
        return sorted(self.folder.iterdir())
