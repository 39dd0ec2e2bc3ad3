"""C-GET over an association: what comes, what is answered, and what ends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from audit.entries import ManifestEntry
from tests.datasets import data_set_bytes, write_study
from tests.entries import entries_of
from tests.fakes.acts import Abort, Act, Answer, Close, Raw, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.holdings import Holding
from tests.fakes.script import GetRequest, Script
from transfers.endpoints import Timeouts
from transfers.errors import (
    AnswerTimedOut,
    AssociationAborted,
    AssociationLost,
    InstanceNotFound,
    MalformedPDU,
    NoPresentationContext,
    RetrievalEndless,
    RetrievalFailed,
    RetrievalFailedForNow,
    RetrievalRefused,
)
from transfers.wire import retrieve
from transfers.wire.association import Association
from transfers.wire.dimse import FIND_CONTEXT, VERIFICATION_CONTEXT, echo
from transfers.wire.identifiers import Wanted
from transfers.wire.presentation_contexts import Encoding
from transfers.wire.retrieval_plans import plan_retrievals
from transfers.wire.retrieve import MOST_UNASKED, Incoming, Retrieval

TIMEOUTS = Timeouts(acse_seconds=5, dimse_seconds=1, network_seconds=5)
FULL, NOT_ASKED_FOR = 0xA700, 0x0124


class Sink:
    def __init__(self, status_code: int = 0x0000, limit: int | None = None) -> None:
        self.content = b""
        self.fragments = 0
        self.status_code = status_code
        self._limit = limit

    def write(self, fragment: bytes, /) -> None:
        self.content += fragment
        self.fragments += 1
        if self._limit is not None and len(self.content) > self._limit:
            raise OverflowError("too much")


@pytest.fixture
def study(tmp_path: Path) -> list[ManifestEntry]:
    """Four instances in one series, each of several fragments."""
    return entries_of(write_study(tmp_path, instances=4, size_bytes=300_000))


def holding(archive: MakeArchive, study: list[ManifestEntry], script: Script | None = None) -> Archive:
    peer = archive(script)
    peer.hold(*(Path(entry.path) for entry in study))
    return peer


def opened(peer: Archive, study: list[ManifestEntry]) -> Association:
    (plan,) = plan_retrievals({Encoding(study[0].sop_class_uid, study[0].transfer_syntax_uid)})
    return Association.open(peer.endpoint(timeouts=TIMEOUTS), (*plan.contexts, VERIFICATION_CONTEXT))


def wanted(study: list[ManifestEntry]) -> Wanted:
    first = study[0]
    uids = tuple(entry.sop_instance_uid for entry in study)
    return Wanted(first.study_instance_uid, first.series_instance_uid, uids)


def retrieved(retrieval: Retrieval, found: dict[str, bytes] | None = None) -> dict[str, bytes]:
    found = {} if found is None else found
    for received in retrieval.instances():
        assert isinstance(received.sink, Sink)
        found[received.incoming.sop_instance_uid] = received.sink.content
    return found


def sent(study: list[ManifestEntry]) -> dict[str, bytes]:
    return {entry.sop_instance_uid: data_set_bytes(Path(entry.path)) for entry in study}


def test_instances_come_back_byte_for_byte_and_each_is_answered(
    archive: MakeArchive, study: list[ManifestEntry]
) -> None:
    peer = holding(archive, study)
    heads: list[Incoming] = []

    def open_instance(incoming: Incoming) -> Sink:
        heads.append(incoming)
        return Sink()

    with opened(peer, study) as association:
        assert retrieved(Retrieval(association, wanted(study), open_instance)) == sent(study)

    assert heads == [Incoming(each.sop_class_uid, each.sop_instance_uid, ExplicitVRLittleEndian) for each in study]
    assert peer.log.given == [(entry.sop_instance_uid, 0x0000) for entry in study]
    assert peer.log.broken_rules == []


def test_a_data_set_comes_in_fragments_not_at_once(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study)
    sink = Sink()

    with opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study[:1]), lambda _: sink))

    assert sink.fragments > 1


def test_the_association_serves_other_questions_afterwards(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study)

    with opened(peer, study) as association:
        for _ in range(2):
            assert retrieved(Retrieval(association, wanted(study), lambda _: Sink())) == sent(study)
        assert echo(association) == 0x0000


def test_what_is_not_there_is_told_from_what_was_not_handed_over(
    archive: MakeArchive, study: list[ManifestEntry]
) -> None:
    peer = holding(archive, study[:3])

    with opened(peer, study) as association:
        retrieval = Retrieval(association, wanted(study), lambda _: Sink())
        assert retrieved(retrieval) == sent(study[:3])

    assert isinstance(retrieval.why_missing(), InstanceNotFound)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(0xA701, error_comment="no room"), RetrievalFailedForNow),
        (Answer(0xC000), RetrievalFailed),
        (Answer(0xB000), RetrievalFailed),
        (Answer(0x0122), RetrievalRefused),
        (Answer(0xA900), RetrievalRefused),
    ],
    ids=lambda value: f"0x{value.status_code:04X}" if isinstance(value, Answer) else "",
)
def test_a_status_other_than_success_is_told(
    archive: MakeArchive, study: list[ManifestEntry], answer: Answer, kind: type[RetrievalFailed]
) -> None:
    peer = holding(archive, study, Script(on_get=answer))

    with opened(peer, study) as association:
        retrieval = Retrieval(association, wanted(study), lambda _: Sink())
        assert retrieved(retrieval) == {}

    error = retrieval.why_missing()
    assert type(error) is kind
    assert f"0x{answer.status_code:04X}" in str(error)
    assert (answer.error_comment or "") in str(error)


def test_what_nobody_asked_for_is_answered_and_dropped(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    def gives(request: GetRequest, held: list[Holding]) -> Iterable[Holding]:
        return [replace(held[0], sop_instance_uid="1.2.3"), *held]

    peer = holding(archive, study, Script(gives=gives))

    with opened(peer, study) as association:
        retrieval = Retrieval(association, wanted(study), lambda _: Sink())
        assert retrieved(retrieval) == sent(study)

    assert retrieval.unasked == 1
    assert peer.log.given[0] == ("1.2.3", NOT_ASKED_FOR)


def test_an_instance_may_come_twice(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study, Script(gives=lambda _, held: [*held, *held]))

    with opened(peer, study) as association:
        retrieval = Retrieval(association, wanted(study), lambda _: Sink())
        uids = [received.incoming.sop_instance_uid for received in retrieval.instances()]

    assert uids == [entry.sop_instance_uid for entry in study] * 2


def test_who_sends_what_nobody_asked_for_without_end_is_left(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    def gives(request: GetRequest, held: list[Holding]) -> Iterable[Holding]:
        return [replace(held[0], sop_instance_uid="1.2.3")] * (MOST_UNASKED + 50)

    peer = holding(archive, study, Script(gives=gives))

    with pytest.raises(RetrievalEndless), opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study), lambda _: Sink()))


def test_who_sends_the_same_again_without_end_is_left(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study, Script(gives=lambda _, held: held[:1] * (MOST_UNASKED + 50)))

    with pytest.raises(RetrievalEndless), opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study), lambda _: Sink()))


def test_an_instance_without_end_that_nobody_asked_for_is_left(
    archive: MakeArchive, study: list[ManifestEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieve, "MOST_DROPPED_BYTES", 1_000_000)

    def gives(_: GetRequest, held: list[Holding]) -> Iterable[Holding]:
        return [replace(held[0], sop_instance_uid="1.2.3")]

    peer = holding(archive, study, Script(gives=gives, never_ends_data_sets=True))

    with pytest.raises(RetrievalEndless), opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study), lambda _: Sink()))


def test_a_sink_without_room_has_the_instance_answered_so(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study)

    with opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study), lambda _: Sink(FULL)))

    assert peer.log.given == [(entry.sop_instance_uid, FULL) for entry in study]


def test_what_a_sink_raises_ends_a_data_set_without_end(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study, Script(never_ends_data_sets=True))

    with pytest.raises(OverflowError), opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study), lambda _: Sink(limit=1_000_000)))


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (Abort(), AssociationAborted),
        (Close(), AssociationLost),
        (Close(resets=True), AssociationLost),
        (Silence(), AnswerTimedOut),
        (Raw(), MalformedPDU),
    ],
    ids=["abort", "close", "reset", "silence", "garbage"],
)
def test_a_stream_that_is_cut_is_no_instance(
    archive: MakeArchive, study: list[ManifestEntry], act: Act, error: type[Exception]
) -> None:
    peer = holding(archive, study, Script(on_sub_operation={2: act}))
    found: dict[str, bytes] = {}

    with pytest.raises(error), opened(peer, study) as association:
        retrieved(Retrieval(association, wanted(study), lambda _: Sink()), found)

    assert found == sent(study[:1])


def test_without_the_context_nothing_is_asked(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    peer = holding(archive, study)

    with (
        Association.open(peer.endpoint(timeouts=TIMEOUTS), [FIND_CONTEXT]) as association,
        pytest.raises(NoPresentationContext, match="C-GET"),
    ):
        Retrieval(association, wanted(study), lambda _: Sink())


def test_roles_are_granted_where_the_destination_grants_them(archive: MakeArchive, study: list[ManifestEntry]) -> None:
    with opened(holding(archive, study), study) as association:
        assert association.scp_roles == {study[0].sop_class_uid}
    with opened(holding(archive, study, Script(grants_roles=False)), study) as association:
        assert association.scp_roles == frozenset()
