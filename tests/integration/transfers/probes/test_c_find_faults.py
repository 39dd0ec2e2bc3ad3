"""Destinations that break off, fail, or cannot be asked: what the C-FIND probe concludes, and when it gives up."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.acts import Abort, Answer, Close, Die, Raw, Reject, Silence
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import FindRequest, Plan, Script
from tests.integration.transfers.probes.asking import (
    ABSENT,
    FAILED,
    PRESENT,
    TIMEOUTS,
    Study,
    context_of,
    holding,
    impatient,
    kinds,
    names,
    verify,
)
from tests.peers.process import free_port
from transfers.endpoints import DicomEndpoint
from transfers.probes.base import ProbeContext

BREAKS = [
    pytest.param({"on_find": Answer(0xA700)}, 0, "listing_failed", id="fails-at-once"),
    pytest.param({"on_find": Answer(0xA900)}, 0, "listing_refused", id="is-refused"),
    pytest.param({"on_find": Answer(0xFE00)}, 0, "listing_failed", id="is-cancelled-unasked"),
    pytest.param({"on_find": Answer(0x1234)}, 0, "listing_failed", id="ends-with-a-status-in-no-table"),
    pytest.param({"on_row": {2: Answer(0xC001)}}, 1, "listing_failed", id="fails-after-one"),
    pytest.param({"on_row": {3: Answer(0xB001)}}, 2, "listing_failed", id="reaches-its-limit-after-two"),
    pytest.param({"on_row": {2: Abort()}}, 1, "association_aborted", id="aborts-after-one"),
    pytest.param({"on_row": {2: Close()}}, 1, "association_lost", id="closes-after-one"),
    pytest.param({"on_row": {2: Silence()}}, 1, "answer_timed_out", id="falls-silent-after-one"),
    pytest.param(
        {"on_row": {2: Raw(b"HTTP/1.1 400 Bad Request\r\n")}}, 1, "malformed_pdu", id="sends-garbage-after-one"
    ),
    pytest.param({"on_row": {2: Answer(0xFF00, message_id=7)}}, 1, "unexpected_answer", id="answers-something-else"),
]


@pytest.mark.parametrize(("plans", "named", "code"), BREAKS)
def test_a_list_that_does_not_end_with_success_proves_what_it_named_and_nothing_else(
    archive: MakeArchive, study: Study, plans: dict[str, Plan], named: int, code: str
) -> None:
    peer = holding(archive, study, Script(hides=[study[5].sop_instance_uid]))
    for moment, plan in plans.items():
        setattr(peer.script, moment, _when_listing(plan))

    observations, occurrences = verify(study, impatient(context_of(peer), peer))

    of_first_series = [observations[entry.sop_instance_uid] for entry in study[::2]]
    assert [observation.kind for observation in of_first_series][:named] == [PRESENT] * named
    hidden = observations[study[5].sop_instance_uid]
    assert (hidden.kind, hidden.detail["code"]) == (FAILED, code)
    assert "list_failed" in names(occurrences)


def test_what_a_failed_list_did_not_name_can_be_found_by_asking_for_it(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_row=_when_listing({2: Answer(0xA700)})))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 6
    assert Counter(each.detail["direct_question"] for each in observations.values()) == {"not-asked": 2, "found": 4}


def test_a_list_that_failed_is_asked_for_again(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:5], Script(on_find={1: Answer(0xA700), 2: Close()}))

    observations, occurrences = verify(study, context_of(peer, retry_seconds=5))

    assert kinds(study, observations) == [PRESENT] * 5 + [ABSENT]
    assert "association_lost" in names(occurrences)
    assert "list_failed" not in names(occurrences)


def test_a_list_that_failed_after_naming_everything_is_not_asked_for_again(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_row={4: Answer(0xA700)}))
    began_at = time.monotonic()

    observations, _ = verify(study, context_of(peer, sent=study, retry_seconds=30))

    assert kinds(study, observations) == [PRESENT] * 6
    assert time.monotonic() - began_at < 5


def test_a_lost_association_is_opened_again_for_the_next_series(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_find={1: Close()}))

    observations, _ = verify(study, context_of(peer))

    assert kinds(study, observations)[1::2] == [PRESENT] * 3
    assert len(peer.log.associations) == 2


def test_one_series_at_which_every_association_breaks_does_not_hide_the_others(
    archive: MakeArchive, tmp_path: Path
) -> None:
    entries = entries_of(write_study(tmp_path, instances=6, series=6, size_bytes=64))
    poison = {entry.series_instance_uid for entry in entries[:3]}
    peer = holding(
        archive,
        entries,
        Script(on_find=lambda find: Abort() if poison & set(find.keys["SeriesInstanceUID"]) else None),
    )

    observations, _ = verify(entries, context_of(peer, retry_seconds=0.5))

    assert kinds(entries, observations) == [FAILED] * 3 + [PRESENT] * 3


def test_an_archive_that_comes_back_in_time_is_asked(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_find={1: Die(returns_after_seconds=0.5)}))

    observations, occurrences = verify(study, context_of(peer, sent=study, retry_seconds=10))

    assert kinds(study, observations) == [PRESENT] * 6
    assert {"association_lost", "association_failed", "association_opened"} <= set(names(occurrences))


def _when_listing(plan: Plan) -> Plan:
    """The plan, for lists only: direct questions are answered as they should be."""

    def act(event: object) -> object:
        request = getattr(event, "request", event)
        assert isinstance(request, FindRequest)
        if request.is_direct:
            return None
        return plan.get(event.number) if isinstance(plan, dict) else plan  # type: ignore[attr-defined]

    return act  # type: ignore[return-value]


# Destinations that cannot be asked


def test_an_archive_that_does_not_offer_lists_cannot_be_asked(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(without_sop_classes=[STUDY_ROOT_FIND]))
    began_at = time.monotonic()

    observations, _ = verify(study, context_of(peer, sent=study, retry_seconds=30))

    assert kinds(study, observations) == [FAILED] * 6
    assert time.monotonic() - began_at < 5
    detail = observations[study[0].sop_instance_uid].detail
    assert detail["code"] == "no_presentation_context"
    assert "does not offer Study Root" in detail["reason"]


def test_a_rejection_for_good_ends_the_asking(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_association=Reject(result=1, source=1, reason=3)))
    began_at = time.monotonic()

    observations, occurrences = verify(study, context_of(peer, sent=study, retry_seconds=30))

    assert kinds(study, observations) == [FAILED] * 6
    assert time.monotonic() - began_at < 5
    assert observations[study[0].sop_instance_uid].detail["code"] == "association_rejected"
    assert names(occurrences).count("association_rejected") == 1


def test_a_rejection_for_now_is_tried_again(archive: MakeArchive, study: Study) -> None:
    reject = Reject(result=2, source=3, reason=2)
    peer = holding(archive, study, Script(on_association={1: reject, 2: reject}))

    observations, _ = verify(study, context_of(peer, sent=study, retry_seconds=10))

    assert kinds(study, observations) == [PRESENT] * 6


def test_a_destination_that_is_not_there_is_asked_until_patience_ends(study: Study) -> None:
    endpoint = DicomEndpoint("127.0.0.1", free_port(), "NOBODY", "TALLYMAN", timeouts=TIMEOUTS)
    began_at = time.monotonic()

    observations, occurrences = verify(study, ProbeContext(endpoint, retry_seconds=0.6))

    assert 0.6 <= time.monotonic() - began_at < 5
    assert kinds(study, observations) == [FAILED] * 6
    assert observations[study[0].sop_instance_uid].detail["code"] == "connection_failed"
    assert names(occurrences).count("association_failed") >= 2
