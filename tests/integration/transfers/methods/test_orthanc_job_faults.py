"""Jobs of a source that answers as no real one can be made to."""

from __future__ import annotations

import time
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from audit.entries import ManifestEntry
from audit.judgements import InstanceVerdict
from audit.observations import EvidenceKind
from tests.fakes.fixtures import MakeWeb
from tests.fakes.source_jobs import JOB_ID, LOST, Source, as_json, failed, job
from tests.fakes.web import Asked, Reply
from tests.integration.transfers.methods.jobs import (
    DESTINATION,
    FAILED,
    NO_ANSWER,
    NOT_SENT,
    PEER,
    POLICY,
    SUCCEEDED,
    SentByJobs,
    context_of,
    job_threads,
    send,
    told_entries,
)
from transfers.methods import METHODS, orthanc_job_calls
from transfers.methods.base import Checkpoint


@pytest.fixture
def entries() -> list[ManifestEntry]:
    return told_entries()


def test_what_is_posted_is_never_permissive_and_not_waited_for(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([job("Pending"), job("Running"), job("Success")])

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert source.posts == [{"Resources": [entry.source_id for entry in entries], "Synchronous": False}]
    assert sent.finals(entries) == {SUCCEEDED}
    assert not [path for path in source.paths if "resubmit" in path]


def test_its_id_is_handed_out_before_it_is_looked_at(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([job("Success")])
    sending = METHODS[PEER].send(entries, context_of(web(source).url, DESTINATION))

    seen = next(each for each in sending if isinstance(each, Checkpoint))

    assert seen.kind == "job"
    assert seen.handle == {
        "id": JOB_ID,
        "where": "source",
        "sop_instance_uids": [entry.sop_instance_uid for entry in entries],
    }
    assert f"GET /jobs/{JOB_ID}" not in source.paths
    sending.close()  # type: ignore[attr-defined]
    assert not job_threads()


@pytest.mark.parametrize(
    "end",
    [
        job("Success", of=2),
        job("Success", of=0),
        job("Success", content={"InstancesCount": None}),
        job("Success", content={"FailedInstancesCount": 1}),
        job("Success", content={"InstancesCount": "2"}),
    ],
)
def test_success_with_fewer_instances_than_it_was_given_is_none(
    web: MakeWeb, entries: list[ManifestEntry], end: dict[str, Any]
) -> None:
    once = replace(POLICY, attempts=1)
    sent = send(PEER, entries, context_of(web(Source([end])).url, DESTINATION, policy=once))

    assert sent.finals(entries) == {FAILED}
    assert sent.detail(entries[0], FAILED)["code"] == "job_incomplete"


def test_progress_of_100_with_failure_is_a_failure(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([job("Running"), failed(ErrorDetails="\x1b[31mpeer\nis full")])

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert sent.finals(entries) == {FAILED}
    detail = sent.detail(entries[0], FAILED)
    assert detail["reason"] == "The source's job failed: Error in the network protocol: [31mpeer is full."
    assert (detail["error_code"], detail["progress"]) == (9, 100)
    assert len(source.posts) == 3


@pytest.mark.parametrize(
    ("looks", "code"),
    [
        ([job("Running"), as_json({}, 404)], "job_forgotten"),
        ([job("Running"), job("Success", kind="OtherJob")], "job_forgotten"),
        ([job("Running"), LOST], "answer_cut"),
        ([job("Running"), Reply(401)], "credentials_refused"),
        ([job("Running"), Reply(body=b"no JSON", content_type="application/json")], "malformed_answer"),
    ],
)
def test_a_job_of_which_nobody_knows_the_end_proves_nothing(
    web: MakeWeb, entries: list[ManifestEntry], looks: list[Any], code: str
) -> None:
    sent = send(PEER, entries, context_of(web(Source(looks)).url, DESTINATION))

    assert sent.finals(entries) == {NO_ANSWER}
    assert sent.last_detail(entries[0], NO_ANSWER)["code"] == code
    assert sent.verdict(entries[0]) is InstanceVerdict.UNPROVEN


def test_a_source_that_comes_back_in_time_is_listened_to(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([job("Running"), LOST, LOST, job("Running"), LOST, LOST, job("Success")])

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert sent.finals(entries) == {SUCCEEDED}
    assert len(source.posts) == 1


def test_after_a_failure_a_new_job_sends_what_is_missing(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([failed(), job("Success", of=1)])
    context = context_of(web(source).url, DESTINATION, missing=lambda asked: [entries[2]] if len(asked) > 1 else asked)

    sent = send(PEER, entries, context)

    assert [each["Resources"] for each in source.posts] == [
        [entry.source_id for entry in entries],
        [entries[2].source_id],
    ]
    assert sent.of(entries[0]) == [FAILED]
    assert sent.of(entries[2]) == [NO_ANSWER, SUCCEEDED]
    assert sent.verdict(entries[2], EvidenceKind.PRESENT) is InstanceVerdict.CONFIRMED


def test_what_somebody_cancelled_is_not_begun_again(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([failed() | {"ErrorCode": 37}])

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert sent.finals(entries) == {FAILED}
    assert sent.detail(entries[0], FAILED)["code"] == "job_cancelled"
    assert len(source.posts) == 1


@pytest.mark.parametrize(
    ("posted", "code", "posts"),
    [
        (Reply(403), "credentials_refused", 1),
        (as_json({"Message": "Bad request", "Details": "what\x00ever"}, 400), "request_refused", 1),
        (as_json({}, 404), "resource_not_found", 3),
    ],
)
def test_where_the_source_takes_no_job_nothing_was_sent(
    web: MakeWeb, entries: list[ManifestEntry], posted: Reply, code: str, posts: int
) -> None:
    source = Source([job("Success")], posted)

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert sent.finals(entries) == {NOT_SENT}
    assert sent.detail(entries[0], NOT_SENT)["code"] == code
    assert len(source.posts) == posts
    assert sent.checkpoints == []


@pytest.mark.parametrize("posted", [LOST, Reply(500), as_json({}), as_json({"ID": "../../shutdown"}), Reply(504)])
def test_where_it_may_have_begun_a_job_nobody_knows_what_was_sent(
    web: MakeWeb, entries: list[ManifestEntry], posted: Reply
) -> None:
    source = Source([job("Success")], posted)

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert sent.finals(entries) == {NO_ANSWER}
    assert sent.verdict(entries[0]) is InstanceVerdict.UNPROVEN
    assert not [path for path in source.paths if path.startswith("GET /jobs")]


def test_an_instance_that_goes_away_just_before_the_job_is_left_out(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    there = True

    def gone(asked: Asked) -> Reply:
        return as_json({"ID": entries[1].source_id, "FileSize": 100}) if there else as_json({}, 404)

    def store(_: Asked) -> Reply:
        nonlocal there
        there = False
        return as_json({"OrthancStatus": 17, "Message": "Unknown resource"}, 404)

    source = Source([job("Success", of=2)], other={f"/instances/{entries[1].source_id}": gone})
    refuse_once = iter([store])

    def posting(asked: Asked) -> Reply:
        first = next(refuse_once, None)
        return first(asked) if first else source.posted

    source.other = {**source.other, "/peers/DEST/store": posting}

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert sent.final(entries[1]) is NOT_SENT
    assert sent.finals([entries[0], entries[2]]) == {SUCCEEDED}


def test_a_source_that_cannot_be_reached_sends_nothing(entries: list[ManifestEntry]) -> None:
    sent = send(PEER, entries, context_of("http://127.0.0.1:1", DESTINATION))

    assert sent.finals(entries) == {NOT_SENT}
    assert sent.detail(entries[0], NOT_SENT)["code"] == "service_unreachable"


def test_a_stop_is_waited_for_two_seconds_at_most(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    """The job goes on, whatever it is told."""
    source, stop, sent = Source([job("Running")]), Event(), SentByJobs()

    for seen in METHODS[PEER].send(entries, context_of(web(source).url, DESTINATION, stop=stop)):
        sent.add(seen)
        if sent.checkpoints:
            stop.set()

    assert f"POST /jobs/{JOB_ID}/cancel" in source.paths
    assert sent.finals(entries) == {NO_ANSWER}
    assert sent.detail(entries[0], NO_ANSWER)["code"] == "stopped"
    assert not job_threads()


FROZEN = Reply(trickles_its_head=True, seconds_a_byte=0.05)


@pytest.mark.parametrize("frozen_at", ["/peers", "/peers/DEST/store", f"/jobs/{JOB_ID}"])
def test_a_source_that_answers_without_end_holds_up_neither_the_reader_nor_a_stop(
    web: MakeWeb, entries: list[ManifestEntry], frozen_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orthanc_job_calls, "GRACE_SECONDS", 0.2)
    source, stop, sent = Source([job("Success")], other={frozen_at: lambda _: FROZEN}), Event(), SentByJobs()
    began, longest, last, idle = 0.0, 0.0, time.monotonic(), 0

    for seen in METHODS[PEER].send(entries, context_of(web(source).url, DESTINATION, stop=stop)):
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        sent.add(seen)
        idle += seen is None
        if idle == 3 and not stop.is_set():
            stop.set()
            began = now

    assert time.monotonic() - began < 2
    assert longest < 0.5
    assert sent.finals(entries) == {NOT_SENT if frozen_at == "/peers" else NO_ANSWER}
    assert not job_threads()


def test_closing_it_in_the_middle_ends_its_threads(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([FROZEN])
    sending = METHODS[PEER].send(entries, context_of(web(source).url, DESTINATION))
    next(seen for seen in sending if isinstance(seen, Checkpoint))
    assert [next(sending), next(sending), next(sending)][1:] == [None, None]

    sending.close()  # type: ignore[attr-defined]

    assert not job_threads()


def test_a_job_that_succeeds_while_it_is_cancelled_has_succeeded(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source, stop, sent = Source([job("Running"), job("Success")]), Event(), SentByJobs()

    for seen in METHODS[PEER].send(entries, context_of(web(source).url, DESTINATION, stop=stop)):
        sent.add(seen)
        if sent.checkpoints:
            stop.set()

    assert sent.finals(entries) == {SUCCEEDED}


def test_of_an_earlier_job_only_what_it_was_to_send_is_said(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([job("Success", of=2), job("Success", of=1)])
    uids = [entries[0].sop_instance_uid, "2.25.99"]
    earlier = Checkpoint("job", {"id": JOB_ID, "where": "source", "sop_instance_uids": uids})

    sent = send(PEER, entries[:2], context_of(web(source).url, DESTINATION, checkpoints=[earlier]))

    assert sent.finals(entries[:2]) == {SUCCEEDED}
    assert [each["Resources"] for each in source.posts] == [[entries[1].source_id]]
