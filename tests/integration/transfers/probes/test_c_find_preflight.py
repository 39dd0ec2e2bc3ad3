"""What the C-FIND probe says to preflight: what is there already, and what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets import write_instance
from tests.entries import entries_of
from tests.fakes.acts import Answer, Close, Silence
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import altered, capped, yes_to_every_direct_question
from tests.fakes.script import Script
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


def test_preflight_knows_nothing_of_a_destination_that_is_not_there(study: Study) -> None:
    endpoint = DicomEndpoint("127.0.0.1", free_port(), "NOBODY", "TALLYMAN", timeouts=TIMEOUTS)

    listing = CFindProbe().list_present(study, ProbeContext(endpoint))

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
