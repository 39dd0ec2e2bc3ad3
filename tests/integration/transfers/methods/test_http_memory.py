"""An instance of 160 MB goes out over HTTP without being held in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.accelerator_peer import ROOT
from tests.datasets import write_study
from tests.peers.orthanc import Orthanc

SIZE_BYTES = 160_000_000
MOST_MEGABYTES = 150


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("large")
    paths = write_study(folder, instances=1, size_bytes=SIZE_BYTES)
    yield folder
    for path in paths:
        path.unlink()


@pytest.mark.parametrize("key", ["orthanc-rest", "stow-rs"])
def test_memory_is_bounded(large: Path, tmp_path: Path, key: str) -> None:
    with Orthanc(tmp_path, dicom_web=True) as peer:
        address = json.dumps({"url": peer.url if key == "orthanc-rest" else peer.dicom_web_url})
        command = [sys.executable, "-m", "tests.bench.own_method", key, address, str(large)]
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert float(finished.stdout.split()[-1]) < MOST_MEGABYTES
    for path in tmp_path.glob("storage/*/*/*"):
        path.unlink()
