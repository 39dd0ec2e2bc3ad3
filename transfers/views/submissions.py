"""A new transfer: what to send, where to, and how. It becomes a batch, which waits as a draft."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST

from transfers import uploads
from transfers.errors import TransferError
from transfers.models import Destination
from transfers.permissions import may_operate
from transfers.submission_form import SubmissionForm
from transfers.submitted_files import submit_with_files
from transfers.views.submission_context import folder_context, page_context, unused_uploads

OPEN = "open"
"""Of the buttons that open a folder of the server; its value is a path, which belongs into no address."""
FOLDERS = "folders"


@require_http_methods(["GET", "POST"])
def new_transfer(request: HttpRequest) -> HttpResponse:
    """The form; what it makes is shown on a page of its own."""
    user = operator_of(request)
    if OPEN in request.POST:
        return _with_folder_open(request, user)
    if request.method == "GET":
        return _page(request, SubmissionForm(user=user, initial=_initial(request)))
    form = SubmissionForm(request.POST, files=request.FILES, user=user)
    if form.is_valid():
        try:
            batch = submit_with_files(form.submission(), form.received, by=user)
        except TransferError as error:
            form.add_error(None, str(error))
        else:
            return see_other(reverse("batch", args=[batch.public_id]))
    return _page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY)


@require_POST
def clear_uploads(request: HttpRequest) -> HttpResponse:
    """Delete what one uploaded and never submitted."""
    user = operator_of(request)
    for upload in unused_uploads(user):
        try:
            uploads.remove(upload)
        except uploads.UploadError as error:
            messages.error(request, str(error))
    return see_other(reverse("new-transfer"))


def operator_of(request: HttpRequest) -> User:
    """Who asks. Raises PermissionDenied for who may only look."""
    user = cast(User, request.user)
    if not may_operate(user):
        raise PermissionDenied
    return user


def see_other(url: str) -> HttpResponseRedirect:
    """After a form: the address is to be fetched, and nothing is sent twice."""
    answer = HttpResponseRedirect(url)
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer


def _with_folder_open(request: HttpRequest, user: User) -> HttpResponse:
    """The same form with another folder open and chosen; for htmx the folders alone."""
    path = request.POST[OPEN]
    if getattr(request, "htmx", None) and request.htmx.target == FOLDERS:  # type: ignore[attr-defined]
        answer = render(request, "submissions/_folders.html", folder_context(path))
    else:
        said = request.POST.copy()
        said["path"] = path
        form = SubmissionForm(user=user, initial=_as_initial(said))
        answer = _page(request, form)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _page(request: HttpRequest, form: SubmissionForm, answer: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    return render(request, "submissions/new.html", page_context(form, operator_of(request)), status=answer)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """The destination that a link named; or the only one."""
    names = list(Destination.objects.values_list("name", flat=True)[:2])
    only = names[0] if len(names) == 1 else ""
    return {"destination": request.GET.get("destination", only)}


def _as_initial(said: Any) -> dict[str, Any]:
    """What was said so far, without judging it yet."""
    single = {name: said.get(name) for name in said if name not in {"uploads", OPEN}}
    return single | {"uploads": said.getlist("uploads")}
