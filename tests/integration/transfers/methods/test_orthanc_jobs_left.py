"""Jobs of whose end nobody knows: what they may bring still is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from audit.entries import ManifestEntry
from tests.fakes.fixtures import MakeWeb
from tests.fakes.source_jobs import LOST, Source, as_json, failed, job
from tests.fakes.web import Asked, Reply
from tests.integration.transfers.methods.jobs import (
    ARCHIVE,
    DESTINATION,
    MODALITY,
    NO_ANSWER,
    PEER,
    POLICY,
    SUCCEEDED,
    context_of,
    send,
    told_entries,
)
from transfers.methods import METHODS
from transfers.methods.base import Checkpoint, Outliving, SendContext


@pytest.fixture
def entries() -> list[ManifestEntry]:
    return told_entries()


def test_a_busy_answer_may_be_that_of_a_gateway_which_had_passed_the_job_on(
    web: MakeWeb, entries: list[ManifestEntry]
) -> None:
    source = Source([job("Success")], Reply(503))
    context = context_of(web(source).url, DESTINATION)

    sent = send(PEER, entries, context)

    assert sent.finals(entries) == {NO_ANSWER}
    assert len(source.posts) == 3
    assert [each.handle["id"] for each in sent.checkpoints if each.outlives_send] == [""]


def test_a_job_after_a_busy_answer_is_not_the_first(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    def post(asked: Asked) -> Reply:
        source.posts.append(asked)
        return source.posted if len(source.posts) > 1 else Reply(503)

    source = Source([job("Success")], other={"/peers/DEST/store": post})

    sent = send(PEER, entries, context_of(web(source).url, DESTINATION))

    assert all(sent.of(entry) == [NO_ANSWER, SUCCEEDED] for entry in entries)


def test_something_else_that_does_not_know_a_job_is_not_its_source(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    gone = {"/system": lambda _: Reply(404)}
    source = Source([job("Running"), Reply(404)], other=gone)
    context = context_of(web(source).url, DESTINATION)

    sent = send(PEER, entries, context)

    left = [each for each in sent.checkpoints if each.outlives_send]
    assert sent.finals(entries) == {NO_ANSWER}
    assert under_way(PEER, context, left) == {entry.sop_instance_uid for entry in entries}


@pytest.mark.parametrize(
    ("last", "is_under_way"),
    [
        (job("Running"), True),
        (job("Paused"), True),
        (LOST, True),
        (job("Success"), False),
        (failed(), False),
        (as_json({}, 404), False),
    ],
)
def test_a_job_that_was_lost_may_go_on_until_it_is_seen_to_have_ended(
    web: MakeWeb, entries: list[ManifestEntry], last: Any, is_under_way: bool
) -> None:
    source = Source([job("Running"), LOST])
    context = context_of(web(source).url, DESTINATION, policy=replace(POLICY, attempts=1))

    left = left_by(PEER, entries, context)
    source.looks = [last]

    assert left
    assert under_way(PEER, context, left) == ({each.sop_instance_uid for each in entries} if is_under_way else set())


@pytest.mark.parametrize(
    ("listed", "is_under_way"),
    [
        ([], False),
        ([job("Success"), failed(), job("Running", kind="Archive")], False),
        ([job("Success"), job("Pending")], True),
        ({"not": "a list"}, True),
        ([job("Success"), "no job"], True),
    ],
)
def test_a_job_that_may_have_been_begun_may_go_on_while_any_of_its_kind_does(
    web: MakeWeb, entries: list[ManifestEntry], listed: Any, is_under_way: bool
) -> None:
    source = Source([job("Running")], posted=LOST, other={"/jobs": lambda _: as_json(listed)})
    context = context_of(web(source).url, DESTINATION, policy=replace(POLICY, attempts=1))

    left = left_by(PEER, entries, context)

    assert bool(under_way(PEER, context, left)) is is_under_way


def test_a_job_that_ended_or_was_forgotten_is_not_looked_at_any_more(
    web: MakeWeb, entries: list[ManifestEntry]
) -> None:
    for end in (job("Success"), failed(), as_json({}, 404)):
        context = context_of(web(Source([end])).url, DESTINATION, policy=replace(POLICY, attempts=1))

        assert not left_by(PEER, entries, context)


def test_no_commitment_is_asked_for_to_what_may_be_on_its_way(web: MakeWeb, entries: list[ManifestEntry]) -> None:
    source = Source([job("Running", kind="DicomModalityStore"), LOST])
    sent = send(MODALITY, entries, context_of(web(source).url, ARCHIVE, commitment=True))

    assert sent.finals(entries) == {NO_ANSWER}
    assert "POST /modalities/DEST/storage-commitment" not in source.paths


def left_by(method: str, entries: list[ManifestEntry], context: SendContext) -> list[Checkpoint]:
    """What outlives a send."""
    seen = list(METHODS[method].send(entries, context))
    return [each for each in seen if isinstance(each, Checkpoint) and each.outlives_send]


def under_way(method: str, context: SendContext, checkpoints: list[Checkpoint]) -> frozenset[str]:
    outliving = METHODS[method]
    assert isinstance(outliving, Outliving)
    return outliving.under_way(replace(context, checkpoints=tuple(checkpoints)))
