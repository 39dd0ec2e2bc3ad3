"""What is answered where a page failed by an error that is not the request's."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from project.bodies import DISK_FULL, page_of
from transfers.uploads import is_full_disk


def server_error(request: HttpRequest) -> HttpResponse:
    """The page of an error of ours; a full disk is said to be one, since somebody can make room."""
    if is_full_disk(sys.exc_info()[1]):
        media_type, content = page_of(DISK_FULL, request.path)
        return HttpResponse(content, media_type, DISK_FULL.answer.value)
    return defaults.server_error(request)
