"""A study to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from tests.datasets import write_study
from tests.entries import entries_of


@pytest.fixture
def entries(tmp_path: Path) -> list[ManifestEntry]:
    """Five small CT slices in two series."""
    return entries_of(write_study(tmp_path, 5, 2, size_bytes=2000))
