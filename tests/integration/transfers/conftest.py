"""A destination and claimed transfers, for tests that need no network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.ledger_walk import LedgerWalk
from tests.manifests import study
from transfers import services
from transfers.models import Destination, Transfer
from transfers.queue import this_process


@pytest.fixture
def destination(db: None) -> Destination:
    return Destination.objects.create(name="archive", host="127.0.0.1", port=104, called_ae_title="ARCHIVE")


@pytest.fixture
def create(destination: Destination) -> Callable[..., Transfer]:
    """Create a transfer of three instances, claimed by this process unless told otherwise."""

    def create(worker: str | None = None, instances: int = 3, **more: object) -> Transfer:
        return services.create_transfer(
            study(instances),
            destination=destination,
            method="c-store",
            verify="presence",
            worker=this_process() if worker is None else worker,
            **more,  # type: ignore[arg-type]
        )

    return create


@pytest.fixture
def whole_ledger(db: None) -> Iterator[None]:
    """Whatever the test does, the ledger is as it was written afterwards."""
    yield
    assert list(LedgerWalk().breaks()) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    return folder


def dead() -> str:
    """The name of a process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{this_process().rpartition('/')[0]}/{process.pid}"
