"""The C-FIND probe tells what is there and what is not, and ends when it is stopped."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer

from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.acts import Silence
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.probes.asking import (
    ABSENT,
    FAILED,
    PRESENT,
    SETTLE_SECONDS,
    Study,
    context_of,
    holding,
    kinds,
    lists,
    names,
    verify,
)
from transfers.endpoints import Timeouts


def test_what_is_there_is_present_by_one_list_a_series(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)

    observations, occurrences = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 6
    assert len(lists(peer)) == 2
    assert names(occurrences) == ["probe_started", "association_opened", "list_finished"]
    assert peer.log.associations[0].ended == "released"
    assert peer.log.broken_rules == []


def test_what_was_sent_and_is_not_there_is_absent_after_the_settle_time(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:4])
    began_at = time.monotonic()

    observations, _ = verify(study, context_of(peer, sent=study))

    assert time.monotonic() - began_at >= SETTLE_SECONDS
    assert kinds(study, observations) == [PRESENT] * 4 + [ABSENT] * 2
    detail = observations[study[5].sop_instance_uid].detail
    assert detail["reason"] == "Not listed, nor found by asking for it"
    assert detail["lists"] >= 2
    assert detail["seconds"] >= SETTLE_SECONDS
    assert detail["direct_question"] == "not-found"


def test_what_was_not_sent_is_absent_without_waiting(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:5])

    observations, _ = verify(study, context_of(peer, sent=study[:5]))

    assert kinds(study, observations) == [PRESENT] * 5 + [ABSENT]
    assert len(lists(peer)) == 2
    assert observations[study[5].sop_instance_uid].detail["direct_question"] == "not-found"


def test_an_instance_that_shows_up_late_is_present(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:5])
    timer = Timer(SETTLE_SECONDS / 2, lambda: peer.hold(Path(study[5].path)))
    timer.start()
    began_at = time.monotonic()

    observations, _ = verify(study, replace(context_of(peer, sent=study), settle_seconds=30.0))

    timer.join()
    assert kinds(study, observations) == [PRESENT] * 6
    assert time.monotonic() - began_at < 5


def test_many_series_are_listed_over_one_association(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=100, series=100, size_bytes=64))
    peer = holding(archive, entries)

    observations, _ = verify(entries, context_of(peer, sent=entries))

    assert kinds(entries, observations) == [PRESENT] * 100
    assert len(lists(peer)) == 100
    assert len(peer.log.associations) == 1


def test_nothing_is_asked_where_there_is_nothing_to_ask_for(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)
    unsafe = [replace(study[0], sop_instance_uid="1.2.*"), replace(study[1], study_instance_uid="1.2\\1.3")]

    observations, _ = verify(unsafe, context_of(peer))

    assert kinds(unsafe, observations) == [FAILED] * 2
    assert peer.log.finds == []


def test_an_unsafe_uid_is_never_put_into_a_question(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)
    entries = [*study, replace(study[0], sop_instance_uid="1.2.?")]

    observations, _ = verify(entries, context_of(peer, sent=entries))

    assert kinds(entries, observations) == [PRESENT] * 6 + [FAILED]
    assert observations["1.2.?"].detail["code"] == "unsafe_uid"
    assert all("?" not in value for find in peer.log.finds for values in find.keys.values() for value in values)


# Stopped


def test_a_stop_ends_a_wait_for_an_answer(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_find={2: Silence()}))
    stop = Event()
    context = replace(context_of(peer, sent=study), endpoint=peer.endpoint(timeouts=Timeouts()), stop=stop)
    Timer(0.3, stop.set).start()
    began_at = time.monotonic()

    observations, _ = verify(study, context)

    assert time.monotonic() - began_at < 3
    assert kinds(study, observations) == [PRESENT, FAILED] * 3
    detail = observations[study[1].sop_instance_uid].detail
    assert detail["code"] == "stopped"
    assert detail["reason"] == "The transfer was stopped before the destination was asked."


def test_a_stop_ends_the_settling(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:5])
    stop = Event()
    Timer(0.3, stop.set).start()
    began_at = time.monotonic()

    observations, _ = verify(study, replace(context_of(peer, sent=study), settle_seconds=60, stop=stop))

    assert time.monotonic() - began_at < 3
    assert kinds(study, observations) == [PRESENT] * 5 + [FAILED]
    assert observations[study[5].sop_instance_uid].detail["code"] == "stopped"


def test_a_stop_before_the_first_question_asks_nothing(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)
    context = context_of(peer, sent=study)
    context.stop.set()

    observations, _ = verify(study, context)

    assert kinds(study, observations) == [FAILED] * 6
    assert peer.log.associations == []
