"""dcmtk's storescp as a peer, on loopback: stores to a folder, serves one association at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.process import HOST, Process, free_port, is_listening
from tests.peers.programs import program

NO_DELAY = {"TCP_NODELAY": "1"}
"""In dcmtk's environment: its answers no longer wait for our delayed acknowledgement."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files. With a CA the peer's certificate is required and checked."""

    key: Path
    certificate: Path
    ca: Path | None = None

    @property
    def options(self) -> list[str | Path]:
        peer = ["-ic"] if self.ca is None else ["+cf", self.ca]
        return ["+tls", self.key, self.certificate, *peer]


class Storescp:
    """Takes unknown SOP classes and all transfer syntaxes, and writes what it gets bit by bit, unless told otherwise.

    `ignore` receives and stores nothing; `options` are added to the command line.
    """

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "STORESCP",
        ignore: bool = False,
        maximum_length: int = 16384,
        tls: TlsFiles | None = None,
        options: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = free_port()
        self._options = [
            *("-aet", ae_title, "-pdu", str(maximum_length), "-pm", "+xa", "+B", "-od", folder),
            *(["--ignore"] if ignore else []),
            *(tls.options if tls else []),
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
