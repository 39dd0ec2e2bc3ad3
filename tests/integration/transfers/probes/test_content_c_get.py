"""Content by C-GET from scripted archives: whatever goes wrong, nothing is called identical that is not."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from audit.entries import ManifestEntry
from audit.manifest import read_input
from audit.observations import Observation
from tests.datasets import write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.fakes.acts import Abort, Act, Answer, Close, Die, Raw, Reject, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.holdings import Holding, holding_of
from tests.fakes.script import GetRequest, Script, SubOperation
from tests.integration.transfers.probes.comparing import (
    DIFFERENT,
    FAILED,
    IDENTICAL,
    TIMEOUTS,
    UNREADABLE,
    compared,
    digests_of,
)
from transfers.endpoints import DicomEndpoint
from transfers.probes.content import ContentContext, can_read, compare_content
from transfers.sources.files import LocalFiles

Study = list[ManifestEntry]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Six instances in two series, each of several fragments."""
    return entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=40_000))


def holding(archive: MakeArchive, held: Iterable[ManifestEntry], script: Script | None = None) -> Archive:
    peer = archive(script)
    peer.hold(*(Path(entry.path) for entry in held))
    return peer


def endpoint_of(peer: Archive, **timeouts: float) -> DicomEndpoint:
    return peer.endpoint(timeouts=replace(TIMEOUTS, **timeouts))


@pytest.mark.parametrize("side_by_side", [1, 3])
def test_what_comes_back_byte_for_byte_is_identical(archive: MakeArchive, study: Study, side_by_side: int) -> None:
    peer = holding(archive, study)

    found = compared(study, endpoint_of(peer), side_by_side=side_by_side)

    assert found.kinds == [IDENTICAL] * 6
    assert {detail["by"] for detail in found.details} == {"read-back"}
    assert {detail["reader"] for detail in found.details} == {"c-get"}
    assert peer.log.broken_rules == []
    assert all(association.ended == "released" for association in peer.log.associations)


def test_several_are_asked_for_in_one_request(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)

    compared(study, endpoint_of(peer), side_by_side=1)

    assert len(peer.log.gets) < len(study)
    assert max(len(request.sop_instance_uids) for request in peer.log.gets) > 1


def test_without_a_digest_the_file_is_the_measure(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)

    assert compared(study, endpoint_of(peer), digests={}).kinds == [IDENTICAL] * 6


def test_other_pixels_under_the_same_uid_are_different(archive: MakeArchive, study: Study, tmp_path: Path) -> None:
    first = study[0]
    (tmp_path / "other").mkdir()
    other = write_instance(
        tmp_path / "other",
        study_instance_uid=first.study_instance_uid,
        series_instance_uid=first.series_instance_uid,
        sop_instance_uid=first.sop_instance_uid,
        size_bytes=40_000,
        noise=99,
    )
    peer = holding(archive, [entry_of(other), *study[1:]])

    found = compared(study, endpoint_of(peer))

    assert found.kinds == [DIFFERENT, *[IDENTICAL] * 5]
    assert found.details[0]["pixels_differ"] is True
    assert found.details[0]["elements"] == ["(7FE0,0010)"]


def test_what_is_not_there_is_not_called_absent(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[1:])

    found = compared(study, endpoint_of(peer))

    assert found.kinds == [UNREADABLE, *[IDENTICAL] * 5]
    assert found.codes[0] == "not_found"


def test_another_instance_under_the_uid_that_was_asked_for_is_different(archive: MakeArchive, study: Study) -> None:
    """Its C-STORE request says what was wanted, its data set says what it is."""
    impostor = replace(holding_of(Path(study[1].path)), sop_instance_uid=study[0].sop_instance_uid)
    peer = archive()
    peer.keep(impostor)
    peer.hold(*(Path(entry.path) for entry in study[1:]))

    found = compared(study, endpoint_of(peer))

    assert found.kinds[0] is DIFFERENT
    assert "(0008,0018)" in found.details[0]["elements"]
    assert found.kinds[1:] == [IDENTICAL] * 5


def test_another_instance_in_place_of_the_one_asked_for_counts_for_nothing(archive: MakeArchive, study: Study) -> None:
    def gives(request: GetRequest, held: list[Holding]) -> Iterable[Holding]:
        return [holding_of(Path(study[5].path)) for _ in request.sop_instance_uids]

    peer = holding(archive, study, Script(gives=gives))

    found = compared(study[:2], endpoint_of(peer))

    assert found.kinds == [UNREADABLE, UNREADABLE]
    assert found.codes == ["retrieval_failed"] * 2
    assert sum(detail["instances"] for detail in found.occurred("unasked_instances")) > 0


def test_of_two_copies_the_one_that_differs_counts(archive: MakeArchive, study: Study) -> None:
    first = holding_of(Path(study[0].path))
    changed = replace(first, data_set=first.data_set[:-2] + b"\xff\xff")

    for order in ([changed, first], [first, changed]):
        peer = holding(archive, study, Script(gives=lambda *_, order=order: order))
        assert compared(study[:1], endpoint_of(peer)).kinds == [DIFFERENT]


def test_who_takes_no_lists_is_asked_one_by_one(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(gives=lambda _, held: held[:1]))

    found = compared(study, endpoint_of(peer), side_by_side=1)

    assert found.kinds == [IDENTICAL] * 6


def test_who_refuses_lists_is_asked_one_by_one(archive: MakeArchive, study: Study) -> None:
    def refuse_lists(request: GetRequest) -> Act | None:
        return Answer(0xA900) if len(request.sop_instance_uids) > 1 else None

    peer = holding(archive, study, Script(on_get=refuse_lists))

    assert compared(study, endpoint_of(peer), side_by_side=1).kinds == [IDENTICAL] * 6


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (Abort(), "association_aborted"),
        (Close(), "association_lost"),
        (Raw(), "malformed_pdu"),
    ],
    ids=["abort", "close", "garbage"],
)
def test_an_instance_at_which_the_stream_is_cut_spoils_no_other(
    archive: MakeArchive, study: Study, act: Act, code: str
) -> None:
    poison = study[2].sop_instance_uid
    peer = holding(archive, study, Script(on_sub_operation={poison: act}))

    found = compared(study, endpoint_of(peer), side_by_side=1)

    assert found.kinds == [IDENTICAL, IDENTICAL, FAILED, IDENTICAL, IDENTICAL, IDENTICAL]
    assert found.codes[2] == code


def test_a_silent_destination_is_waited_for_only_so_long(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:1], Script(on_sub_operation=Silence()))

    found = compared(study[:1], endpoint_of(peer, dimse_seconds=0.3))

    assert found.codes == ["answer_timed_out"]


def test_a_data_set_without_end_is_given_up(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study[:1], Script(never_ends_data_sets=True))

    found = compared(study[:1], endpoint_of(peer))

    assert found.kinds == [FAILED]
    assert found.codes == ["instance_too_large"]


def test_a_full_disk_on_our_side_is_told_to_both_sides(archive: MakeArchive, tmp_path: Path) -> None:
    (entry,) = entries_of(write_study(tmp_path, instances=1, size_bytes=2_000_000))
    peer = holding(archive, [entry])
    gone = tmp_path / "no-such-folder"

    found = compared([entry], endpoint_of(peer), spool_folder=gone)

    assert found.kinds == [FAILED]
    assert found.codes == ["spool_failed"]
    assert peer.log.given[-1] == (entry.sop_instance_uid, 0xA700)


def test_a_hiccup_passes(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_association={1: Close(), 2: Reject(2, 3, 2)}))

    found = compared(study, endpoint_of(peer), side_by_side=1, retry_seconds=20)

    assert found.kinds == [IDENTICAL] * 6


def test_what_lasts_is_told_after_all_tries(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_sub_operation=Abort()))

    found = compared(study, endpoint_of(peer), side_by_side=1, retry_seconds=0.5)

    assert found.kinds == [FAILED] * 6
    assert set(found.codes) == {"association_aborted"}


def test_a_destination_that_is_down_is_not_asked_for_each_instance(study: Study) -> None:
    nowhere = DicomEndpoint("127.0.0.1", 1, "NOBODY", "TALLYMAN", timeouts=TIMEOUTS)

    found = compared(study, nowhere)

    assert set(found.codes) == {"connection_failed"}
    assert len(found.occurred("association_failed")) <= 4


def test_one_association_less_is_no_fault(archive: MakeArchive, study: Study) -> None:
    script = Script(associations_at_once=1, beyond=Reject(2, 3, 2))
    peer = holding(archive, study, script)

    assert compared(study, endpoint_of(peer), side_by_side=4).kinds == [IDENTICAL] * 6


def test_a_destination_without_c_get_says_so(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(without_sop_classes=[STUDY_ROOT_GET]))

    found = compared(study, endpoint_of(peer), retry_seconds=60)

    assert set(found.codes) == {"no_presentation_context"}
    assert "C-GET" in found.details[0]["reason"]
    readability = can_read(study, ContentContext(endpoint_of(peer)))
    assert not readability.is_readable


def test_a_destination_that_keeps_the_role_to_itself_says_so(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(grants_roles=False))

    found = compared(study, endpoint_of(peer), retry_seconds=60)

    assert set(found.codes) == {"no_presentation_context"}
    assert "role" in found.details[0]["reason"]
    readability = can_read(study, ContentContext(endpoint_of(peer)))
    assert readability.unreadable.keys() == {entry.sop_instance_uid for entry in study}


def test_what_can_be_read_is_told_beforehand(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)

    readability = can_read(study, ContentContext(endpoint_of(peer)))

    assert (readability.reader, readability.is_readable, readability.unreadable) == ("c-get", True, {})
    assert peer.log.gets == []


def test_compressed_pixels_that_come_back_uncompressed_prove_nothing(archive: MakeArchive, tmp_path: Path) -> None:
    (entry,) = entries_of(write_study(tmp_path, 1, transfer_syntax_uid=JPEG2000Lossless))
    (tmp_path / "plain").mkdir()
    plain = write_instance(
        tmp_path / "plain",
        study_instance_uid=entry.study_instance_uid,
        series_instance_uid=entry.series_instance_uid,
        sop_instance_uid=entry.sop_instance_uid,
    )
    peer = holding(archive, [entry_of(plain)])

    found = compared([entry], endpoint_of(peer))

    assert found.kinds[0] is not IDENTICAL
    assert found.details[0].get("transfer_syntax_uid") == "1.2.840.10008.1.2.1"


def test_the_same_bytes_called_another_transfer_syntax_are_not_identical(archive: MakeArchive, study: Study) -> None:
    renamed = replace(holding_of(Path(study[0].path)), transfer_syntax_uid="1.2.840.10008.1.2")
    peer = archive()
    peer.keep(renamed)

    found = compared(study[:1], endpoint_of(peer))

    assert (found.kinds, found.codes) == ([FAILED], ["other_transfer_syntax"])


def test_a_data_set_of_odd_length_is_identical_with_its_padding(archive: MakeArchive, tmp_path: Path) -> None:
    syntax = DeflatedExplicitVRLittleEndian
    path = write_instance(tmp_path, transfer_syntax_uid=syntax, odd_length=True)
    entry = entry_of(path)
    assert entry.data_set_size % 2
    kept = holding_of(path)
    peer = archive()
    peer.keep(replace(kept, data_set=kept.data_set + b"\0"))

    assert compared([entry], endpoint_of(peer)).kinds == [IDENTICAL]


class TestOurFiles:
    def test_a_file_that_is_gone_leaves_the_digest(self, archive: MakeArchive, study: Study) -> None:
        peer, digests = holding(archive, study), digests_of(study)
        for entry in study:
            Path(entry.path).unlink()

        assert compared(study, endpoint_of(peer), digests=digests).kinds == [IDENTICAL] * 6

    def test_a_file_that_is_gone_settles_nothing_where_digests_differ(self, archive: MakeArchive, study: Study) -> None:
        peer = holding(archive, study)
        Path(study[0].path).unlink()

        found = compared(study[:1], endpoint_of(peer), digests={study[0].sop_instance_uid: "0" * 64})

        assert (found.kinds, found.codes) == ([FAILED], ["source_file_unreadable"])

    def test_a_file_that_changed_is_no_measure(self, archive: MakeArchive, study: Study) -> None:
        peer = holding(archive, study)
        os.utime(study[0].path, ns=(0, 0))

        found = compared(study[:1], endpoint_of(peer), digests={})

        assert (found.kinds, found.codes) == ([FAILED], ["source_file_changed"])

    def test_a_file_that_is_not_what_was_sent_is_no_measure(self, archive: MakeArchive, study: Study) -> None:
        """Same size, same time, other bytes: the destination holds these, but something else was sent."""
        peer = holding(archive, study)

        found = compared(study[:1], endpoint_of(peer), digests={study[0].sop_instance_uid: "0" * 64})

        assert (found.kinds, found.codes) == ([FAILED], ["source_file_changed"])

    def test_a_member_of_a_zip_file_is_compared_like_a_file(
        self, archive: MakeArchive, study: Study, tmp_path: Path
    ) -> None:
        zipped = tmp_path / "study.zip"
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
            for entry in study:
                file.write(entry.path, Path(entry.path).name)
        (manifest,) = read_input([zipped]).studies
        changed = holding_of(Path(study[0].path))
        peer = holding(archive, study[1:])
        peer.keep(replace(changed, data_set=changed.data_set[:-2] + b"\xff\xff"))
        entries = sorted(manifest.entries, key=lambda entry: entry.sop_instance_uid != study[0].sop_instance_uid)

        assert compared(entries, endpoint_of(peer), digests={}).kinds == [DIFFERENT, *[IDENTICAL] * 5]

    def test_a_file_outside_the_folder_is_not_opened(self, archive: MakeArchive, study: Study, tmp_path: Path) -> None:
        peer = holding(archive, study)
        (tmp_path / "elsewhere").mkdir()

        found = compared(study[:1], endpoint_of(peer), digests={}, source=LocalFiles(tmp_path / "elsewhere"))

        assert found.codes == ["source_file_unreadable"]


def test_a_stop_ends_it_within_a_second(archive: MakeArchive, study: Study) -> None:
    stop = threading.Event()
    peer = holding(archive, study, Script(on_sub_operation={study[3].sop_instance_uid: Silence()}))
    context = ContentContext(endpoint_of(peer, dimse_seconds=60), digests_of(study), stop=stop, side_by_side=2)
    seen: list[Observation] = []
    stopped_at = 0.0

    for each in compare_content(study, context):
        if isinstance(each, Observation):
            seen.append(each)
        if not stopped_at and each is None:
            stop.set()
            stopped_at = time.monotonic()

    assert time.monotonic() - stopped_at < 1.5
    assert len(seen) == 6
    codes = {observation.detail.get("code") for observation in seen if observation.kind is FAILED}
    assert codes == {"stopped"}


def test_leaving_it_half_way_ends_its_threads(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_sub_operation=Silence()))
    comparing = compare_content(study, ContentContext(endpoint_of(peer, dimse_seconds=60), digests_of(study)))
    next(comparing)
    next(comparing)

    comparing.close()  # type: ignore[attr-defined]  # it is a generator

    assert not [thread for thread in threading.enumerate() if thread.name == "content"]


def test_a_uid_that_would_mean_more_is_never_put_into_a_question(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study)
    entry = replace(study[0], sop_instance_uid="1.2.*")

    found = compared([entry], endpoint_of(peer), digests={})

    assert found.codes == ["unsafe_uid"]
    assert peer.log.gets == []


def test_nothing_to_compare_asks_nothing(archive: MakeArchive) -> None:
    peer = archive()

    assert compared([], endpoint_of(peer)).kinds == []
    assert peer.log.associations == []


def test_a_destination_that_dies_half_way_leaves_the_rest_open(archive: MakeArchive, study: Study) -> None:
    peer = holding(archive, study, Script(on_sub_operation={study[1].sop_instance_uid: Die()}))

    found = compared(study, endpoint_of(peer), side_by_side=1)

    assert set(found.kinds) <= {IDENTICAL, FAILED}
    assert found.kinds[1] is FAILED
    assert set(found.codes) - {""} <= {"association_lost", "connection_failed"}


def test_a_destination_that_comes_back_is_asked_for_the_rest(archive: MakeArchive, study: Study) -> None:
    died: list[str] = []

    def die_once(turn: SubOperation) -> Act | None:
        if died or turn.sop_instance_uid != study[1].sop_instance_uid:
            return None
        died.append(turn.sop_instance_uid)
        return Die(returns_after_seconds=0.5)

    peer = holding(archive, study, Script(on_sub_operation=die_once))

    assert compared(study, endpoint_of(peer), retry_seconds=30).kinds == [IDENTICAL] * 6


def test_many_losses_in_a_row_keep_the_rest_back_for_the_next_try(archive: MakeArchive, tmp_path: Path) -> None:
    entries = entries_of(write_study(tmp_path, instances=40, size_bytes=64))
    peer = holding(archive, entries, Script(on_sub_operation=Abort()))

    found = compared(entries, endpoint_of(peer), side_by_side=1)

    assert found.kinds == [FAILED] * 40
    assert len(peer.log.associations) < 10
