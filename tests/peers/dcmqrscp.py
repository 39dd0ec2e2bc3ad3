"""DCMTK's dcmqrscp as a peer that gives back what it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.process import HOST, Process, free_port, is_listening
from tests.peers.programs import program

CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{ae_title} {storage} RW (200, 1024mb) ANY
AETable END
"""


class Dcmqrscp:
    """Any AE may store, find and get; `options` are added to the command line.

    It is to be sent to over one association: its processes, one an association, give files the same names now and
    then, and so overwrite what they have answered with success.
    """

    host = HOST
    ae_title = "DCMQRSCP"

    def __init__(self, folder: Path, *, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self._options = options
        self.storage = folder / "storage"
        self.port = free_port()
        self._process: Process | None = None

    def __enter__(self) -> Self:
        executable = program("dcmqrscp", package="dcmtk")
        self.storage.mkdir(parents=True)
        configuration = self.folder / "dcmqrscp.cfg"
        configuration.write_text(
            CONFIGURATION.format(port=self.port, ae_title=self.ae_title, storage=self.storage), "ascii"
        )
        command: list[str | Path] = [executable, "-c", configuration, *self._options]
        self._process = Process(command, log=self.folder / "dcmqrscp.log")
        self._process.wait_until_ready(lambda: is_listening(self.port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()
