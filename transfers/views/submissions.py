"""A new transfer: what to send, where to, and how. It becomes a batch, which waits as a draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from transfers import uploads
from transfers.errors import TransferError
from transfers.models import Destination, Source
from transfers.permissions import may_operate
from transfers.study_search_form import StudySearchForm
from transfers.submission_form import SubmissionForm
from transfers.submitted_files import submit_with_files
from transfers.views.method_context import methods_context
from transfers.views.source_context import studies_context
from transfers.views.submission_context import (
    destination_of,
    folder_context,
    page_context,
    source_of,
    unused_uploads,
)

OPEN = "open"
"""Of the buttons that open a folder of the server; its value is a path, which belongs into no address."""
FOLDERS = "folders"
SEARCH = "search"
"""Of the button that searches the source; `clear`: its studies are no longer asked for."""
CLEAR = "clear"
FIT = "fit"
"""Of the button that shows which methods fit what is chosen by now."""
_LISTS = ("uploads", "studies")


@sensitive_post_parameters("patient_id", "accession_number", "path")
@require_http_methods(["GET", "POST"])
def new_transfer(request: HttpRequest) -> HttpResponse:
    """The form; what it makes is shown on a page of its own."""
    user = operator_of(request)
    for name, answer in _BUTTONS.items():
        if name in request.POST:
            return answer(request, user)
    if request.method == "GET":
        return _page(request, SubmissionForm(user=user, initial=_initial(request)))
    if _is_a_search(request.POST):  # Enter in one of its fields
        return _with_studies(request, user)
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
    if _wants(request, FOLDERS):
        answer = render(request, "submissions/_folders.html", folder_context(path))
    else:
        said = request.POST.copy()
        said["path"] = path
        answer = _page(request, _unjudged(said, user))
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _with_studies(request: HttpRequest, user: User) -> HttpResponse:
    """The same form with what the source has; for htmx its studies alone. Nobody but who asks learns of patients."""
    form = _unjudged(request.POST, user)
    if not _wants(request, "found"):
        answer = _page(request, form)
    elif request.POST.get(SEARCH) == CLEAR:
        answer = render(request, "submissions/_found.html", studies_context(source_of(form), None, searches=False))
    else:
        context = studies_context(source_of(form), request.POST, searches=True)
        answer = render(request, "submissions/_found.html", context)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _with_methods(request: HttpRequest, user: User) -> HttpResponse:
    """The same form with the methods that fit what is chosen; for htmx these alone."""
    form = _unjudged(request.POST, user)
    if _wants(request, "methods"):
        context = methods_context(form, destination_of(form), source_of(form))
        answer = render(request, "submissions/_methods.html", context)
    else:
        answer = _page(request, form)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


_BUTTONS: Mapping[str, Callable[[HttpRequest, User], HttpResponse]] = {
    OPEN: _with_folder_open,
    SEARCH: _with_studies,
    FIT: _with_methods,
}


def _wants(request: HttpRequest, fragment: str) -> bool:
    return bool(getattr(request, "htmx", None)) and request.htmx.target == fragment  # type: ignore[attr-defined]


def _is_a_search(said: QueryDict) -> bool:
    return bool(said.get("source")) and not said.getlist("studies") and not StudySearchForm(said).is_empty


def _page(request: HttpRequest, form: SubmissionForm, answer: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    context = page_context(form, operator_of(request), request.POST if request.method == "POST" else None)
    return render(request, "submissions/new.html", context, status=answer)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """The destination and the source that a link named; or the only destination."""
    names = list(Destination.objects.values_list("name", flat=True)[:2])
    only = names[0] if len(names) == 1 else ""
    source = request.GET.get("source", "")
    is_there = Source.objects.filter(name=source).exists()
    return {"destination": request.GET.get("destination", only), "source": source if is_there else ""}


def _unjudged(said: QueryDict, user: User) -> SubmissionForm:
    """With what was said so far."""
    single = {name: said.get(name) for name in said if name not in {*_LISTS, *_BUTTONS}}
    return SubmissionForm(user=user, initial=single | {name: said.getlist(name) for name in _LISTS})
