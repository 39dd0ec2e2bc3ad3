"""Studies to send, and a receiver that takes pushes."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.accelerator import Accelerator as Peer
from tests.fakes.fixtures import MakeAccelerator
from tests.peers.orthanc import Orthanc


@pytest.fixture
def entries(tmp_path: Path) -> list[ManifestEntry]:
    """Five small CT slices in two series."""
    return entries_of(write_study(tmp_path, 5, 2, size_bytes=2000))


@pytest.fixture
def peer(orthanc: Orthanc, accelerator: MakeAccelerator) -> Peer:
    return accelerator(orthanc)


@pytest.fixture
def six(tmp_path: Path) -> list[ManifestEntry]:
    return entries_of(write_study(tmp_path, 6, 2, size_bytes=2000))
