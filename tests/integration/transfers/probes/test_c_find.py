"""The C-FIND probe tells what is there, what is not, and what it cannot tell, whatever the destination does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event, Timer

import pytest

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from tests.datasets import write_instance, write_study
from tests.entries import entries_of
from tests.fakes.acts import Abort, Act, Answer, Close, Die, Raw, Reject, Silence
from tests.fakes.archive import Archive
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import (
    altered,
    blind_to_keys,
    capped,
    endless,
    in_turn,
    invented,
    repeated,
    without,
    yes_to_every_direct_question,
)
from tests.fakes.script import FindRequest, Plan, Row, Script
from tests.peers.process import free_port
from transfers.endpoints import DicomEndpoint, Timeouts
from transfers.probes.base import ProbeContext
from transfers.probes.c_find import CFindProbe

SETTLE_SECONDS = 0.4
TIMEOUTS = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=5, network_seconds=5)
IMPATIENT = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=0.3, network_seconds=5)
PRESENT, ABSENT, FAILED = EvidenceKind.PRESENT, EvidenceKind.ABSENT, EvidenceKind.PROBE_FAILED

Study = list[ManifestEntry]
Verified = tuple[dict[str, Observation], list[Occurrence]]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Six instances in two series."""
    return entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=64))


def holding(archive: MakeArchive, held: Iterable[ManifestEntry], script: Script | None = None) -> Archive:
    peer = archive(script)
    peer.hold(*(Path(entry.path) for entry in held))
    return peer


def context_of(peer: Archive, sent: Iterable[ManifestEntry] = (), *, retry_seconds: float = 0.0) -> ProbeContext:
    return ProbeContext(
        peer.endpoint(timeouts=TIMEOUTS),
        settle_seconds=SETTLE_SECONDS,
        retry_seconds=retry_seconds,
        may_settle=frozenset(entry.sop_instance_uid for entry in sent),
    )


def impatient(context: ProbeContext, peer: Archive) -> ProbeContext:
    """With a DIMSE time-out for destinations that fall silent."""
    return replace(context, endpoint=peer.endpoint(timeouts=IMPATIENT))


def verify(entries: Study, context: ProbeContext) -> Verified:
    """The observations by SOP Instance UID, of which each has one, and the occurrences."""
    seen = list(CFindProbe().verify(entries, context))
    observations = [each for each in seen if isinstance(each, Observation)]
    by_uid = {observation.sop_instance_uid: observation for observation in observations}
    assert len(observations) == len(by_uid)
    assert by_uid.keys() == {entry.sop_instance_uid for entry in entries}
    return by_uid, [each for each in seen if isinstance(each, Occurrence)]


def kinds(entries: Study, observations: dict[str, Observation]) -> list[EvidenceKind]:
    return [observations[entry.sop_instance_uid].kind for entry in entries]


def names(occurrences: list[Occurrence]) -> list[str]:
    return [occurrence.name for occurrence in occurrences]


def lists(peer: Archive) -> list[FindRequest]:
    return [find for find in peer.log.finds if find.level == "IMAGE" and not find.is_direct]


# An archive that does all of it right


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


# Lists that end badly

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
        setattr(peer.script, moment, _of_lists(plan))

    observations, occurrences = verify(study, impatient(context_of(peer), peer))

    of_first_series = [observations[entry.sop_instance_uid] for entry in study[::2]]
    assert [observation.kind for observation in of_first_series][:named] == [PRESENT] * named
    hidden = observations[study[5].sop_instance_uid]
    assert (hidden.kind, hidden.detail["code"]) == (FAILED, code)
    assert "list_failed" in names(occurrences)


def _of_lists(plan: Plan) -> Plan:
    """The plan, for lists only: direct questions are answered as they should be."""

    def act(event: object) -> object:
        request = getattr(event, "request", event)
        assert isinstance(request, FindRequest)
        if request.is_direct:
            return None
        return plan.get(event.number) if isinstance(plan, dict) else plan  # type: ignore[attr-defined]

    return act  # type: ignore[return-value]


def test_what_a_failed_list_did_not_name_can_be_found_by_asking_for_it(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_row=_of_lists({2: Answer(0xA700)})))

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


# Lists that end well and are wrong


def test_a_capped_list_refutes_nothing(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=_lists_only(capped(1))))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 6
    reasons = Counter(observation.detail["reason"] for observation in observations.values())
    assert reasons == {"Listed": 2, "Not listed, but found by asking for it": 4}


def _lists_only(rewrite: Callable[[FindRequest, list[Row]], Iterable[Row]]) -> Callable[..., Iterable[Row]]:
    return lambda request, rows: rows if request.is_direct else rewrite(request, rows)


def test_of_a_large_series_behind_a_capped_list_only_what_was_found_is_told(
    archive: MakeArchive, tmp_path: Path
) -> None:
    entries = entries_of(write_study(tmp_path, instances=260, size_bytes=64))
    peer = holding(archive, entries, Script(rows=_lists_only(capped(30))))

    observations, _ = verify(entries, context_of(peer, sent=entries))

    assert Counter(kinds(entries, observations)) == {PRESENT: 230, FAILED: 30}
    unasked = next(each for each in observations.values() if each.kind is FAILED)
    assert unasked.detail["code"] == "list_capped"


def test_a_count_gives_a_cap_away_that_the_sample_cannot_see(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=260, size_bytes=64))
    blind = _images_only(capped(30))
    peer = holding(
        archive, entries, Script(rows=lambda request, rows: [] if request.is_direct else blind(request, rows))
    )

    observations, _ = verify(entries, context_of(peer))

    assert Counter(kinds(entries, observations)) == {PRESENT: 30, ABSENT: 200, FAILED: 30}
    assert [find.level for find in peer.log.finds].count("SERIES") == 1


def _images_only(rewrite: Callable[[FindRequest, list[Row]], Iterable[Row]]) -> Callable[..., Iterable[Row]]:
    return lambda request, rows: rewrite(request, rows) if request.level == "IMAGE" else rows


def test_of_a_large_series_that_did_not_arrive_everything_is_absent(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=260, size_bytes=64))
    peer = holding(archive, entries[:1])

    observations, _ = verify(entries, context_of(peer, sent=entries))

    assert Counter(kinds(entries, observations)) == {PRESENT: 1, ABSENT: 259}
    assert sum(find.is_direct for find in peer.log.finds) == 200 + 1  # and the control question


@pytest.mark.parametrize("rows", [repeated(3), invented({"SOPInstanceUID": "1.2.3"})], ids=["repeated", "strangers"])
def test_repeated_rows_and_strangers_change_nothing(
    archive: MakeArchive, study: Study, rows: Callable[..., Iterable[Row]]
) -> None:
    peer = holding(archive, study[:5], Script(rows=_lists_only(rows)))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 5 + [ABSENT]


def test_a_destination_that_says_yes_to_anything_proves_nothing(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:4], Script(rows=yes_to_every_direct_question))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    assert {observation.detail["code"] for observation in observations.values()} == {"invents"}


@pytest.mark.parametrize("act", [Answer(0xA900), Abort()], ids=["refused", "aborted"])
def test_what_is_only_found_by_asking_for_it_needs_the_control(archive: MakeArchive, study: Study, act: Act) -> None:
    ours = {entry.sop_instance_uid for entry in study}

    def no_control(find: FindRequest) -> Act | None:
        return act if find.is_direct and not ours & set(find.keys["SOPInstanceUID"]) else None

    peer = holding(archive, study[:4], Script(on_find=no_control, rows=yes_to_every_direct_question))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 4 + [FAILED] * 2
    assert observations[study[5].sop_instance_uid].detail["code"] == "not_controlled"


def test_a_hidden_instance_is_absent(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(hides=[study[2].sop_instance_uid]))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT, PRESENT, ABSENT, PRESENT, PRESENT, PRESENT]


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_an_instance_listed_elsewhere_is_neither_present_nor_absent(
    archive: MakeArchive, study: Study, keyword: str
) -> None:
    peer = holding(archive, study, Script(rows=altered(**{keyword: "1.2.3"})))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    detail = observations[study[0].sop_instance_uid].detail
    assert detail["code"] == "elsewhere"
    assert "1.2.3" in detail["listed_under"].values()


def test_an_instance_listed_with_another_sop_class_is_not_ours(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(rows=altered(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    assert observations[study[0].sop_instance_uid].detail["code"] == "other_sop_class"


def rows_of(entries: Study, study_instance_uid: str | None = None) -> list[Row]:
    return [
        {
            "StudyInstanceUID": study_instance_uid or entry.study_instance_uid,
            "SeriesInstanceUID": entry.series_instance_uid,
            "SOPInstanceUID": entry.sop_instance_uid,
        }
        for entry in entries
    ]


def test_an_archive_that_ignores_what_it_is_asked_for_is_read_by_what_its_rows_say(
    archive: MakeArchive, study: Study
) -> None:
    everything = [*rows_of(study[:5]), *rows_of(study[5:], "1.2.3")]
    peer = archive(Script(rows=blind_to_keys(everything)))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 5 + [FAILED]


def test_an_archive_that_ignores_the_instance_asked_for_denies_none(archive: MakeArchive, study: Study) -> None:
    peer = archive(Script(rows=blind_to_keys(rows_of(study[:5]))))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 5 + [FAILED]
    assert observations[study[5].sop_instance_uid].detail["code"] == "not_matched"


def test_rows_without_study_and_series_count_where_the_archive_looks_at_what_it_is_asked(
    archive: MakeArchive, study: Study
) -> None:
    peer = holding(archive, study, Script(rows=without("StudyInstanceUID", "SeriesInstanceUID")))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [PRESENT] * 6


def test_rows_without_study_and_series_prove_nothing_where_the_archive_does_not(
    archive: MakeArchive, study: Study
) -> None:
    bare = in_turn(blind_to_keys(rows_of(study, "1.2.3")), without("StudyInstanceUID", "SeriesInstanceUID"))
    peer = archive(Script(rows=bare))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED] * 6
    assert {observation.detail["code"] for observation in observations.values()} == {"not_matched"}


def test_an_endless_list_proves_what_it_named(archive: MakeArchive, study: Study) -> None:
    of_one_series = study[::2]
    peer = holding(archive, of_one_series[:2], Script(rows=_lists_only(endless)))

    observations, _ = verify(of_one_series, context_of(peer, sent=study, retry_seconds=30))

    assert kinds(of_one_series, observations) == [PRESENT, PRESENT, FAILED]
    assert observations[of_one_series[2].sop_instance_uid].detail["code"] == "listing_endless"


def test_an_instance_that_the_next_list_takes_back_is_open(archive: MakeArchive, study: Study) -> None:
    asked = count()
    taken_back = study[0].sop_instance_uid

    def fickle(request: FindRequest, rows: list[Row]) -> list[Row]:
        if not request.is_direct and next(asked) < 2:
            return rows
        return [row for row in rows if row["SOPInstanceUID"] != taken_back]

    peer = holding(archive, study[:4], Script(rows=fickle))

    observations, _ = verify(study, context_of(peer, sent=study))

    assert kinds(study, observations) == [FAILED, PRESENT, PRESENT, PRESENT, ABSENT, ABSENT]
    assert observations[taken_back].detail["code"] == "vanished"


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


# Preflight


def uids(entries: Iterable[ManifestEntry]) -> frozenset[str]:
    return frozenset(entry.sop_instance_uid for entry in entries)


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
    peer = holding(archive, study, Script(rows=_lists_only(capped(1))))

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
