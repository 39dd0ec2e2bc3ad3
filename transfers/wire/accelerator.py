"""The push protocol of Orthanc's transfers accelerator, its sending side: create, put buckets, commit or discard.

A transaction announces instances by size and MD5, takes their bytes in buckets, in any order and more than once, and
stores nothing before its commit, which stores one instance after another and undoes nothing. The receiver forgets
transactions without a word: all when it is restarted, the least recently used one when too many are open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from transfers.errors import MalformedAnswer, NotTheService, ResourceNotFound
from transfers.wire.http import HttpAnswer, HttpSession
from transfers.wire.orthanc import Orthanc

PLUGIN = "transfers"
"""How /plugins names it."""
Compression = Literal["none", "gzip"]

_PATH = re.compile(r"/+(transfers/push/[0-9A-Za-z-]{1,64})")
_COOKIE = re.compile(r"(?:^|,)\s*([!#$%&'*+.^_`|~\w-]+=[^;,]*)")
_PIECE_BYTES = 128 * 1024
"""A socket's time-out counts for one piece, not for all of a bucket."""
_LARGEST_ANSWER_BYTES = 64 * 1024


class PushedInstance(NamedTuple):
    """What a transaction announces of one instance."""

    key: str
    """Its name within the transaction; instances are committed in the order of these. Orthanc uses its own IDs."""
    size_bytes: int
    """Of the whole Part 10 file."""
    md5: str
    """Of the same: 32 lower-case hexadecimal digits, or the commit fails."""


class Chunk(NamedTuple):
    """A stretch of an instance's file."""

    key: str
    offset: int
    size_bytes: int


Bucket = tuple[Chunk, ...]
"""What one request carries, one chunk after the other."""


class SizedBody:
    """Bytes that are sent piece by piece, under a Content-Length: the receiver takes no chunked body."""

    def __init__(self, content: bytes | bytearray | memoryview) -> None:
        self._content = memoryview(content)

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), _PIECE_BYTES):
            # The library takes anything that has the buffer interface.
            yield self._content[start : start + _PIECE_BYTES]  # type: ignore[misc]


class Transaction:
    """One transaction of a receiver. All raise RequestError; ResourceNotFound where the receiver has forgotten it."""

    def __init__(self, path: str, sender_transfer_id: str, cookie: str = "") -> None:
        """`path`: as the receiver named it. Raises MalformedAnswer where it leads elsewhere."""
        matched = _PATH.fullmatch(path)
        if matched is None:
            raise MalformedAnswer("The service named a transaction that is none of the accelerator's.")
        self.path = "/" + matched.group(1)
        self._headers = _headers(sender_transfer_id) | ({"Cookie": cookie} if cookie else {})

    def put(self, session: HttpSession, index: int, content: bytes | memoryview) -> None:
        """Put the bucket at this place of the layout; once more does no harm."""
        headers = self._headers | {"Content-Type": "application/octet-stream"}
        path = f"{self.path}/{index}"
        with session.open("PUT", path, headers=headers, body=SizedBody(content), is_repeatable=True) as answer:
            _check(answer)
            answer.read(_LARGEST_ANSWER_BYTES)

    def commit(self, session: HttpSession, seconds: float) -> None:
        """Have all stored. Only where this returns it says so; any error leaves open what is stored by now, or later.

        A transaction whose commit failed is of no more use, and has to be discarded all the same.
        """
        with session.open("POST", f"{self.path}/commit", headers=self._headers, body=b"", seconds=seconds) as answer:
            _check(answer)
            if not isinstance(answer.json(_LARGEST_ANSWER_BYTES), dict):
                raise MalformedAnswer

    def discard(self, session: HttpSession, seconds: float) -> None:
        """Have it forgotten, its bytes with it; what a commit has stored stays.

        Raises NotTheService where it is not the receiver that does not know it, but what stands in front of it.
        """
        try:
            self._delete(session, seconds)
        except ResourceNotFound:
            _check_receiver(session)
            raise

    def _delete(self, session: HttpSession, seconds: float) -> None:
        with session.open("DELETE", self.path, headers=self._headers, seconds=seconds, is_repeatable=True) as answer:
            _check(answer)
            answer.read(_LARGEST_ANSWER_BYTES)


def _check_receiver(session: HttpSession) -> None:
    try:
        Orthanc(session).system()
    except ResourceNotFound as error:
        raise NotTheService("Something else answers in place of the receiver. Check the path in the URL.") from error


def create_transaction(
    session: HttpSession,
    instances: Iterable[PushedInstance],
    buckets: Sequence[Bucket],
    *,
    compression: Compression,
    sender_transfer_id: str,
    seconds: float,
) -> Transaction:
    """Announce what will be put. Raises RequestError; where no answer came, one may be open that nobody can name."""
    headers = _headers(sender_transfer_id) | {"Content-Type": "application/json"}
    body = SizedBody(_announcement(instances, buckets, compression))
    with session.open("POST", "/transfers/push", headers=headers, body=body, seconds=seconds) as answer:
        _check(answer)
        created = answer.json(_LARGEST_ANSWER_BYTES)
        path = created.get("Path") if isinstance(created, dict) else None
        if not isinstance(path, str):
            raise MalformedAnswer("The service did not name the transaction that it made.")
        return Transaction(path, sender_transfer_id, _cookie(answer))


def _headers(sender_transfer_id: str) -> dict[str, str]:
    return {"Accept": "application/json", "sender-transfer-id": sender_transfer_id}


def _announcement(
    instances: Iterable[PushedInstance], buckets: Iterable[Bucket], compression: Compression
) -> bytearray:
    """Numbers travel as text. Put together piece by piece, since a study can have 100,000 instances."""
    content = bytearray(b'{"Compression":' + _json(compression) + b',"Instances":[')
    content += b",".join(_json({"ID": each.key, "Size": str(each.size_bytes), "MD5": each.md5}) for each in instances)
    content += b'],"Buckets":['
    content += b",".join(
        _json([{"ID": each.key, "Offset": str(each.offset), "Size": str(each.size_bytes)} for each in bucket])
        for bucket in buckets
    )
    content += b"]}"
    return content


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _check(answer: HttpAnswer) -> None:
    if answer.status_code != HTTPStatus.OK:
        raise MalformedAnswer(f"The service answered {answer.status_code}, where only 200 says that it was done.")


def _cookie(answer: HttpAnswer) -> str:
    """What keeps later requests at the same receiver behind a load balancer (Set-Cookie, RFC 6265 4.1)."""
    return "; ".join(_COOKIE.findall(answer.headers.get("Set-Cookie", "")))
