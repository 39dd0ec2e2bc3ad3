"""Fixtures for the fakes: scripted archives, as many as a test needs."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from tests.fakes.archive import Archive
from tests.fakes.script import Script


class MakeArchive(Protocol):
    """Starts an archive that ends with the test."""

    def __call__(
        self, script: Script | None = None, *, ae_title: str = "SCRIPTED", tls: ssl.SSLContext | None = None
    ) -> Archive: ...


@pytest.fixture
def archive() -> Iterator[MakeArchive]:
    """Scripted archives on free ports: `archive(Script(…))`."""
    with ExitStack() as stack:

        def start(
            script: Script | None = None, *, ae_title: str = "SCRIPTED", tls: ssl.SSLContext | None = None
        ) -> Archive:
            return stack.enter_context(Archive(script, ae_title=ae_title, tls=tls))

        yield start
