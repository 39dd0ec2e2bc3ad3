"""What a real source Orthanc holds, searched and taken into manifests; and one that says odd things of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydicom.uid import JPEGBaseline8Bit

from audit.entries import SkippedKind
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Answer, Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers.endpoints import OrthancEndpoint
from transfers.errors import (
    AnswerTooLarge,
    CredentialsRefused,
    MalformedAnswer,
    RequestInterrupted,
    SourceStopped,
    StudyAmbiguous,
    StudyNotAtSource,
    StudyNotStable,
)
from transfers.sources import orthanc_studies
from transfers.sources.orthanc_studies import (
    StudyQuery,
    find_study,
    instances_held,
    search_studies,
    take_manifest,
    wait_until_stable,
)
from transfers.wire.foreign_text import LONGEST_TEXT

STUDY = "11111111-11111111-11111111-11111111-11111111"
SERIES = "22222222-22222222-22222222-22222222-22222222"
ONE, TWO = (f"33333333-33333333-33333333-33333333-3333333{number}" for number in (1, 2))


def at(peer: Orthanc) -> OrthancEndpoint:
    return OrthancEndpoint(peer.url)


def held(peer: Orthanc, study: str) -> orthanc_studies.SourceStudy:
    return take_manifest(at(peer), find_study(at(peer), study))


def test_a_manifest_says_of_each_instance_what_its_file_says(source_orthanc: Orthanc, tmp_path: Path) -> None:
    study = unique_uid()
    paths = write_study(tmp_path, 3, series=2, size_bytes=500, study_instance_uid=study)
    more = {"study_instance_uid": study, "transfer_syntax_uid": JPEGBaseline8Bit}
    paths.append(write_instance(tmp_path, number=9, size_bytes=700, **more))  # type: ignore[arg-type]
    entries = stored_at(source_orthanc, paths)

    taken = held(source_orthanc, study)

    assert taken.manifest.study_instance_uid == study
    assert set(taken.manifest.entries) == set(entries)
    assert (taken.skipped, taken.manifest.conflicts) == ((), frozenset())
    described = taken.manifest.description
    assert (described.date, described.modalities, described.series) == ("2026-01-05", ("CT",), 3)


def test_more_instances_than_are_asked_for_at_once(
    source_orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orthanc_studies, "_MANIFEST_CHUNK", 4)
    study = unique_uid()
    entries = stored_at(source_orthanc, write_study(tmp_path, 11, size_bytes=200, study_instance_uid=study))

    assert set(held(source_orthanc, study).manifest.entries) == set(entries)
    assert instances_held(at(source_orthanc), find_study(at(source_orthanc), study)) == {
        entry.sop_instance_uid for entry in entries
    }


def test_a_source_that_takes_no_md5_is_taken_at_its_sizes(tmp_path: Path) -> None:
    with Orthanc(tmp_path / "orthanc", settings={"StoreMD5ForAttachments": False}) as peer:
        (tmp_path / "study").mkdir()
        entries = stored_at(peer, write_study(tmp_path / "study", 2, size_bytes=200, study_instance_uid="1.2.77"))

        taken = held(peer, "1.2.77").manifest.entries

    notes = taken[0].notes
    assert "no MD5" in notes[0]
    assert set(taken) == {replace(entry, file_md5="", notes=notes) for entry in entries}


def test_an_instance_in_two_series_of_a_study_is_a_duplicate_or_a_conflict(
    source_orthanc: Orthanc, tmp_path: Path
) -> None:
    study, instance = unique_uid(), unique_uid()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = write_instance(tmp_path / folder, study_instance_uid=study, sop_instance_uid=instance, size_bytes=200)
        stored_at(source_orthanc, [path])

    taken = held(source_orthanc, study)

    assert [entry.sop_instance_uid for entry in taken.manifest.entries] == [instance]
    assert taken.manifest.conflicts == {instance}
    assert [each.kind for each in taken.skipped] == [SkippedKind.CONFLICT]


def test_studies_are_found_by_what_is_known_of_them(source_orthanc: Orthanc, tmp_path: Path) -> None:
    study, patient = unique_uid(), unique_uid()[:40]
    stored_at(source_orthanc, write_study(tmp_path, 2, size_bytes=200, study_instance_uid=study, patient_id=patient))

    def found(**asked: str) -> list[str]:
        query = StudyQuery(**({"patient_id": patient} | asked))
        return [each.study_instance_uid for each in search_studies(at(source_orthanc), query)]

    assert found() == [study]
    assert found(patient_id=f"{patient[:20]}*") == [study]
    assert found(modality="CT", study_date="20260101-20260131", study_instance_uid=study) == [study]
    assert found(modality="MR") == found(study_date="20260201-") == found(accession_number="nobody") == []
    (shown,) = search_studies(at(source_orthanc), StudyQuery(patient_id=patient))
    assert (shown.patient_id, shown.study_date, shown.series) == (patient, "20260105", 1)
    assert shown.source_id == find_study(at(source_orthanc), study)


def test_a_search_ends_at_its_limit(source_orthanc: Orthanc, tmp_path: Path) -> None:
    patient = unique_uid()[:40]
    for number in range(3):
        stored_at(source_orthanc, [write_instance(tmp_path, number=number, size_bytes=200, patient_id=patient)])

    assert len(search_studies(at(source_orthanc), StudyQuery(patient_id=patient), limit=2)) == 2


@pytest.mark.parametrize("study", ["1.2.3.4.5.6", "1.2.*", "", "f" * 65, "11111111-11111111", STUDY, "é"])
def test_what_the_source_does_not_hold_is_not_found(source_orthanc: Orthanc, study: str) -> None:
    with pytest.raises(StudyNotAtSource):
        find_study(at(source_orthanc), study)


def test_two_patients_with_one_study_are_named_by_their_orthanc_ids(source_orthanc: Orthanc, tmp_path: Path) -> None:
    study = unique_uid()
    for patient in ("A", "B"):
        stored_at(
            source_orthanc, [write_instance(tmp_path, study_instance_uid=study, size_bytes=200, patient_id=patient)]
        )

    with pytest.raises(StudyAmbiguous) as raised:
        find_study(at(source_orthanc), study)

    ids = source_orthanc.rest("/tools/find", body={"Level": "Study", "Query": {"StudyInstanceUID": study}})
    assert all(each in str(raised.value) for each in ids)
    assert [find_study(at(source_orthanc), each) for each in ids] == ids


def test_a_source_that_asks_who_is_there_is_told(tmp_path: Path) -> None:
    with Orthanc(tmp_path / "orthanc", users={"tally": "hunter2"}) as peer:
        with pytest.raises(CredentialsRefused):
            search_studies(at(peer), StudyQuery())
        assert search_studies(replace(at(peer), username="tally", password="hunter2"), StudyQuery()) == []


# Stability


def test_a_study_is_waited_for_until_the_source_calls_it_stable(web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orthanc_studies, "_LOOK_SECONDS", 0.01)
    answers = iter([False, False, True])
    service = web(lambda _: said({"ID": STUDY, "IsStable": next(answers)}))

    wait_until_stable(OrthancEndpoint(service.url), STUDY, Event())

    assert len(service.asked) == 3


def test_waiting_ends_in_time_by_a_stop_and_with_a_study_that_is_gone(web: MakeWeb) -> None:
    stopped = Event()
    stopped.set()
    endpoint = OrthancEndpoint(web(lambda _: said({"ID": STUDY, "IsStable": False})).url)

    with pytest.raises(StudyNotStable):
        wait_until_stable(endpoint, STUDY, Event(), within_seconds=-1)
    with pytest.raises((SourceStopped, RequestInterrupted)):
        wait_until_stable(endpoint, STUDY, stopped)
    with pytest.raises(StudyNotAtSource):
        wait_until_stable(OrthancEndpoint(web(lambda _: Reply(404)).url), STUDY, Event())


# What a real one says only after an accident


def said(value: Any) -> Reply:
    return Reply(body=json.dumps(value).encode(), content_type="application/json")


def telling(instances: dict[str, dict[str, Any]], listed: list[str] | None = None, **paths: Reply) -> Answer:
    """A source with one study of one series; `paths` by the last part of the path."""

    def answer(asked: Asked) -> Reply:
        last = asked.path.rpartition("/")[2]
        if last in paths:
            return paths[last]
        if asked.path == f"/studies/{STUDY}":
            tags = {"StudyInstanceUID": "1.2", "StudyDescription": "Knie\u0007 \ud800 li"}
            return said({"ID": STUDY, "Series": [SERIES], "MainDicomTags": tags})
        if asked.path == f"/series/{SERIES}":
            tags = {"SeriesInstanceUID": "1.3", "Modality": "MR"}
            return said({"ID": SERIES, "Instances": listed or list(instances), "MainDicomTags": tags})
        if asked.path == "/tools/bulk-content":
            wanted = json.loads(asked.body)["Resources"]
            return said([{"ID": key} | instances[key] for key in wanted if key in instances])
        return Reply(body=b"0" * 32, content_type="text/plain") if last == "md5" else Reply(404)

    return answer


def instance(uid: str = "1.4", **more: Any) -> dict[str, Any]:
    metadata = {"SopClassUid": "1.5", "TransferSyntax": "1.2.840.10008.1.2"}
    return {"MainDicomTags": {"SOPInstanceUID": uid}, "FileSize": 700, "Metadata": metadata} | more


def taken_of(web: MakeWeb, answer: Answer) -> orthanc_studies.SourceStudy:
    return take_manifest(OrthancEndpoint(web(answer).url), STUDY)


def test_a_description_is_in_one_line_and_names_no_patient(web: MakeWeb) -> None:
    taken = taken_of(web, telling({ONE: instance()}))

    assert (taken.manifest.description.text, taken.manifest.description.modalities) == ("Knie li", ("MR",))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (instance("1.*"), SkippedKind.UNSAFE),
        (instance("1" * 65), SkippedKind.UNSAFE),
        (instance(""), SkippedKind.NO_UID),
        (instance("1.\ud800"), SkippedKind.UNSAFE),
        (instance(FileSize=None), SkippedKind.BROKEN),
        (instance(FileSize=True), SkippedKind.BROKEN),
        (instance(FileSize=-1), SkippedKind.BROKEN),
        (instance(FileSize=1 << 63), SkippedKind.BROKEN),
        (instance(Metadata=["1.5"]), SkippedKind.NO_UID),
        (instance(Metadata={"SopClassUid": "1.5"}), SkippedKind.NO_UID),
        (instance(Metadata={"TransferSyntax": "1.6"}), SkippedKind.NO_UID),
    ],
    ids=[
        "wildcard",
        "too long",
        "no UID",
        "no text",
        "no size",
        "no number",
        "negative",
        "too large",
        "no metadata",
        "no transfer syntax",
        "no SOP class",
    ],
)
def test_what_cannot_be_used_is_skipped_and_the_rest_is_taken(
    web: MakeWeb, told: dict[str, Any], kind: SkippedKind
) -> None:
    taken = taken_of(web, telling({ONE: told, TWO: instance("1.9")}))

    assert [entry.sop_instance_uid for entry in taken.manifest.entries] == ["1.9"]
    assert [(each.path, each.kind) for each in taken.skipped] == [(f"instances/{ONE}", kind)]


def test_what_an_old_orthanc_did_not_note_is_read_from_the_file(web: MakeWeb) -> None:
    noted = {ONE: instance(Metadata={})}
    asked: Any = {"0008-0016": Reply(body=b"1.5\0"), "header": said({"TransferSyntaxUID": "1.2.840.10008.1.2.1"})}

    (entry,) = taken_of(web, telling(noted, **asked)).manifest.entries

    assert (entry.sop_class_uid, entry.transfer_syntax_uid) == ("1.5", "1.2.840.10008.1.2.1")


def test_the_same_file_twice_is_one_instance(web: MakeWeb) -> None:
    taken = taken_of(web, telling({ONE: instance(), TWO: instance()}))

    assert [entry.source_id for entry in taken.manifest.entries] == [ONE]
    assert [each.kind for each in taken.skipped] == [SkippedKind.DUPLICATE]
    assert not taken.manifest.conflicts


def test_what_is_deleted_while_the_manifest_is_taken_is_not_in_it(web: MakeWeb) -> None:
    taken = taken_of(web, telling({ONE: instance()}, listed=[ONE, TWO]))

    assert [entry.source_id for entry in taken.manifest.entries] == [ONE]
    assert not taken.skipped


@pytest.mark.parametrize(
    "wrong",
    [
        {TWO: said({"ID": TWO})},
        {"bulk-content": said({"no": "list"})},
        {"bulk-content": said([{"no": "id"}])},
        {SERIES: said({"ID": SERIES, "Instances": [ONE, {}]})},
        {"bulk-content": Reply(body=b'[{"ID": ', content_type="application/json")},
        {"md5": Reply(body=b"no digest", content_type="text/plain")},
    ],
    ids=["left out", "no list", "no ids", "no id", "cut", "no MD5"],
)
def test_a_list_that_is_not_whole_is_no_manifest(web: MakeWeb, wrong: dict[str, Reply]) -> None:
    with pytest.raises(MalformedAnswer):
        taken_of(web, telling({ONE: instance()}, listed=[ONE, TWO], **wrong))


def test_a_study_under_very_many_patients_is_told_in_few_words(web: MakeWeb) -> None:
    with pytest.raises(StudyAmbiguous) as raised:
        find_study(OrthancEndpoint(web(lambda _: said([STUDY] * 1000)).url), "1.2")

    assert str(raised.value).count(STUDY) == 10


def test_what_a_search_finds_is_bounded_and_fit_to_be_shown_whatever_the_source_says(web: MakeWeb) -> None:
    odd = {"ID": STUDY, "Series": 5, "PatientMainDicomTags": ["x"], "MainDicomTags": {"StudyDescription": "a\ud800b\0"}}
    long = {"ID": "x" * 10_000, "PatientMainDicomTags": {"PatientName": "y" * 10_000}}

    found = search_studies(OrthancEndpoint(web(lambda _: said([odd, long, odd, "none", odd])).url), StudyQuery(), 3)

    assert [(each.description, each.series, each.patient_name) for each in found] == [
        ("a b", 0, ""),
        ("", 0, "y" * LONGEST_TEXT),
        ("a b", 0, ""),
    ]
    assert len(found[1].source_id) == LONGEST_TEXT


def test_a_list_of_studies_without_an_end_is_not_read(web: MakeWeb) -> None:
    with pytest.raises(AnswerTooLarge):
        search_studies(OrthancEndpoint(web(lambda _: said(["x" * (9 << 20)])).url), StudyQuery())
