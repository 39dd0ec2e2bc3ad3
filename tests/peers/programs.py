"""Where the real peers are installed, and what becomes of a test whose peer is not.

A missing peer skips the test, naming the Debian package; with TALLYMAN_REQUIRE_PEERS=1, as in CI, it fails it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

PLUGINS = Path("/usr/share/orthanc/plugins")
REQUIRED = "TALLYMAN_REQUIRE_PEERS"


def program(name: str, *, package: str, folders: tuple[str, ...] = ()) -> str:
    """The path of a program, looked for on PATH and then in these folders (globs; of several the newest version)."""
    found = shutil.which(name) or _newest(name, folders)
    if found is None:
        _give_up(f"{name} is not installed; on Debian: apt-get install {package}")
    return found


def plugin(name: str, *, package: str) -> str:
    """The path of a plug-in of Orthanc."""
    found = PLUGINS / name
    if not found.exists():
        _give_up(f"{name} is not installed; on Debian: apt-get install {package}")
    return str(found)


def _newest(name: str, folders: tuple[str, ...]) -> str | None:
    candidates = [path for folder in folders for path in Path("/").glob(folder.lstrip("/") + f"/{name}")]
    return str(max(candidates, key=_version)) if candidates else None


def _version(path: Path) -> list[int]:
    return [int(part) for part in path.parts if part.isdecimal()]


def _give_up(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason} ({REQUIRED}=1)", pytrace=False)
    pytest.skip(reason)
