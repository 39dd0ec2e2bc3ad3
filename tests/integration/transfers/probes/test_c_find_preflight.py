"""What the C-FIND probe says to preflight: what is there already, and what is not known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.datasets import write_instance
from tests.entries import entries_of
from tests.fakes.acts import Abort, Answer, Close, Reject, Silence
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import altered, capped, yes_to_every_direct_question
from tests.fakes.script import Script, from_number
from tests.integration.transfers.probes.asking import (
    ABSENT,
    TIMEOUTS,
    Study,
    context_of,
    holding,
    impatient,
    lists,
    of_lists,
    uids,
    verify,
)
from tests.peers.process import free_port
from transfers.endpoints import DicomEndpoint
from transfers.probes.base import ProbeContext
from transfers.probes.c_find import CFindProbe


def test_preflight_lists_what_is_there_already(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:2])

    listing = CFindProbe().list_present(study, context_of(peer, sent=study))

    assert listing.present == uids(study[:2])
    assert listing.unknown == frozenset()
    assert len(lists(peer)) == 2


def test_preflight_of_a_new_study_asks_for_no_instance(archive: MakeArchive, study: Study) -> None:
    peer = archive()

    listing = CFindProbe().list_present(study, context_of(peer))

    assert (listing.present, listing.unknown) == (frozenset(), frozenset())
    assert sum(find.is_direct for find in peer.log.finds) == 1  # the control question


def test_preflight_sees_behind_a_capped_list(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=of_lists(capped(1))))

    listing = CFindProbe().list_present(study, context_of(peer))

    assert (listing.present, listing.unknown) == (uids(study), frozenset())


@pytest.mark.parametrize("plan", [Answer(0xA700), Close(), Silence()], ids=["fails", "closes", "is-silent"])
def test_preflight_does_not_know_what_a_failed_list_did_not_name(
    archive: MakeArchive, study: Study, plan: Answer | Close | Silence
) -> None:
    peer = holding(archive, study, Script(on_row={2: plan}))

    listing = CFindProbe().list_present(study, impatient(context_of(peer, retry_seconds=30), peer))

    assert listing.present == uids(study[:2])
    assert listing.unknown == uids(study[2:])
    assert "list_failed" in [occurrence.name for occurrence in listing.occurrences]


@pytest.mark.parametrize(
    "script",
    [
        Script(on_find={1: Answer(0xA700)}),
        Script(on_find={1: Close()}),
        Script(on_row=lambda turn: Abort() if turn.request.number == 1 else None),
        Script(on_association={1: Reject(2, 3, 1)}),
    ],
    ids=["fails", "closes", "aborts", "is busy"],
)
def test_preflight_asks_again_what_failed_and_may_pass(archive: MakeArchive, study: Study, script: Script) -> None:
    peer = holding(archive, study[:2], script)

    listing = CFindProbe().list_present(study, context_of(peer, preflight_retry_seconds=3))

    assert (listing.present, listing.unknown) == (uids(study[:2]), frozenset())


def test_preflight_asks_again_for_a_short_time_only(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_find=from_number(1, Answer(0xA700))))
    began = time.monotonic()

    listing = CFindProbe().list_present(study, context_of(peer, retry_seconds=60, preflight_retry_seconds=0.5))

    assert 0.5 < time.monotonic() - began < 5
    assert listing.unknown == uids(study)


@pytest.mark.parametrize(
    "script", [Script(without_sop_classes=[STUDY_ROOT_FIND]), Script(on_find=from_number(1, Answer(0xA900)))]
)
def test_preflight_does_not_ask_again_what_will_not_pass(archive: MakeArchive, study: Study, script: Script) -> None:
    peer = holding(archive, study, script)

    listing = CFindProbe().list_present(study, context_of(peer, preflight_retry_seconds=30))

    assert listing.unknown == uids(study)
    assert len(peer.log.associations) == 1
    assert len(lists(peer)) <= 2


def test_preflight_knows_nothing_of_a_destination_that_is_not_there(study: Study) -> None:
    endpoint = DicomEndpoint("127.0.0.1", free_port(), "NOBODY", "TALLYMAN", timeouts=TIMEOUTS)

    listing = CFindProbe().list_present(study, ProbeContext(endpoint, preflight_retry_seconds=0))

    assert (listing.present, listing.unknown) == (frozenset(), uids(study))


def test_preflight_believes_nothing_of_a_destination_that_invents(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:2], Script(rows=yes_to_every_direct_question))

    listing = CFindProbe().list_present(study, context_of(peer))

    assert (listing.present, listing.unknown) == (frozenset(), uids(study))


def test_preflight_counts_another_sop_class_under_the_same_uid_as_there(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=altered(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")))

    listing = CFindProbe().list_present(study, context_of(peer))

    assert listing.present == uids(study)


def test_preflight_does_not_know_what_is_listed_elsewhere(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=altered(StudyInstanceUID="1.2.3")))

    listing = CFindProbe().list_present(study, context_of(peer))

    assert (listing.present, listing.unknown) == (frozenset(), uids(study))


def test_an_instance_of_another_study_under_the_same_uid_is_not_found(archive: MakeArchive, tmp_path: Path) -> None:
    ours = write_instance(tmp_path, sop_instance_uid="2.25.7", name="ours.dcm")
    theirs = write_instance(tmp_path, sop_instance_uid="2.25.7", name="theirs.dcm")
    peer = archive()
    peer.hold(theirs)

    observations, _ = verify(entries_of([ours]), context_of(peer))

    assert observations["2.25.7"].kind is ABSENT
