"""People in front of the pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from transfers.groups import VIEWERS


@pytest.fixture
def operator(db: None) -> Client:
    """The browser of somebody who may look and send."""
    return _browser_of(User.objects.create_user("operator"))


@pytest.fixture
def viewer(db: None) -> Client:
    """The browser of somebody who may only look."""
    user = User.objects.create_user("viewer")
    user.groups.add(Group.objects.get(name=VIEWERS))
    return _browser_of(user)


def _browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser
