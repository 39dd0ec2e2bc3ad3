"""Logging in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRefresh


class Login(LoginView):
    """Django's; but a fragment of a page whose session has ended is told to fetch the whole page again."""

    redirect_authenticated_user = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if getattr(request, "htmx", None):
            return HttpResponseClientRefresh()
        return super().get(request, *args, **kwargs)
