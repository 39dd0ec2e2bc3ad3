"""The group of accounts that may only look; made with the database."""

from __future__ import annotations

from typing import Any

from django.apps import apps

VIEWERS = "Viewers"


def create_group(using: str = "default", **_: Any) -> None:
    """post_migrate receiver: the group is there from the beginning."""
    apps.get_model("auth", "Group").objects.using(using).get_or_create(name=VIEWERS)
