"""What a source answers about its jobs and aliases, as it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Reply
from tests.fakes.web_archives import always
from tests.peers.orthanc import Orthanc
from transfers.aliases import Alias, AliasKind
from transfers.endpoints import OrthancEndpoint
from transfers.errors import MalformedAnswer, RequestRefused, ResourceNotFound, ServiceFailed
from transfers.wire.http import HttpSession
from transfers.wire.orthanc_aliases import read_aliases
from transfers.wire.orthanc_jobs import Job, OrthancJobs

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), "application/json")


def read(web: MakeWeb, value: Any) -> Job | None:
    with HttpSession(OrthancEndpoint(web(always(reply(value))).url)) as session:
        return OrthancJobs(session).read(UNKNOWN)


def test_a_job_that_a_real_one_does_not_know_is_none(source_orthanc: Orthanc) -> None:
    with HttpSession(OrthancEndpoint(source_orthanc.url)) as session:
        jobs = OrthancJobs(session)

        assert jobs.read(UNKNOWN) is None
        jobs.cancel(UNKNOWN)


def test_a_real_one_says_why_it_takes_no_job(source_orthanc: Orthanc) -> None:
    with HttpSession(OrthancEndpoint(source_orthanc.url)) as session:
        jobs = OrthancJobs(session)

        with pytest.raises(ResourceNotFound, match="No peer with symbolic name: NOPE"):
            jobs.post("/peers/NOPE/store", {"Resources": [], "Synchronous": False})
        with pytest.raises(RequestRefused):
            jobs.post("/peers/WEB/store", {"Synchronous": False})
        source_orthanc.add_modality("NOBODY", ("NOBODY", "127.0.0.1", 1))
        with pytest.raises(ServiceFailed, match="Connection refused"):
            jobs.ask_commitment("NOBODY", [("1.2.840.10008.5.1.4.1.1.2", "2.25.1")])
        with pytest.raises(ResourceNotFound):
            jobs.commitment("2.25.1")


def test_the_reason_of_a_plug_in_is_in_its_content(web: MakeWeb) -> None:
    job = read(
        web,
        {
            "State": "Failure",
            "ErrorCode": 1,
            "ErrorDescription": "Error encountered within the plugin engine",
            "ErrorDetails": "",
            "Content": {"InstancesCount": "7", "FunctionErrorDescription": "Bad", "FunctionErrorDetails": "4 of 5"},
        },
    )

    assert job is not None
    assert job.said == "Bad: 4 of 5"
    assert job.count("InstancesCount") == 7


@pytest.mark.parametrize("value", [[], {}, {"State": 1}, "Success"])
def test_what_is_no_job_is_noticed(web: MakeWeb, value: Any) -> None:
    with pytest.raises(MalformedAnswer):
        read(web, value)


def test_what_its_content_lacks_is_not_counted(web: MakeWeb) -> None:
    job = read(web, {"State": "Success", "Content": {"A": True, "B": "x", "C": "٣", "D": 1.5, "F": "9" * 5000}})

    assert job is not None
    assert [job.count(member) for member in "ABCDEF"] == [None] * 6


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (
            AliasKind.MODALITY,
            {"OK": ["PACS", "pacs.example", 104], "B": {"AET": "X"}, "C": 7, "bad\nname": ["A", "h", 1]},
        ),
        (AliasKind.PEER, {"OK": ["http://pacs.example/"], "B": {}, "C": [7], "D": None, "E": ["http://a/\ud800"]}),
        (
            AliasKind.SERVER,
            {"OK": {"Url": "http://pacs.example/", "ChunkedTransfers": "0"}, "B": {"Url": 3}, "C": {"Url": "h" * 1001}},
        ),
    ],
)
def test_aliases_are_read_in_either_form_and_what_is_none_is_left_out(
    web: MakeWeb, kind: AliasKind, answer: Any
) -> None:
    with HttpSession(OrthancEndpoint(web(always(reply(answer))).url)) as session:
        (alias,) = read_aliases(session, kind)

    expected = {
        AliasKind.MODALITY: Alias(kind, "OK", "pacs.example", 104, "PACS"),
        AliasKind.PEER: Alias(kind, "OK", url="http://pacs.example/"),
        AliasKind.SERVER: Alias(kind, "OK", url="http://pacs.example/", is_chunked=False),
    }
    assert alias == expected[kind]


def test_without_the_plug_in_there_are_no_aliases_of_it(web: MakeWeb) -> None:
    with HttpSession(OrthancEndpoint(web(always(reply({}, 404))).url)) as session:
        assert read_aliases(session, AliasKind.SERVER) == ()


def test_a_list_of_aliases_that_is_none_is_noticed(web: MakeWeb) -> None:
    with HttpSession(OrthancEndpoint(web(always(reply([]))).url)) as session, pytest.raises(MalformedAnswer):
        read_aliases(session, AliasKind.PEER)
