"""Ways of every method, impatient ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from django.conf import settings

from audit.ledger_walk import LedgerWalk
from tests.acceptance.faults.cases import POLICY, MakeRoute
from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST, free_port
from tests.routes import Route
from transfers import preflight, run
from transfers.methods import METHODS
from transfers.probes.base import ProbeContext


@pytest.fixture(params=sorted(METHODS))
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RECONNECT", POLICY)
    monkeypatch.setattr(run, "ProbeContext", partial(ProbeContext, preflight_retry_seconds=0.2))
    monkeypatch.setattr(preflight, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(settings, "DICOM_PORT", free_port())
    monkeypatch.setattr(settings, "LISTENER_HOST", HOST)


@pytest.fixture(autouse=True)
def _whole_ledger(db: None) -> Iterator[None]:
    yield
    assert list(LedgerWalk().breaks()) == []


@pytest.fixture
def routes(key: str, web_orthanc: Orthanc, source_orthanc: Orthanc) -> Iterator[MakeRoute]:
    """Ways of the method, to a real Orthanc unless another one is named."""
    with ExitStack() as stack:

        def make(destination: Orthanc = web_orthanc, source: Orthanc = source_orthanc, **more: Any) -> Route:
            return stack.enter_context(Route(key, destination, source, **more))

        yield make
