"""A disk that has no room for what is being received: 507, with what to do, wherever it comes from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from project.bodies import BodyHandler
from transfers.models import Destination
from transfers.uploads import is_full_disk

FULL = "/dev/full"
"""A device that takes nothing: writing to it fails as on a full disk."""


@pytest.fixture
def client(db: None, tmp_path: Path, settings: Settings) -> Client:
    settings.UPLOAD_DIR, settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads", str(tmp_path)
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("operator"))
    return client


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(**where: Any) -> tuple[int, str]:
        return os.open(FULL, os.O_WRONLY), f"{where['dir']}/received"

    monkeypatch.setattr(tempfile, "mkstemp", opened)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("address", ["/new/", "/api/v1/batches/"])
def test_files_of_a_form_that_find_no_room_are_said_to_find_none(client: Client, address: str) -> None:
    Destination.objects.create(name="archive", host="127.0.0.1", port=104, called_ae_title="ARCHIVE")

    answer = client.post(address, {"destination": "archive", "files": SimpleUploadedFile("x", bytes(100_000))})

    assert answer.status_code == 507
    assert b"disk of the server is full" in answer.content
    assert answer["Content-Type"] == ("text/html; charset=utf-8" if address == "/new/" else "application/problem+json")


async def test_a_body_that_finds_no_room_is_an_error_of_the_disk(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10

    def opened(**_: Any) -> IO[bytes]:
        return Path(FULL).open("r+b", buffering=0)

    monkeypatch.setattr(tempfile, "TemporaryFile", opened)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(1000), "more_body": True}

    with pytest.raises(OSError, match="No space left") as raised:
        await BodyHandler().read_body(receive)
    assert is_full_disk(raised.value)


def postgresqls(sqlstate: str) -> OperationalError:
    cause = Exception()
    cause.sqlstate = sqlstate  # type: ignore[attr-defined]
    error = OperationalError("could not extend file")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("make", "is_full"),
    [
        (lambda: OperationalError("database or disk is full"), True),
        (lambda: postgresqls("53100"), True),
        (lambda: postgresqls("53300"), False),
        (lambda: OperationalError("database is locked"), False),
        (lambda: OSError(122, "Disk quota exceeded"), True),
        (lambda: OSError(5, "Input/output error"), False),
        (lambda: ValueError("disk is full"), False),
        (lambda: None, False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(make: Callable[[], BaseException | None], is_full: bool) -> None:
    assert is_full_disk(make()) is is_full
