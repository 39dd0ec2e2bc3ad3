"""The receiving side of the accelerator's push protocol, as strict as the plug-in is, and as forgiving."""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any, NamedTuple

from tests.fakes.accelerator_errors import Refused, badly_formed, out_of_range, unknown
from tests.fakes.accelerator_script import Script, Step
from tests.fakes.gateway import Answered, Behind, Call, inflated

_MD5_AT_ONCE = 1024 * 1024


class Announced(NamedTuple):
    """One instance of a transaction."""

    size: int
    md5: str


class Chunk(NamedTuple):
    """A stretch of an instance, in a bucket."""

    key: str
    offset: int
    size: int


@dataclass
class Transaction:
    instances: Mapping[str, Announced]
    buckets: Sequence[Sequence[Chunk]]
    is_gzip: bool
    folder: Path
    is_spoiled: bool = False

    def file_of(self, key: str) -> Path:
        return self.folder / hashlib.sha1(key.encode()).hexdigest()  # noqa: S324 a key is no path

    def begin(self) -> None:
        """Files that are all zeros, and as long as announced."""
        for key, announced in self.instances.items():
            with self.file_of(key).open("wb") as file:
                file.truncate(announced.size)

    def write(self, index: int, content: bytes) -> None:
        bucket = self.buckets[index]
        expected = sum(chunk.size for chunk in bucket)
        if len(content) != expected:
            raise Refused(500, 9, f"WriteUncompressedBucket: {len(content)} != {expected}")
        position = 0
        for chunk in bucket:
            announced = self.instances.get(chunk.key)
            if announced is None:
                raise unknown()
            if chunk.offset + chunk.size > announced.size:
                raise out_of_range()
            with self.file_of(chunk.key).open("r+b") as file:
                file.seek(chunk.offset)
                file.write(content[position : position + chunk.size])
            position += chunk.size

    def md5_of(self, key: str) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        with self.file_of(key).open("rb") as file:
            while content := file.read(_MD5_AT_ONCE):
                digest.update(content)
        return digest.hexdigest()

    def drop(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


class Receiving:
    """The transactions of one receiver: one global mutex, the least recently used is evicted without a word."""

    def __init__(
        self, behind: Behind, script: Script, most_transactions: int, commit_threads: int, ended: Event
    ) -> None:
        self._behind = behind
        self._script = script
        self._most = most_transactions
        self._commit_threads = commit_threads
        self._ended = ended
        self._mutex = Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="accelerator-")
        self._transactions: OrderedDict[str, Transaction] = OrderedDict()
        """By their IDs, the least recently used first."""
        self.largest_number = 0
        """Of transactions that were open at once."""

    def close(self) -> None:
        self.lose_everything()
        self._folder.cleanup()

    @property
    def open_transactions(self) -> list[str]:
        return list(self._transactions)

    def lose_everything(self) -> None:
        """As a restart does."""
        while self._transactions:
            self.evict()

    def evict(self) -> None:
        """Drop the least recently used."""
        _, transaction = self._transactions.popitem(last=False)
        transaction.drop()

    def answer(self, call: Call) -> Answered:
        """Of what is asked below /transfers/push. Raises Refused, NoAnswer."""
        segments = call.path.strip("/").split("/")[2:]
        step = _step(call.method, segments)
        if step is None:
            return Answered(405)
        self._script.begin(step)
        with self._mutex:
            answered = self._done(step, call, segments)
            self._script.end(step, self._ended)
        return answered

    def stored(self, transaction: Transaction) -> None:
        """Commit: MD5 and storing of one instance after another, in the order of their IDs. Raises Refused."""
        ordered = enumerate(sorted(transaction.instances))
        if not self._script.goes_on_past_failures:
            transaction.is_spoiled = True
            for number, key in ordered:
                self._store(transaction, key, number)
            transaction.is_spoiled = False
            return
        with ThreadPoolExecutor(self._commit_threads) as pool:
            failed = [each for each in pool.map(lambda each: self._failure(transaction, *each), ordered) if each]
        if failed:
            raise failed[-1]

    def _failure(self, transaction: Transaction, number: int, key: str) -> Refused | None:
        try:
            self._store(transaction, key, number)
        except Refused as error:
            return error
        return None

    def _done(self, step: Step, call: Call, segments: Sequence[str]) -> Answered:
        if step is Step.CREATE:
            return self._create(call)
        key = segments[0]
        if step is Step.PUT:
            self._put(key, segments[1], call.body)
        elif step is Step.COMMIT:
            self._commit(key)
        else:
            self._transaction(key)
            self._transactions.pop(key).drop()
        return Answered.of({})

    def _create(self, call: Call) -> Answered:
        key = str(uuid.uuid4())
        transaction = transaction_of(call.body, Path(self._folder.name) / key)
        if len(self._transactions) >= self._most:
            self.evict()
        transaction.folder.mkdir()
        transaction.begin()
        self._transactions[key] = transaction
        self.largest_number = max(self.largest_number, len(self._transactions))
        return Answered.of({"ID": key, "Path": f"/transfers/push/{key}"})

    def _put(self, key: str, index: str, body: bytes) -> None:
        transaction = self._transaction(key)
        self._transactions.move_to_end(key)
        if not index.isascii() or not index.isdigit():
            raise unknown()
        if int(index) >= len(transaction.buckets):
            raise out_of_range()
        transaction.write(int(index), _uncompressed(body) if transaction.is_gzip else body)

    def _commit(self, key: str) -> None:
        transaction = self._transaction(key)
        if transaction.is_spoiled:
            raise Refused(500, -1)
        self.stored(transaction)
        self._transactions.pop(key).drop()

    def _store(self, transaction: Transaction, key: str, number: int) -> None:
        self._script.begin(Step.STORE)
        if number == self._script.commit_stops_after:
            raise Refused(500, 20)
        if transaction.md5_of(key) != transaction.instances[key].md5:
            raise Refused(500, 20)
        answered = self._behind.ask("POST", "/instances", transaction.file_of(key).read_bytes())
        if answered.status != 200:
            raise Refused(answered.status, json.loads(answered.body or b"{}").get("OrthancStatus", 1))

    def _transaction(self, key: str) -> Transaction:
        transaction = self._transactions.get(key)
        if transaction is None:
            raise unknown()
        return transaction


def transaction_of(body: bytes, folder: Path) -> Transaction:
    """What a create announces. Raises Refused."""
    try:
        document = json.loads(body)
        instances = {
            _text(each["ID"]): Announced(_number(each["Size"]), _text(each["MD5"]))
            for each in _list(document["Instances"])
        }
        buckets = [
            [Chunk(_text(each["ID"]), _number(each["Offset"]), _number(each["Size"])) for each in _list(bucket)]
            for bucket in _list(document["Buckets"])
        ]
        compression = _text(document["Compression"])
    except (ValueError, KeyError, TypeError) as error:
        raise badly_formed() from error
    return Transaction(instances, buckets, is_gzip_asked(compression), folder)


def is_gzip_asked(compression: str) -> bool:
    """Raises Refused."""
    if compression not in {"gzip", "none"}:
        raise out_of_range()
    return compression == "gzip"


def _step(method: str, segments: Sequence[str]) -> Step | None:
    match method, segments:
        case "POST", []:
            return Step.CREATE
        case "DELETE", [_]:
            return Step.DISCARD
        case "POST", [_, "commit"]:
            return Step.COMMIT
        case "PUT", [_, _]:
            return Step.PUT
    return None


def _uncompressed(body: bytes) -> bytes:
    try:
        return inflated(body)
    except (OSError, EOFError, zlib.error) as error:
        raise badly_formed() from error


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    """Numbers travel as text; others are refused."""
    text = _text(value)
    if not text.isascii() or not text.isdigit():
        raise ValueError
    return int(text)
