"""One's own account: what it may do, and its tokens for programs."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from knox.models import AuthToken


@require_GET
def account(request: HttpRequest) -> HttpResponse:
    return _page(request)


@never_cache
@require_POST
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, once: only its digest is kept, so no later page can."""
    _, token = AuthToken.objects.create(_user_of(request))
    return _page(request, new_token=token)


@require_POST
def delete_token(request: HttpRequest) -> HttpResponse:
    """Delete one of one's own, by the beginning that the page shows of it."""
    found = AuthToken.objects.filter(user=_user_of(request), token_key=request.POST.get("token", ""))
    if found.delete()[0]:
        messages.success(request, "The token is deleted: it opens nothing any more.")
    return redirect("account")


def _page(request: HttpRequest, new_token: str = "") -> HttpResponse:
    tokens = AuthToken.objects.filter(user=_user_of(request)).order_by("-created")
    context = {"tokens": [{"begins": each.token_key, "created_at": each.created} for each in tokens]}
    return render(request, "registration/account.html", context | {"new_token": new_token})


def _user_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # nobody else comes past the middleware
    return request.user
