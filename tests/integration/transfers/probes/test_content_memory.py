"""A multi-frame instance of 600 MB is read back and compared without being held in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.content_memory import peak_of
from tests.datasets import write_study
from tests.entries import entries_of
from tests.integration.transfers.probes.comparing import send
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint

SIZE_BYTES = 600_000_000
MOST_MEGABYTES = 200


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Orthanc, Path]]:
    """An Orthanc that holds the one large instance of a folder."""
    folder = tmp_path_factory.mktemp("large")
    paths = write_study(folder, instances=1, size_bytes=SIZE_BYTES)
    with Orthanc(tmp_path_factory.mktemp("orthanc"), dicom_web=True) as peer:
        send(entries_of(paths), DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN"))
        yield peer, folder
    for path in (*paths, *peer.folder.glob("storage/*/*/*")):
        path.unlink()


@pytest.mark.parametrize("reader", ["c-get", "orthanc", "wado-rs"])
def test_memory_is_bounded(large: tuple[Orthanc, Path], reader: str) -> None:
    peer, folder = large
    endpoints = {
        "c-get": f"dicom:{peer.host}:{peer.port}:{peer.ae_title}",
        "orthanc": f"orthanc:{peer.url}",
        "wado-rs": f"dicomweb:{peer.dicom_web_url}",
    }

    peak = peak_of(endpoints[reader], folder)

    assert peak.kinds == "1 identical"
    assert peak.megabytes < MOST_MEGABYTES


def test_memory_is_bounded_where_every_element_has_to_be_compared(large: tuple[Orthanc, Path]) -> None:
    peer, folder = large
    (path,) = folder.iterdir()
    flip_last_byte(path)
    try:
        peak = peak_of(f"orthanc:{peer.url}", folder)
    finally:
        flip_last_byte(path)

    assert peak.kinds == "1 different"
    assert peak.megabytes < MOST_MEGABYTES


def flip_last_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 0xFF]))
