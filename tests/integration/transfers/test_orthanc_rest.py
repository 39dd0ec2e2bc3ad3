"""Whole transfers by POST /instances: to real Orthancs, and to what answers as no Orthanc can be made to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.observations import EvidenceKind
from tests.commands import destination_for, send, uids_of
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from transfers.methods.base import ReconnectPolicy
from transfers.models import Destination

pytestmark = pytest.mark.django_db(transaction=True)

ID = "f689ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfers.run.RECONNECT", ReconnectPolicy(first_wait_seconds=0.02))


def to(url: str, **fields: Any) -> Destination:
    quick = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.2, "associations": 2}
    return Destination.objects.create(name="rest", kind="orthanc", url=url, **(quick | fields))


def test_what_is_stored_is_committed_and_has_the_digests_of_what_was_sent(orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 12)

    outcome = send(to(orthanc.url), folder, "--verify", "content")

    assert (outcome.exit_code, outcome.transfer["method"]) == (0, "orthanc-rest")
    assert (outcome.transfer["verdict"], outcome.transfer["proof"]) == ("committed", "identical")
    assert outcome.kind_counts == Counter(sent=12, acknowledged=12, present=12, identical=12)


def test_what_is_compressed_on_the_way_is_stored_as_it_was(orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 3)

    outcome = send(to(orthanc.url), folder, "--verify", "content", "--option", "gzip=yes")

    assert outcome.transfer["proof"] == "identical"


def test_what_is_filtered_out_is_refused_though_the_answer_was_200(filtering_orthanc: Orthanc, folder: Path) -> None:
    paths = write_study(folder, 10)

    outcome = send(to(filtering_orthanc.url), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert Counter(outcome.verdicts.values()) == Counter(confirmed=8, refuted=2)
    assert {uid for uid in uids_of(paths) if "refused" in outcome.kinds(uid)} == {
        uid for uid, verdict in outcome.verdicts.items() if verdict == "refuted"
    }


@pytest.mark.parametrize(
    ("noise", "kind", "verdict"), [(0, "identical", "committed"), (7, "conflict", "nothing-stored")], ids=str
)
def test_what_was_there_already_is_compared_where_ours_was_thrown_away(
    orthanc: Orthanc, tmp_path: Path, noise: int, kind: str, verdict: str
) -> None:
    uid, study, series = unique_uid(), unique_uid(), unique_uid()
    for name, pixels in (("old", 0), ("new", noise)):
        (tmp_path / name).mkdir()
        write_instance(
            tmp_path / name, study_instance_uid=study, series_instance_uid=series, sop_instance_uid=uid, noise=pixels
        )
    destination = to(orthanc.url)
    send(destination, tmp_path / "old")

    outcome = send(destination, tmp_path / "new", "--verify", "none")

    assert outcome.kinds(uid) == ["sent", "acknowledged", kind]
    assert outcome.transfer["verdict"] == verdict


def test_what_was_sent_by_c_store_before_is_the_same_content(orthanc: Orthanc, folder: Path) -> None:
    """DCMTK writes another file of it, whose digest is another one."""
    write_study(folder, 2)
    send(destination_for(orthanc), folder)

    outcome = send(to(orthanc.url), folder, "--verify", "none")

    assert outcome.transfer["verdict"] == "committed"
    assert outcome.kind_counts["conflict"] == 0


def test_with_wrong_credentials_nothing_is_sent(web: MakeWeb, folder: Path) -> None:
    write_study(folder, 3)
    peer = web(lambda _: Reply(401))

    outcome = send(to(peer.url), folder)

    assert outcome.transfer["verdict"] in {"unverifiable", "nothing-stored"}
    assert outcome.kind_counts["not-sent"] == 3
    assert not [asked for asked in peer.asked if asked.path == "/instances"]


Answer = Callable[[Asked], Reply]


def an_orthanc(post: Answer) -> Answer:
    """A service that answers to POST /instances what the test wants."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/system":
            return Reply(200, b'{"Version": "1.10.1"}', "application/json")
        return post(asked) if asked.path == "/instances" else Reply(404)

    return answer


def said(status: int = 200, **body: Any) -> Reply:
    return Reply(status, json.dumps(body).encode(), "application/json")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (said(ID=ID, Status="Success"), "acknowledged"),
        (said(ID=ID, Status="FilteredOut"), "refused"),
        (said(ID=ID, Status="Failure"), "refused"),
        (said(ID=ID, Status="Later"), "answer-unclear"),
        (said(Status="Success"), "answer-unclear"),
        (Reply(200, b"[{}]", "application/json"), "answer-unclear"),
        (Reply(200, b"stored", "text/plain"), "answer-unclear"),
        (Reply(200, b'{"Status": "' + b"x" * 100_000 + b'"}', "application/json"), "answer-unclear"),
        (said(400, Message="Bad file format"), "refused"),
        (Reply(400, b"<html>Bad Request</html>", "text/html"), "answer-unclear"),
        (said(507, Message="The file storage is full"), "refused"),
        (Reply(500), "no-answer"),
        (Reply(200, b'{"Status": "Suc', "application/json", cut_after=5), "no-answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}-{value.body[:20]!r}",
)
def test_what_an_answer_means(web: MakeWeb, folder: Path, reply: Reply, kind: str) -> None:
    (path,) = write_study(folder, 1)
    peer = web(an_orthanc(lambda _: reply))

    outcome = send(to(peer.url), folder, "--verify", "none")

    (uid,) = uids_of([path])
    assert EvidenceKind(outcome.kinds(uid)[-1]) == kind
    assert outcome.transfer["verdict"] == ("nothing-stored" if kind == "refused" else "unverifiable")


def test_what_cannot_be_compared_is_unproven_though_it_is_listed(web: MakeWeb, folder: Path) -> None:
    (path,) = write_study(folder, 1)
    peer = web(an_orthanc(lambda _: said(ID=ID, Status="AlreadyStored")))

    outcome = send(to(peer.url), folder, "--verify", "none")

    assert outcome.kinds(uids_of([path])[0]) == ["sent", "acknowledged", "unreadable"]
    assert outcome.transfer["verdict"] == "unverifiable"


def test_a_lost_request_is_sent_again_whole_and_an_answered_one_never(web: MakeWeb, folder: Path) -> None:
    write_study(folder, 4)
    bodies: list[bytes] = []

    def post(asked: Asked) -> Reply:
        bodies.append(asked.body)
        return Reply(is_dropped=True) if len(bodies) == 2 else said(ID=ID, Status="Success")

    outcome = send(to(web(an_orthanc(post)).url, associations=1), folder, "--verify", "none")

    assert outcome.kind_counts == Counter({"sent": 5, "acknowledged": 4, "no-answer": 1})
    assert len(bodies) == 5
    assert sorted(Counter(bodies).values()) == [1, 1, 1, 2]
    assert {path.read_bytes() for path in folder.iterdir()} == set(bodies)


def test_a_busy_service_is_given_the_time_that_it_asks_for(web: MakeWeb, folder: Path) -> None:
    write_study(folder, 1)
    asked_at: list[Asked] = []

    def post(asked: Asked) -> Reply:
        asked_at.append(asked)
        return Reply(503, headers={"Retry-After": "1"}) if len(asked_at) == 1 else said(ID=ID, Status="Success")

    outcome = send(to(web(an_orthanc(post)).url), folder, "--verify", "none")

    assert outcome.kind_counts["acknowledged"] == 1
