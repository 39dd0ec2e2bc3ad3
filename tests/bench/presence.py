"""Presence of a large study by each protocol, beside the time of sending it: `python -m tests.bench.presence [BYTES]`.

Wanted: less than 15 % of the time of sending.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation
from tests.datasets import write_study
from tests.entries import entries_of
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.probes import PROBES
from transfers.probes.base import ProbeContext

INSTANCES = 10_000
SIZES_BYTES = (8_192, 131_072)
SERIES = 20
RUNS = 3
WANTED = 0.15


def main(sizes_bytes: tuple[int, ...] = SIZES_BYTES) -> None:
    print(f"Presence of {INSTANCES:,} instances in {SERIES} series at Orthanc, and of the time of C-STORE over four")
    print(f"associations (wanted: less than {WANTED:.0%}).")
    print(f"{'size of an instance':>20}{'sent in':>10}" + "".join(f"{key:>20}" for key in PROBES))
    for size_bytes in sizes_bytes:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), size_bytes)


def _measure(folder: Path, size_bytes: int) -> None:
    (folder / "files").mkdir()
    entries = entries_of(write_study(folder / "files", instances=INSTANCES, series=SERIES, size_bytes=size_bytes))
    with Orthanc(folder / "orthanc", dicom_web=True) as peer:
        archive = DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN")
        sent_in = _send(entries, archive)
        endpoints: dict[str, Endpoint] = {
            "c-find": archive,
            "qido-rs": DicomWebEndpoint(peer.dicom_web_url),
            "orthanc": OrthancEndpoint(peer.url),
        }
        seconds = {key: median(_ask(key, entries, endpoints[key]) for _ in range(RUNS)) for key in endpoints}
    cells = "".join(f"{f'{seconds[key]:.2f} s, {seconds[key] / sent_in:.0%}':>20}" for key in PROBES)
    print(f"{size_bytes:>20,}{sent_in:>8.1f} s{cells}")
    sys.stdout.flush()


def _send(entries: list[ManifestEntry], endpoint: DicomEndpoint) -> float:
    began_at = time.perf_counter()
    for _ in CStore().send(entries, SendContext(endpoint)):
        pass
    return time.perf_counter() - began_at


def _ask(key: str, entries: list[ManifestEntry], endpoint: Endpoint) -> float:
    """An answer that misses an instance ends the run."""
    began_at = time.perf_counter()
    # As after a transfer to where nothing was before.
    context = ProbeContext(endpoint, settle_seconds=0, retry_seconds=0, wants_sop_class=False)
    seen = list(PROBES[key].verify(entries, context))
    seconds = time.perf_counter() - began_at
    found = sum(isinstance(each, Observation) and each.kind is EvidenceKind.PRESENT for each in seen)
    assert found == len(entries), f"{key}: {found} of {len(entries)}"
    return seconds


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES_BYTES)
