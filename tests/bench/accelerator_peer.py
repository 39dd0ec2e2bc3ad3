"""The accelerator's counterpart in a process of its own: in the sender's it would take the sender's time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from tests.fakes.accelerator import Accelerator
from tests.fakes.accelerator_script import Script
from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST

ROOT = Path(__file__).parents[2]
COMMIT_THREADS = 4
"""As the plug-in may be set since 1.7 (CommitThreadsCount). It stores within Orthanc's process, we over HTTP."""


class _Running:
    """A stock Orthanc that another process started."""

    def __init__(self, http_port: int) -> None:
        self.http_port = http_port
        self.url = f"http://{HOST}:{http_port}"
        self._process = None
        self._users: dict[str, str] = {}

    def _authorization(self) -> dict[str, str]:
        return {}


@contextmanager
def accelerator_before(orthanc: Orthanc) -> Iterator[str]:
    """Give the URL of a counterpart in front of this Orthanc; it ends with the block."""
    command = [sys.executable, "-m", __name__, str(orthanc.http_port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def main() -> None:
    """Serve until standard input ends."""
    orthanc = cast(Orthanc, _Running(int(sys.argv[1])))
    with Accelerator(orthanc, script=Script(goes_on_past_failures=True), commit_threads=COMMIT_THREADS) as peer:
        print(peer.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
