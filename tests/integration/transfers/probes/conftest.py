"""What the tests of the probe ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets import write_study
from tests.entries import entries_of
from tests.integration.transfers.probes.asking import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Six instances in two series."""
    return entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=64))
