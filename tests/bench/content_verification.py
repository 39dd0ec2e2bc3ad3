"""How fast content is verified beside how fast it is sent, and in how much memory."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pydicom import Dataset, dcmread

from audit.observations import EvidenceKind, Observation
from tests.bench.content_memory import peak_of
from tests.bench.studies import Study, create_study
from tests.datasets import write_study
from tests.entries import entries_of
from tests.peers.dcmqrscp import Dcmqrscp
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.probes.content import ContentContext, compare_content

RUNS = 3
MOST_FOR_DCMQRSCP = 500
"""It writes its whole index with each instance."""
WANTED = 0.5
"""Of the speed of sending."""


class Way(NamedTuple):
    """A way of reading back from a destination that runs."""

    label: str
    endpoint: Endpoint
    keeps_bytes: bool = False


class Destination(NamedTuple):
    endpoint: DicomEndpoint
    forget: Callable[[], None]
    ways: tuple[Way, ...]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies = [
            create_study(folder / "512 KB", "512 KB", 500, 524_288),
            create_study(folder / "8 KB", "8 KB", 2_000, 8_192),
            _with_sequences(folder / "sequences"),
        ]
        print("Instances per second, medians of 3 in turns, and the speed of verifying over that of sending.")
        _print_row("", "", "sent", "verified", "ratio")
        ratios = [ratio for study in studies for ratio in _measure(study, folder)]
        print(f"The slowest: {min(ratios):.2f} of the speed of sending (wanted: at least {WANTED}).")
        _print_memory(folder)


def _measure(study: Study, folder: Path) -> Iterator[float]:
    starts = (_orthanc, _dcmqrscp) if len(study.entries) <= MOST_FOR_DCMQRSCP else (_orthanc,)
    for start in starts:
        with start(folder / f"{start.__name__}-{study.folder.name.replace(' ', '-')}") as destination:
            yield from _compare(study, destination)


def _compare(study: Study, destination: Destination) -> Iterator[float]:
    digests: dict[str, str] = {}
    sending: list[float] = []
    verifying: dict[str, list[float]] = {way.label: [] for way in destination.ways}
    for _ in range(RUNS):
        destination.forget()
        sending.append(_seconds_to_send(study, destination.endpoint, digests))
        for way in destination.ways:
            verifying[way.label].append(_seconds_to_verify(study, way, digests))
    for label, seconds in verifying.items():
        ratio = median(sending) / median(seconds)
        rates = [f"{len(study.entries) / median(each):,.0f}/s" for each in (sending, seconds)]
        _print_row(label, study.label, *rates, f"{ratio:.2f}")
        yield ratio


def _seconds_to_send(study: Study, endpoint: DicomEndpoint, digests: dict[str, str]) -> float:
    started = time.monotonic()
    answers = 0
    for seen in CStore().send(study.entries, SendContext(endpoint)):
        if isinstance(seen, Observation) and seen.kind is EvidenceKind.SENT:
            digests[seen.sop_instance_uid] = seen.detail["sha256"]
        elif isinstance(seen, Observation):
            answers += seen.kind is EvidenceKind.ACKNOWLEDGED
    assert answers == len(study.entries)
    return time.monotonic() - started


def _seconds_to_verify(study: Study, way: Way, digests: dict[str, str]) -> float:
    started = time.monotonic()
    seen = compare_content(study.entries, ContentContext(way.endpoint, digests, keeps_bytes=way.keeps_bytes))
    same = {EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT}
    assert sum(isinstance(each, Observation) and each.kind in same for each in seen) == len(study.entries)
    return time.monotonic() - started


@contextmanager
def _orthanc(folder: Path) -> Iterator[Destination]:
    with Orthanc(folder, dicom_web=True) as peer:
        endpoint = DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN")
        ways = (
            Way("Orthanc, C-GET", endpoint),
            Way("Orthanc, REST", OrthancEndpoint(peer.url)),
            Way("Orthanc, WADO-RS", DicomWebEndpoint(peer.dicom_web_url)),
        )
        yield Destination(endpoint, peer.delete_everything, ways)


@contextmanager
def _dcmqrscp(folder: Path) -> Iterator[Destination]:
    with Dcmqrscp(folder) as peer:
        # Over several at a time it overwrites what it has answered with success.
        endpoint = DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN", associations=1)
        yield Destination(endpoint, lambda: None, (Way("dcmqrscp, C-GET", endpoint),))


def _with_sequences(folder: Path) -> Study:
    """What Orthanc and dcmqrscp write anew in another encoding, so that it has to be compared element by element."""
    folder.mkdir()
    paths = write_study(folder, 300, 4, size_bytes=524_288)
    for path in paths:
        data_set = dcmread(path)
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-11500", "SRT", "Spine"
        item.is_undefined_length_sequence_item = True
        data_set.AnatomicRegionSequence = [item]
        data_set["AnatomicRegionSequence"].is_undefined_length = True
        data_set.save_as(path)
    return Study("512 KB, rewritten", folder, tuple(entries_of(paths)))


def _print_memory(folder: Path) -> None:
    print("\nPeak of the resident set while reading back, in MB (wanted: less than 200).")
    cases = [("one instance of 1 GB", 1, 1 << 30), ("10,000 instances of 8 KB", 10_000, 8_192)]
    for label, count, size_bytes in cases:
        study = create_study(folder / label, label, count, size_bytes)
        with Orthanc(folder / f"orthanc-{count}", dicom_web=True) as peer:
            endpoint = DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN")
            _seconds_to_send(study, endpoint, {})
            where = f"dicom:{peer.host}:{peer.port}:{peer.ae_title}"
            for way, text in (("C-GET", where), ("REST", f"orthanc:{peer.url}")):
                peak = peak_of(text, study.folder)
                _print_row(label, way, f"{peak.megabytes:.0f}", peak.kinds)


def _print_row(first: str, second: str, *cells: str) -> None:
    print(f"{first:<28}{second:>20}" + "".join(f"{cell:>20}" for cell in cells))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
