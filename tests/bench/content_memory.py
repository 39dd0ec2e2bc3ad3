"""How much memory comparing takes, in a process of its own: `python -m tests.bench.content_memory ENDPOINT FOLDER`.

ENDPOINT is dicom:HOST:PORT:AE_TITLE, orthanc:URL or dicomweb:URL.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from audit.manifest import read_input
from audit.observations import Observation
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.probes.content import ContentContext, compare_content


class Peak(NamedTuple):
    megabytes: float
    """Of the resident set, while a study is read and compared."""
    kinds: str
    """What was concluded, and how often."""


def peak_of(endpoint: str, folder: Path) -> Peak:
    command = [sys.executable, "-m", "tests.bench.content_memory", endpoint, str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, kinds = finished.stdout.split(maxsplit=1)
    return Peak(float(megabytes), kinds.strip())


def _main(endpoint: str, folder: str) -> None:
    (manifest,) = read_input([Path(folder)]).studies
    seen = compare_content(manifest.entries, ContentContext(_endpoint(endpoint)))
    kinds = Counter(each.kind.value for each in seen if isinstance(each, Observation))
    print(f"{_peak_megabytes():.0f}", ", ".join(f"{count} {kind}" for kind, count in kinds.items()))


def _peak_megabytes() -> float:
    """Since this program began: `getrusage` counts what the process that started it had, too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _endpoint(text: str) -> Endpoint:
    kind, _, where = text.partition(":")
    if kind == "orthanc":
        return OrthancEndpoint(where)
    if kind == "dicomweb":
        return DicomWebEndpoint(where)
    host, port, ae_title = where.split(":")
    return DicomEndpoint(host, int(port), ae_title, "TALLYMAN")


if __name__ == "__main__":
    _main(*sys.argv[1:])
