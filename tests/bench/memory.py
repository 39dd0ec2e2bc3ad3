"""How much memory a send takes: each in a process of its own, `python -m tests.bench.memory HOST PORT FOLDER`."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from audit.manifest import read_input
from audit.observations import EvidenceKind, Observation
from tests.bench.studies import Study
from transfers.endpoints import DicomEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore


def peak_megabytes(study: Study, endpoint: DicomEndpoint) -> float:
    """The peak of the resident set while a study is read and sent by the method alone."""
    command = [sys.executable, "-m", "tests.bench.memory", endpoint.host, str(endpoint.port), str(study.folder)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(finished.stdout)


def _main(host: str, port: str, folder: str) -> None:
    (manifest,) = read_input([Path(folder)]).studies
    endpoint = DicomEndpoint(host, int(port), "ANY-SCP", "TALLYMAN")
    seen = CStore().send(manifest.entries, SendContext(endpoint))
    answers = sum(isinstance(each, Observation) and each.kind is EvidenceKind.ACKNOWLEDGED for each in seen)
    assert answers == len(manifest.entries)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _main(*sys.argv[1:])
