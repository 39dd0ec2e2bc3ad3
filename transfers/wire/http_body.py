"""The body of a request, watched while it is streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized

from transfers.wire.http_watch import Exchange

Body = bytes | Iterable[bytes]
"""A streamed one that has a length is sent with it, another one in chunks (RFC 9112 6)."""


class _Streamed:
    """A body that takes as long as it needs while its pieces are taken; one that has a length keeps it."""

    def __init__(self, body: Iterable[bytes], exchange: Exchange) -> None:
        self._body = body
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._body:
            self._exchange.renew()
            yield chunk


class _Sized(_Streamed):
    def __init__(self, body: Iterable[bytes], exchange: Exchange, size_bytes: int) -> None:
        super().__init__(body, exchange)
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes


def watched(body: Body | None, exchange: Exchange) -> Body | None:
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, Sized):
        return _Sized(body, exchange, len(body))
    return _Streamed(body, exchange)
