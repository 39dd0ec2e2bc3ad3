"""Clients of the API: an operator with a token, another one, a viewer, and nobody."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from knox.models import AuthToken
from pytest_django import Settings
from rest_framework.test import APIClient

from transfers.groups import VIEWERS

API = "/api/v1/"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Settings) -> Iterator[None]:
    """Uploads and temporary files of each test by themselves; nobody is throttled for what another test asked."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    settings.UPLOAD_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR = str(temporary)
    cache.clear()
    yield
    gc.collect()  # what broke off in the middle is held by its traceback
    assert list(temporary.iterdir()) == []


@pytest.fixture
def import_root(tmp_path: Path, settings: Settings) -> Path:
    root = tmp_path / "import"
    root.mkdir()
    settings.IMPORT_ROOTS = [str(root)]
    return root


def client_of(user: User) -> APIClient:
    _, token = AuthToken.objects.create(user)
    return APIClient(headers={"authorization": f"Token {token}"})


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("operator")


@pytest.fixture
def api(operator: User) -> APIClient:
    return client_of(operator)


@pytest.fixture
def other(db: None) -> APIClient:
    """Another operator."""
    return client_of(User.objects.create_user("other"))


@pytest.fixture
def viewer(db: None) -> APIClient:
    user = User.objects.create_user("viewer")
    user.groups.add(Group.objects.get_or_create(name=VIEWERS)[0])
    return client_of(user)


@pytest.fixture
def nobody() -> APIClient:
    return APIClient()
