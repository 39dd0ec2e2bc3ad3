"""Whole transfers out of a source that fails over one instance, by each way that streams: never a false verdict."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from audit.entries import ManifestEntry
from tests.commands import Outcome, destination_for, run
from tests.datasets import unique_uid, write_study
from tests.fakes.fixtures import MakeAccelerator, MakeWeb
from tests.fakes.web import Answer, Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers.methods.base import ReconnectPolicy
from transfers.models import Destination, Source, Transfer
from transfers.sources import orthanc as reading

pytestmark = pytest.mark.django_db(transaction=True)

Spoil = Callable[[Reply], Reply]
FAULTS: dict[str, tuple[Spoil, str]] = {
    "gone": (lambda _: Reply(404), "source_instance_gone"),
    "other bytes": (lambda file: replace(file, body=file.body[:-1] + b"x"), "source_instance_changed"),
    "shorter": (lambda file: replace(file, body=file.body[:-2]), "source_instance_changed"),
    "cut": (lambda file: replace(file, cut_after=len(file.body) // 2), "source_unavailable"),
    "unreadable": (lambda _: Reply(500), "source_unavailable"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfers.run.RECONNECT", ReconnectPolicy(first_wait_seconds=0.02))
    monkeypatch.setattr(reading, "_WAITS_SECONDS", (0.01,))
    monkeypatch.setattr("transfers.methods.sending.GRACE_SECONDS", 0.2)


@pytest.fixture
def entries(source_orthanc: Orthanc, folder: Path) -> list[ManifestEntry]:
    return stored_at(source_orthanc, write_study(folder, 4, size_bytes=2000, study_instance_uid=unique_uid()))


def in_front_of(peer: Orthanc, fault: Callable[[Asked], Spoil | None] = lambda _: None) -> Answer:
    """Hands everything on, and spoils what the fault says."""

    def answer(asked: Asked) -> Reply:
        spoil = fault(asked)
        query = "?" + "&".join(f"{name}={value}" for name, value in asked.query.items()) if asked.query else ""
        request = urllib.request.Request(  # noqa: S310  its own address
            peer.url + asked.path + query, data=asked.body or None, method=asked.method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                reply = Reply(body=response.read(), content_type=response.headers["Content-Type"])
        except urllib.error.HTTPError as error:
            reply = Reply(error.code)
        return spoil(reply) if spoil else reply

    return answer


def send(url: str, entries: list[ManifestEntry], to: Destination, *more: str) -> Outcome:
    source = Source.objects.create(name="research", url=url, connections=2)
    study = entries[0].study_instance_uid
    return run("send", "--from", source.name, "--study", study, "--to", to.name, "--json", *more)


def destination(peer: Orthanc, method: str) -> Destination:
    quick: dict[str, Any] = {"presence_settle_seconds": 0.1, "probe_retry_seconds": 0.2, "associations": 2}
    if method == "c-store":
        return destination_for(peer, **quick)
    kind, url = ("dicomweb", peer.dicom_web_url) if method == "stow-rs" else ("orthanc", peer.url)
    return Destination.objects.create(name="there", kind=kind, url=url, **quick)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        *product(["c-store", "orthanc-rest", "stow-rs"], ["other bytes", "cut"]),
        ("c-store", "gone"),
        ("orthanc-rest", "unreadable"),
        ("stow-rs", "shorter"),
    ],
)
def test_an_instance_that_the_source_spoils_is_not_sent_and_the_others_are(  # noqa: PLR0917  fixtures
    source_orthanc: Orthanc, web_orthanc: Orthanc, web: MakeWeb, entries: list[ManifestEntry], method: str, name: str
) -> None:
    spoil, code = FAULTS[name]
    spoiled = entries[1]
    file = f"/instances/{spoiled.source_id}/file"
    front = web(in_front_of(source_orthanc, lambda asked: spoil if asked.path == file else None))

    outcome = send(front.url, entries, destination(web_orthanc, method), "--method", method)

    assert outcome.transfer["verdict"] == "partial", outcome.output
    assert Counter(outcome.verdicts.values()) == Counter(confirmed=3, refuted=1)
    (said,) = (each for each in outcome.transfer["instances"] if each["sop_instance_uid"] == spoiled.sop_instance_uid)
    assert [each["kind"] for each in said["evidence"]] == ["not-sent", "absent"]
    assert said["evidence"][0]["detail"]["code"] == code
    assert web_orthanc.instances() & {entry.sop_instance_uid for entry in entries} == {
        entry.sop_instance_uid for entry in entries if entry is not spoiled
    }


@pytest.mark.parametrize("name", ["other bytes", "cut"])
def test_an_instance_that_the_source_spoils_is_in_no_push_transaction(  # noqa: PLR0917  fixtures
    source_orthanc: Orthanc,
    web_orthanc: Orthanc,
    web: MakeWeb,
    accelerator: MakeAccelerator,
    entries: list[ManifestEntry],
    name: str,
) -> None:
    spoil, _ = FAULTS[name]
    spoiled = entries[1]
    file = f"/instances/{spoiled.source_id}/file"
    front = web(in_front_of(source_orthanc, lambda asked: spoil if asked.path == file else None))
    fields: dict[str, Any] = {"presence_settle_seconds": 0.1, "probe_retry_seconds": 0.2}
    there = Destination.objects.create(name="there", kind="orthanc", url=accelerator(web_orthanc).url, **fields)

    outcome = send(front.url, entries, there, "--method", "accelerator")

    assert outcome.transfer["verdict"] == "partial", outcome.output
    assert outcome.verdicts[spoiled.sop_instance_uid] == "refuted"
    assert Counter(outcome.verdicts.values()) == Counter(confirmed=3, refuted=1)


def test_what_the_source_changed_is_not_compared_in_place_of_what_the_manifest_says(
    source_orthanc: Orthanc, web_orthanc: Orthanc, web: MakeWeb, entries: list[ManifestEntry]
) -> None:
    """Even where the destination holds, since before, the very bytes that the source hands out now."""
    spoil, _ = FAULTS["other bytes"]
    changed = entries[1]
    file = f"/instances/{changed.source_id}/file"
    front = web(in_front_of(source_orthanc, lambda asked: spoil if asked.path == file else None))
    with urllib.request.urlopen(front.url + file, timeout=30) as response:  # noqa: S310  its own address
        request = urllib.request.Request(f"{web_orthanc.url}/instances", data=response.read())  # noqa: S310
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    outcome = send(front.url, entries, destination(web_orthanc, "c-store"), "--verify", "content")

    kinds = outcome.kinds(changed.sop_instance_uid)
    assert outcome.verdicts[changed.sop_instance_uid] != "confirmed", kinds
    assert not {"identical", "equivalent"} & set(kinds)
    assert Counter(outcome.verdicts.values())["confirmed"] == 3


def test_a_source_that_goes_away_leaves_what_was_not_sent_to_the_same_send(
    source_orthanc: Orthanc, web_orthanc: Orthanc, web: MakeWeb, entries: list[ManifestEntry]
) -> None:
    """The whole study is sent by a retry, once the source is there again."""
    away = [True]
    front = web(
        in_front_of(
            source_orthanc,
            lambda asked: (lambda _: Reply(is_dropped=True)) if away[0] and asked.path.endswith("/file") else None,
        )
    )
    there = destination(web_orthanc, "orthanc-rest")

    first = send(front.url, entries, there)
    away[0] = False
    again = run("send", "--from", "research", "--study", entries[0].study_instance_uid, "--to", there.name, "--json")

    assert (first.transfer["verdict"], set(first.verdicts.values())) == ("nothing-stored", {"refuted"})
    assert again.transfer["verdict"] == "committed"


@pytest.mark.parametrize("method", ["c-store", "orthanc-rest", "stow-rs"])
def test_a_send_that_is_stopped_while_it_reads_from_the_source_is_continued_by_the_same_send(
    source_orthanc: Orthanc, web_orthanc: Orthanc, web: MakeWeb, folder: Path, method: str
) -> None:
    entries = stored_at(source_orthanc, write_study(folder, 12, size_bytes=500, study_instance_uid=unique_uid()))
    handed_over: list[str] = []

    def stops_once(asked: Asked) -> Spoil | None:
        if asked.path.endswith("/file"):
            handed_over.append(asked.path)
            if len(handed_over) == 6:
                os.kill(os.getpid(), signal.SIGTERM)
                return lambda file: replace(file, seconds_a_byte=0.02)
        return None

    there = destination(web_orthanc, method)
    more = ("--option", "instances=2") if method == "stow-rs" else ()
    first = send(web(in_front_of(source_orthanc, stops_once)).url, entries, there, *more)
    study = entries[0].study_instance_uid
    again = run("send", "--from", "research", "--study", study, "--to", there.name, "--json", *more)

    assert (first.exit_code, first.transfer["state"]) == (130, "interrupted")
    assert Transfer.objects.count() == 1
    assert (again.exit_code, again.transfer["verdict"]) == (0, "committed")
    assert set(again.verdicts.values()) == {"confirmed"}
    assert all(again.kinds(entry.sop_instance_uid).count("acknowledged") <= 1 for entry in entries)
