"""Who may do what: every active account may look and send, members of the group Viewers may only look.

Destinations are kept in the admin site, by staff who were given the permission.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from transfers.groups import VIEWERS


def may_operate(user: User | AnonymousUser) -> bool:
    """Whether the user may send, cancel, retry and verify."""
    return user.is_active and not user.groups.filter(name=VIEWERS).exists()


def permissions(request: HttpRequest) -> dict[str, bool]:
    """Context processor: `may_operate`."""
    user = getattr(request, "user", None)
    return {"may_operate": user is not None and may_operate(user)}


class MayLookOrOperate(BasePermission):
    """Of the API: whoever is logged in may read, and may change things unless among the viewers."""

    message = "Members of the group Viewers may only look."

    def has_permission(self, request: Request, _view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        return request.method in SAFE_METHODS or may_operate(request.user)
