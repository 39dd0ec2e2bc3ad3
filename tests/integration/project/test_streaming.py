"""Responses that are produced bit by bit, served from an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

from django.http import HttpRequest, StreamingHttpResponse
from django.test import AsyncClient, AsyncRequestFactory, RequestFactory

from project.streaming import CHUNK_BYTES, stream_from_thread

STATIC_FILE = "/static/admin/css/base.css"


def stream_of(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """What an ASGI server is given to send."""
    respond = stream_from_thread(lambda _request: StreamingHttpResponse(parts))
    return aiter(cast("AsyncIterator[bytes]", respond(AsyncRequestFactory().get("/"))))


async def test_a_static_file_is_whole_and_django_warns_of_nothing() -> None:
    answer = await AsyncClient().get(STATIC_FILE)

    content = b"".join([part async for part in cast("AsyncIterator[bytes]", answer)])
    assert len(content) == int(answer["Content-Length"]) > 10_000
    assert "Access-Control-Allow-Origin" not in answer


async def test_what_is_asked_for_is_produced_and_no_more() -> None:
    produced: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(10):
            produced.append(number)
            yield b"x" * CHUNK_BYTES

    first = await anext(stream_of(parts()))

    assert len(first) == CHUNK_BYTES
    assert produced == [0]


async def test_small_parts_go_out_together() -> None:
    sent = [part async for part in stream_of(iter([b"a", b"b", b"", b"c"]))]

    assert sent == [b"abc"]


def test_other_servers_are_given_the_response_as_it_is() -> None:
    made = StreamingHttpResponse(iter([b"a"]))

    def answer(_request: HttpRequest) -> StreamingHttpResponse:
        return made

    response = stream_from_thread(answer)(RequestFactory().get("/"))

    assert response is made
    assert not made.is_async
