"""Lets responses that are produced bit by bit in a thread go out bit by bit from the event loop too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

CHUNK_BYTES = 65536
"""Joined before they are handed over: a change of threads costs more than a copy."""


def stream_from_thread(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Middleware. Django would read the whole of it into memory first, and warn of that for every static file."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if isinstance(request, ASGIRequest) and isinstance(response, StreamingHttpResponse) and not response.is_async:
            response.streaming_content = _in_chunks(iter(response.streaming_content))  # type: ignore[arg-type]
        return response

    return respond


async def _in_chunks(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(_next_chunk)(parts):
        yield chunk


def _next_chunk(parts: Iterator[bytes]) -> bytes:
    chunk = bytearray()
    for part in parts:
        chunk += part
        if len(chunk) >= CHUNK_BYTES:
            break
    return bytes(chunk)
