"""The accelerator's counterpart answers as the plug-in was measured to: what it takes, and what it refuses."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.accelerator import Accelerator
from tests.fakes.accelerator_script import Script, Step
from tests.fakes.accelerator_sending import AcceleratorPeer
from tests.fakes.fixtures import MakeAccelerator
from tests.peers.orthanc import Orthanc

TARGET = 16 * 1024


class Client:
    """Bare requests, none of which is made right by a library of ours."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(retries=False)

    def close(self) -> None:
        self._pool.clear()

    def ask(self, method: str, path: str, body: Any = b"") -> tuple[int, Any]:
        """HTTP status, and the JSON of the body."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._pool.request(method, self._url + path, body=content)
        return answer.status, json.loads(answer.data) if answer.data else None

    def fails(self, method: str, path: str, body: Any = b"") -> tuple[int, int]:
        """HTTP and Orthanc status."""
        status, document = self.ask(method, path, body)
        return status, document["OrthancStatus"]

    def create(self, files: dict[str, bytes], **changes: Any) -> str:
        """A transaction with one bucket for each; its path."""
        status, document = self.ask("POST", "//transfers/push", announcing(files) | changes)
        assert status == 200
        assert document["Path"] == f"/transfers/push/{document['ID']}"
        return str(document["Path"])

    def finished(self, job: str) -> dict[str, Any]:
        for _ in range(1000):
            _, document = self.ask("GET", f"/jobs/{job}")
            if document["State"] in {"Success", "Failure"}:
                return dict(document)
            time.sleep(0.01)
        raise AssertionError("the job did not end")


@pytest.fixture
def peer(orthanc: Orthanc, accelerator: MakeAccelerator) -> Accelerator:
    return accelerator(orthanc, bucket_bytes=TARGET)


@pytest.fixture
def client(peer: Accelerator) -> Iterator[Client]:
    made = Client(peer.url)
    yield made
    made.close()


def announcing(files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "Instances": [
            {"ID": key, "Size": str(len(each)), "MD5": hashlib.md5(each, usedforsecurity=False).hexdigest()}
            for key, each in files.items()
        ],
        "Buckets": [[{"ID": key, "Offset": "0", "Size": str(len(each))}] for key, each in files.items()],
        "Compression": "none",
    }


def files_in(paths: Sequence[Path]) -> dict[str, bytes]:
    return {f"whatever-{number}": path.read_bytes() for number, path in enumerate(paths)}


def held(orthanc: Orthanc, paths: Sequence[Path]) -> int:
    """How many of these it has."""
    return len(orthanc.instances() & {entry.sop_instance_uid for entry in entries_of(paths)})


def test_it_is_the_orthanc_behind_with_a_plug_in_more(client: Client, orthanc: Orthanc) -> None:
    assert client.ask("GET", "/plugins")[1] == [*orthanc.rest("/plugins"), "transfers"]
    assert client.ask("GET", "/system")[1] == orthanc.rest("/system")
    assert client.ask("GET", "/changes?last")[1]["Last"] == orthanc.rest("/changes?last")["Last"]
    assert client.ask("GET", "/nowhere")[0] == 404


def test_nothing_is_stored_before_the_commit_and_all_of_it_then(
    client: Client, orthanc: Orthanc, tmp_path: Path
) -> None:
    paths = write_study(tmp_path, 3, size_bytes=500)
    files = files_in(paths)

    path = client.create(files)
    for index in (2, 0, 1, 1):
        assert client.ask("PUT", f"/{path}/{index}", list(files.values())[index]) == (200, {})
    before = held(orthanc, paths)

    assert client.ask("POST", f"/{path}/commit") == (200, {})
    assert (before, held(orthanc, paths)) == (0, 3)
    assert client.fails("POST", f"{path}/commit") == client.fails("DELETE", path) == (404, 17)


def test_buckets_may_be_compressed(client: Client, orthanc: Orthanc, tmp_path: Path) -> None:
    paths = write_study(tmp_path, 1, size_bytes=500)
    files = files_in(paths)
    path = client.create(files, Compression="gzip")

    assert client.fails("PUT", f"{path}/0", b"no gzip") == (400, 15)
    assert client.ask("PUT", f"{path}/0", gzip.compress(files["whatever-0"]))[0] == 200
    assert client.ask("POST", f"{path}/commit")[0] == 200
    assert held(orthanc, paths) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Compression": "deflate"}, (400, 3)),
        ({"Compression": None}, (400, 15)),
        ({"Instances": [{"ID": "a", "MD5": "0" * 32, "Size": 3}]}, (400, 15)),
        ({"Instances": [{"ID": "a", "MD5": "0" * 32}]}, (400, 15)),
        ({"Buckets": [[{"ID": "a", "Offset": 0, "Size": "3"}]]}, (400, 15)),
    ],
    ids=["unknown-compression", "no-compression", "number-for-text", "no-size", "number-for-offset"],
)
def test_what_is_announced_wrongly_is_refused(
    client: Client, change: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert client.fails("POST", "/transfers/push", announcing({"a": b"abc"}) | change) == expected
    assert client.fails("POST", "/transfers/push", b"no JSON") == (400, 15)


def test_what_is_put_wrongly_is_refused(client: Client) -> None:
    chunks = [[{"ID": "a", "Offset": "2", "Size": "2"}], [{"ID": "b", "Offset": "0", "Size": "3"}]]
    path = client.create({"a": b"abc"}, Buckets=chunks)

    assert client.fails("PUT", f"{path}/2", b"abc") == (400, 3)
    assert client.fails("PUT", f"{path}/one", b"abc") == (404, 17)
    assert client.fails("PUT", f"{path}/0", b"abc") == (500, 9)
    assert client.fails("PUT", f"{path}/0", b"ab") == (400, 3)
    assert client.fails("PUT", f"{path}/1", b"abc") == (404, 17)
    assert client.fails("PUT", "/transfers/push/nothing/0", b"abc") == (404, 17)
    assert client.ask("GET", path) == (405, None)
    assert client.ask("POST", f"{path}/0") == (405, None)


def test_a_failed_commit_keeps_what_it_stored_and_occupies_its_place(
    client: Client, peer: Accelerator, orthanc: Orthanc, tmp_path: Path
) -> None:
    paths = write_study(tmp_path, 3, size_bytes=500)
    files = files_in(paths)
    path = client.create(files)
    for index, content in enumerate(files.values()):
        client.ask("PUT", f"{path}/{index}", content if index < 2 else bytes(len(content)))

    assert client.fails("POST", f"{path}/commit") == (500, 20)
    assert held(orthanc, paths) == 2
    assert client.fails("POST", f"{path}/commit") == (500, -1)
    assert len(peer.open_transactions) == 1
    assert client.ask("DELETE", path) == (200, {})


def test_upper_case_and_what_is_no_dicom_fail_the_commit(client: Client) -> None:
    content = {"a": b"no DICOM"}
    announced = announcing(content)["Instances"]
    announced[0]["MD5"] = announced[0]["MD5"].upper()
    wrong, no_dicom = client.create(content, Instances=announced), client.create(content)
    for path in (wrong, no_dicom):
        client.ask("PUT", f"{path}/0", content["a"])

    assert client.fails("POST", f"{wrong}/commit") == (500, 20)
    assert client.fails("POST", f"{no_dicom}/commit") == (400, 15)


def test_since_1_7_it_goes_on_past_a_failure_and_may_be_asked_again(
    orthanc: Orthanc, accelerator: MakeAccelerator, tmp_path: Path
) -> None:
    client = Client(accelerator(orthanc, script=Script(goes_on_past_failures=True)).url)
    paths = write_study(tmp_path, 3, size_bytes=500)
    files = files_in(paths)
    path = client.create(files)
    for index, content in enumerate(files.values()):
        client.ask("PUT", f"{path}/{index}", content if index else bytes(len(content)))

    assert client.fails("POST", f"{path}/commit") == (500, 20)
    assert held(orthanc, paths) == 2
    client.ask("PUT", f"{path}/0", files["whatever-0"])
    assert client.ask("POST", f"{path}/commit")[0] == 200
    assert held(orthanc, paths) == 3
    client.close()


def test_the_least_recently_used_transaction_is_evicted_without_a_word(client: Client) -> None:
    paths = [client.create({"a": b"abc"}) for _ in range(4)]
    assert client.ask("PUT", f"{paths[0]}/0", b"abc")[0] == 200

    client.create({"a": b"abc"})

    assert client.fails("PUT", f"{paths[1]}/0", b"abc") == (404, 17)
    assert client.ask("PUT", f"{paths[0]}/0", b"abc")[0] == 200


def test_a_restart_of_the_orthanc_behind_loses_all(tmp_path: Path, accelerator: MakeAccelerator) -> None:
    with Orthanc(tmp_path) as orthanc:
        client = Client(accelerator(orthanc).url)
        path = client.create({"a": b"abc"})
        orthanc.kill()
        with pytest.raises(urllib3.exceptions.HTTPError):
            client.ask("PUT", f"{path}/0", b"abc")
        orthanc.start()

        assert client.fails("PUT", f"{path}/0", b"abc") == (404, 17)
        client.close()


def test_it_asks_for_credentials_where_the_orthanc_behind_does(tmp_path: Path, accelerator: MakeAccelerator) -> None:
    with Orthanc(tmp_path, users={"ann": "secret"}) as orthanc:
        client = Client(accelerator(orthanc).url)

        assert client.ask("GET", "/plugins")[0] == 401
        assert client.ask("POST", "/transfers/push", announcing({"a": b"abc"}))[0] == 401
        client.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that sends."""
    with Orthanc(tmp_path_factory.mktemp("source"), ae_title="SOURCE") as peer:
        yield peer


def in_source(source: Orthanc, paths: Sequence[Path]) -> str:
    """Put them there; the Orthanc ID of their study."""
    pool = urllib3.PoolManager()
    answers = [pool.request("POST", source.url + "/instances", body=path.read_bytes()).json() for path in paths]
    pool.clear()
    return str(answers[0]["ParentStudy"])


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("is_pulled", [False, True], ids=["push", "pull"])
def test_a_job_sends_a_study(  # noqa: PLR0917 both sides, and what is varied
    peer: Accelerator,
    source: Orthanc,
    accelerator: MakeAccelerator,
    tmp_path: Path,
    compression: str,
    is_pulled: bool,
) -> None:
    paths = [*write_study(tmp_path, 5, size_bytes=3000), *write_study(tmp_path, 1, size_bytes=40_000)]
    studies = [in_source(source, paths[:5]), in_source(source, paths[5:])]
    sender = accelerator(source, bucket_bytes=TARGET)
    sender.peers["B"] = AcceleratorPeer(peer.url, "A" if is_pulled else "")
    peer.peers["A"] = AcceleratorPeer(sender.url)
    sending, receiving = Client(sender.url), Client(peer.url)

    assert sending.ask("GET", "/transfers/peers")[1] == {"B": "bidirectional" if is_pulled else "installed"}
    resources = [{"Level": "study", "ID": each} for each in studies]
    status, answer = sending.ask(
        "POST", "/transfers/send", {"Resources": resources, "Compression": compression, "Peer": "B"}
    )

    assert status == 200
    if is_pulled:
        job = answer["RemoteJob"]
        assert answer == {"Peer": "B", "RemoteJob": job, "URL": f"{peer.url}//jobs/{job}"}
        assert sending.ask("GET", f"/jobs/{job}")[0] == 404
    else:
        job = answer["ID"]
        assert answer == {"ID": job, "Path": f"/jobs/{job}"}
    where = receiving if is_pulled else sending
    document = where.finished(job)
    assert (document["State"], document["ErrorCode"], document["Progress"]) == ("Success", 0, 100)
    assert document["Type"] == ("PullTransfer" if is_pulled else "PushTransfer")
    assert document["Content"]["TotalInstances"] == 6
    assert job in where.ask("GET", "/jobs")[1]
    assert held(peer.orthanc, paths) == 6
    sending.close()
    receiving.close()


def test_a_job_that_fails_does_not_say_why(
    peer: Accelerator, source: Orthanc, accelerator: MakeAccelerator, tmp_path: Path
) -> None:
    sender = accelerator(source, peers={"B": AcceleratorPeer(peer.url), "DOWN": AcceleratorPeer("http://127.0.0.1:1")})
    client = Client(sender.url)
    study = in_source(source, write_study(tmp_path, 3, size_bytes=500))
    peer.script.commit_stops_after = 2
    asked: dict[str, Any] = {"Resources": [{"Level": "Study", "ID": study}], "Compression": "none", "Peer": "B"}

    assert client.fails("POST", "/transfers/send", asked | {"Peer": "NOBODY"}) == (404, 17)
    assert client.fails("POST", "/transfers/send", asked | {"Compression": "zip"}) == (400, 3)
    assert client.fails("POST", "/transfers/send", {"Peer": "B"}) == (400, 15)
    for changes in ({}, {"Peer": "DOWN"}, {"Resources": [{"Level": "Study", "ID": "nothing"}]}):
        document = client.finished(client.ask("POST", "/transfers/send", asked | changes)[1]["ID"])
        assert (document["State"], document["ErrorCode"], document["ErrorDetails"]) == ("Failure", 1, "")
    assert document["Content"] == {}
    assert len(peer.open_transactions) == 1, "a failed commit is not discarded"
    client.close()


def test_a_cancelled_job_discards_its_transaction(
    peer: Accelerator, source: Orthanc, accelerator: MakeAccelerator, tmp_path: Path
) -> None:
    sender = accelerator(source, peers={"B": AcceleratorPeer(peer.url)})
    client = Client(sender.url)
    study = in_source(source, write_study(tmp_path, 3, size_bytes=500))
    jobs: list[str] = []

    def cancel(step: Step, number: int) -> None:
        if step is Step.SEND_COMMIT:
            client.ask("POST", f"/jobs/{client.ask('GET', '/jobs')[1][-1]}/cancel")

    sender.script.before = cancel
    resources = [{"Level": "Study", "ID": study}]
    jobs.append(
        client.ask("POST", "/transfers/send", {"Resources": resources, "Compression": "none", "Peer": "B"})[1]["ID"]
    )

    document = client.finished(jobs[0])
    assert (document["State"], document["ErrorCode"]) == ("Failure", 37)
    assert peer.received[-1].startswith("DELETE ")
    assert peer.open_transactions == []
    client.close()
