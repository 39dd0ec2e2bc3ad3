"""Manifest entries of what a source Orthanc holds, for tests that need no whole manifest."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Iterable
from dataclasses import replace
from json import loads
from pathlib import Path

from audit.entries import ManifestEntry
from tests.entries import entry_of
from tests.peers.orthanc import Orthanc


def stored_at(source: Orthanc, paths: Iterable[Path]) -> list[ManifestEntry]:
    """Put the files there as they are; entries as a manifest of that source has them."""
    return [_stored(source, path) for path in paths]


def _stored(source: Orthanc, path: Path) -> ManifestEntry:
    content = path.read_bytes()
    request = urllib.request.Request(f"{source.url}/instances", data=content)  # noqa: S310 its own address
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        source_id = loads(response.read())["ID"]
    return replace(
        entry_of(path),
        path="",
        data_set_offset=0,
        data_set_size=len(content),
        modified_ns=0,
        file_size=len(content),
        source_id=source_id,
        file_md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
    )
