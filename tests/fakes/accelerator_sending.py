"""The sending side of the accelerator: what POST /transfers/send starts, pushed to a peer, or pulled by it."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Lock, Thread
from typing import Any

import urllib3

from tests.fakes.accelerator_errors import Refused, badly_formed, message_of, unknown
from tests.fakes.accelerator_receiving import Announced, Chunk, Receiving, Transaction, is_gzip_asked
from tests.fakes.accelerator_script import Script, Step
from tests.fakes.gateway import Answered, Behind, Call

_FOLDERS = {"patient": "patients", "study": "studies", "series": "series", "instance": "instances"}
_ENGINE_ERROR, _CANCELED = 1, 37


@dataclass(frozen=True, slots=True)
class AcceleratorPeer:
    """What an OrthancPeers entry says of another Orthanc."""

    url: str
    remote_self: str = ""
    """How the peer knows us: what is sent to it is then pulled by it."""


class Job:
    """Push or pull, in a thread of its own; GET /jobs/{id} shows what Orthanc would."""

    def __init__(self, kind: str, content: dict[str, Any], priority: int) -> None:
        self.key = str(uuid.uuid4())
        self.kind = kind
        self.content = content
        self.priority = priority
        self.state = "Pending"
        self.error_code = 0
        self.buckets = self.done = 0
        self.cancelled = Event()

    def document(self) -> dict[str, Any]:
        finished = {"CompletionTime": "20261125T120000.000000"} if self.state in {"Success", "Failure"} else {}
        progress = 100 if self.state == "Success" else round(100 * (1 + self.done) / (2 + self.buckets))
        return {
            "Content": self.content,
            "CreationTime": "20261125T120000.000000",
            "EffectiveRuntime": 0.1,
            "ErrorCode": self.error_code,
            "ErrorDescription": message_of(self.error_code) if self.error_code else "Success",
            "ErrorDetails": "",
            "ID": self.key,
            "Priority": self.priority,
            "Progress": progress if self.state != "Pending" else 0,
            "State": self.state,
            "Timestamp": "20261125T120000.000000",
            "Type": self.kind,
        } | finished

    def run(self, work: Callable[[Job], None]) -> None:
        self.state = "Running"
        try:
            work(self)
        except Exception:  # noqa: BLE001 whatever it is, the job says no more than this
            self._fail(_CANCELED if self.cancelled.is_set() else _ENGINE_ERROR)
        else:
            self.state = "Success"

    def check(self) -> None:
        if self.cancelled.is_set():
            raise Refused(500, _CANCELED)

    def _fail(self, error_code: int) -> None:
        self.error_code = error_code
        self.state = "Failure"


@dataclass
class Sending:
    """What is sent by, and pulled by, the Orthanc behind; and what others pull from it."""

    behind: Behind
    script: Script
    peers: Mapping[str, AcceleratorPeer]
    receiving: Receiving
    bucket_bytes: int
    jobs_history: int
    originator: str = field(default_factory=lambda: str(uuid.uuid4()))
    _jobs: dict[str, Job] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def close(self) -> None:
        for job in self._jobs.values():
            job.cancelled.set()
        self._pool.clear()

    def forget_jobs(self) -> None:
        """As a restart of the plug-in's Orthanc can."""
        for job in self._jobs.values():
            job.cancelled.set()
        self._jobs = {}

    def answer(self, call: Call) -> Answered | None:
        """Of what is asked below /transfers and /jobs, but the push protocol. Raises Refused."""
        match call.method, call.path.strip("/").split("/"):
            case "GET", ["transfers", "peers"]:
                return Answered.of({name: self._mode(peer) for name, peer in self.peers.items()})
            case "POST", ["transfers", "send"]:
                return self._send(call)
            case "POST", ["transfers", "pull"]:
                return self._pull(call)
            case "POST", ["transfers", "lookup"]:
                return Answered.of(self._lookup(_json(call)))
            case "GET", ["transfers", "chunks", keys]:
                return self._chunks(keys.split("."), call.query)
            case _, ["jobs", *rest]:
                return self._of_jobs(call, rest)
        return Answered(405)

    def _of_jobs(self, call: Call, rest: Sequence[str]) -> Answered | None:
        if not rest:
            return self._listed(call) if call.method == "GET" else None
        job = self._jobs.get(rest[0])
        return self._about(job, call.method, rest[1:]) if job else None

    def _mode(self, peer: AcceleratorPeer) -> str:
        try:
            answer = self._pool.request("GET", peer.url.rstrip("/") + "/plugins", timeout=2.0)
        except urllib3.exceptions.HTTPError:
            return "disabled"
        if answer.status != 200 or "transfers" not in answer.json():
            return "disabled"
        return "bidirectional" if peer.remote_self else "installed"

    def _send(self, call: Call) -> Answered:
        asked = _json(call)
        try:
            resources, compression, name = asked["Resources"], asked["Compression"], asked["Peer"]
        except (KeyError, TypeError) as error:
            raise badly_formed() from error
        is_gzip_asked(compression)
        peer = self.peers.get(name)
        if peer is None:
            raise unknown()
        if peer.remote_self:
            return self._have_it_pulled(peer, name, resources, compression)
        content = {"Resources": resources, "Peer": name, "Compression": compression}
        job = Job("PushTransfer", {}, asked.get("Priority", 0))
        transfer_id = asked.get("SenderTransferID") or job.key
        return self._started(job, lambda job: self._push(job, peer, content, transfer_id))

    def _have_it_pulled(self, peer: AcceleratorPeer, name: str, resources: Any, compression: str) -> Answered:
        body = {
            "Resources": resources,
            "Compression": compression,
            "Originator": self.originator,
            "Peer": peer.remote_self,
        }
        url = peer.url.rstrip("/") + "/"
        try:
            answer = self._pool.request("POST", url + "transfers/pull", body=json.dumps(body).encode())
        except urllib3.exceptions.HTTPError as error:
            raise Refused(500, 9) from error
        if answer.status != 200:
            raise Refused(500, 9)
        job = answer.json()["ID"]
        return Answered.of({"Peer": name, "RemoteJob": job, "URL": f"{url}/jobs/{job}"})

    def _pull(self, call: Call) -> Answered:
        asked = _json(call)
        try:
            resources, compression, name = asked["Resources"], asked["Compression"], asked["Peer"]
        except (KeyError, TypeError) as error:
            raise badly_formed() from error
        is_gzip_asked(compression)
        if name not in self.peers:
            raise unknown()
        originator = {"Originator": asked["Originator"]} if "Originator" in asked else {}
        content = {"Resources": resources, "Peer": name, "Compression": compression} | originator
        job = Job("PullTransfer", {}, asked.get("Priority", 0))
        return self._started(job, lambda job: self._fetch(job, self.peers[name], content))

    def _started(self, job: Job, work: Callable[[Job], None]) -> Answered:
        with self._lock:
            self._jobs[job.key] = job
            finished = [key for key, each in self._jobs.items() if each.state in {"Success", "Failure"}]
            for key in finished[: -self.jobs_history or None]:
                del self._jobs[key]
        Thread(target=job.run, args=(work,), name="accelerator job", daemon=True).start()
        return Answered.of({"ID": job.key, "Path": f"/jobs/{job.key}"})

    def _listed(self, call: Call) -> Answered:
        answered = self.behind.pass_on(call)
        if answered.status != 200:
            return answered
        own = [job.document() if "expand" in call.query else key for key, job in self._jobs.items()]
        return Answered.of(json.loads(answered.body) + own)

    def _about(self, job: Job, method: str, rest: Sequence[str]) -> Answered:
        if method == "GET" and not rest:
            return Answered.of(job.document())
        if method == "POST" and rest == ["cancel"]:
            job.cancelled.set()
            return Answered.of({})
        raise Refused(404, 17)

    def _lookup(self, resources: Any) -> dict[str, Any]:
        found = {key: self._announced(key) for key in self._instances_of(resources)}
        total = sum(each.size for each in found.values())
        return {
            "CountInstances": len(found),
            "Instances": [_described(key, found[key]) for key in sorted(found)],
            "Originator": self.originator,
            "TotalSize": str(total),
            "TotalSizeMB": total >> 20,
        }

    def _instances_of(self, resources: Any) -> Iterator[str]:
        if not isinstance(resources, list):
            raise badly_formed()
        for resource in resources:
            level, key = resource["Level"].lower(), resource["ID"]
            if level not in _FOLDERS:
                raise Refused(400, 3)
            suffix = "" if level == "instance" else "/instances"
            answered = self.behind.ask("GET", f"/{_FOLDERS[level]}/{key}{suffix}")
            if answered.status != 200:
                raise unknown()
            found = json.loads(answered.body)
            yield from (each["ID"] for each in ([found] if level == "instance" else found))

    def _file(self, key: str) -> bytes:
        answered = self.behind.ask("GET", f"/instances/{key}/file")
        if answered.status != 200:
            raise unknown()
        return answered.body

    def _announced(self, key: str) -> Announced:
        content = self._file(key)
        return Announced(len(content), hashlib.md5(content, usedforsecurity=False).hexdigest())

    def _chunks(self, keys: Sequence[str], query: Mapping[str, str]) -> Answered:
        try:
            offset, size = int(query.get("offset", 0)), int(query.get("size", 0))
        except ValueError as error:
            raise Refused(400, 5) from error
        content = b"".join(self._file(key) for key in keys)[offset:]
        content = content[:size] if size else content
        if is_gzip_asked(query.get("compression", "none")):
            return Answered(200, gzip.compress(content), {"Content-Type": "application/gzip"})
        return Answered(200, content, {"Content-Type": "application/octet-stream"})

    def _push(self, job: Job, peer: AcceleratorPeer, content: dict[str, Any], transfer_id: str) -> None:
        found = {key: self._announced(key) for key in self._instances_of(content["Resources"])}
        buckets = laid_out({key: each.size for key, each in found.items()}, self.bucket_bytes)
        _describe(job, content, found, buckets, "UploadedSizeMB")
        if not found:
            return
        wire = _Wire(self._pool, peer.url, transfer_id)
        is_gzip = content["Compression"] == "gzip"
        path = wire.create(
            {
                "Instances": [_described(key, found[key]) for key in sorted(found)],
                "Buckets": [[_described_chunk(chunk) for chunk in bucket] for bucket in buckets],
                "Compression": content["Compression"],
            }
        )
        try:
            for index, bucket in enumerate(buckets):
                self.script.begin(Step.SEND_BUCKET)
                job.check()
                bytes_of_it = b"".join(self._file(each.key)[each.offset : each.offset + each.size] for each in bucket)
                wire.ask("PUT", f"{path}/{index}", gzip.compress(bytes_of_it) if is_gzip else bytes_of_it)
                job.done += 1
            self.script.begin(Step.SEND_COMMIT)
            job.check()
        except Exception:
            wire.discard(path)
            raise
        wire.ask("POST", f"{path}/commit", b"")

    def _fetch(self, job: Job, peer: AcceleratorPeer, content: dict[str, Any]) -> None:
        wire = _Wire(self._pool, peer.url, job.key)
        told = json.loads(wire.ask("POST", "/transfers/lookup", json.dumps(content["Resources"]).encode()))
        if content.get("Originator", told["Originator"]) != told["Originator"]:
            raise Refused(500, 1)
        found = {each["ID"]: Announced(int(each["Size"]), each["MD5"]) for each in told["Instances"]}
        buckets = laid_out({key: each.size for key, each in found.items()}, self.bucket_bytes)
        _describe(job, content, found, buckets, "DownloadedSizeMB")
        transaction = Transaction(found, buckets, is_gzip=False, folder=Path(mkdtemp(prefix="accelerator-pull-")))
        try:
            transaction.begin()
            for index, bucket in enumerate(buckets):
                self.script.begin(Step.SEND_BUCKET)
                job.check()
                transaction.write(index, wire.chunks(bucket, is_gzip=content["Compression"] == "gzip"))
                job.done += 1
            self.script.begin(Step.SEND_COMMIT)
            job.check()
            self.receiving.stored(transaction)
        finally:
            shutil.rmtree(transaction.folder)


@dataclass
class _Wire:
    """Requests to a peer, joined as Orthanc 1.10.1 joins them."""

    pool: urllib3.PoolManager
    url: str
    transfer_id: str

    def ask(self, method: str, path: str, body: bytes) -> bytes:
        headers = {"sender-transfer-id": self.transfer_id, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.pool.request(method, self.url.rstrip("/") + "/" + path, body=body, headers=headers)
        if answer.status != 200:
            raise Refused(answer.status, _ENGINE_ERROR)
        return answer.data

    def create(self, document: Mapping[str, Any]) -> str:
        return str(json.loads(self.ask("POST", "/transfers/push", json.dumps(document).encode()))["Path"])

    def discard(self, path: str) -> None:
        try:
            self.ask("DELETE", path, b"")
        except (Refused, urllib3.exceptions.HTTPError):
            return

    def chunks(self, bucket: Sequence[Chunk], *, is_gzip: bool) -> bytes:
        keys = ".".join(chunk.key for chunk in bucket)
        size = sum(chunk.size for chunk in bucket)
        compression = "gzip" if is_gzip else "none"
        path = f"/transfers/chunks/{keys}?offset={bucket[0].offset}&size={size}&compression={compression}"
        content = self.ask("GET", path, b"")
        return gzip.decompress(content) if is_gzip else content


def laid_out(sizes: Mapping[str, int], target: int) -> list[list[Chunk]]:
    """The buckets of instances of these sizes: large ones cut or alone, and first; small ones in groups."""
    alone: list[list[Chunk]] = []
    groups: list[list[Chunk]] = []
    group: list[Chunk] = []
    for key in sorted(sizes):
        size = sizes[key]
        if size < target:
            group.append(Chunk(key, 0, size))
            if sum(chunk.size for chunk in group) >= target:
                groups.append(group)
                group = []
            continue
        count = -(-size // (2 * target)) if size >= 2 * target else 1
        each = size // count
        alone += [[Chunk(key, n * each, each if n < count - 1 else size - n * each)] for n in range(count)]
    return alone + groups + ([group] if group else [])


def _describe(
    job: Job,
    content: dict[str, Any],
    found: Mapping[str, Announced],
    buckets: Sequence[Sequence[Chunk]],
    moved: str,
) -> None:
    job.buckets = len(buckets)
    total = sum(each.size for each in found.values()) >> 20
    figures = {"CompletedHttpQueries": 0, "NetworkSpeedKBs": 0}
    job.content = content | {"TotalInstances": len(found), "TotalSizeMB": total, moved: total} | figures


def _described(key: str, announced: Announced) -> dict[str, str]:
    return {"ID": key, "Size": str(announced.size), "MD5": announced.md5}


def _described_chunk(chunk: Chunk) -> dict[str, str]:
    return {"ID": chunk.key, "Offset": str(chunk.offset), "Size": str(chunk.size)}


def _json(call: Call) -> Any:
    try:
        return call.json()
    except ValueError as error:
        raise badly_formed() from error
