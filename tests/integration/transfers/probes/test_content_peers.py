"""Content at real archives, read back in every way that they offer."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID, ImplicitVRLittleEndian

from audit.entries import ManifestEntry
from tests.datasets import unique_uid, write_instance, write_study
from tests.entries import entries_of, entry_of
from tests.integration.transfers.probes.comparing import (
    DIFFERENT,
    EQUIVALENT,
    IDENTICAL,
    TIMEOUTS,
    UNREADABLE,
    compared,
    digests_of,
    send,
)
from tests.peers.dcmqrscp import Dcmqrscp
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.probes.content import ContentContext, can_read

KEYS = ["c-get", "orthanc", "wado-rs"]
READERS = pytest.mark.parametrize("reader", KEYS)
COMPRESSED = [
    "JPEG2000.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
]
Study = list[ManifestEntry]


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that reads its disk each time it is asked."""
    folder = tmp_path_factory.mktemp("keeper")
    with Orthanc(folder, ae_title="KEEPER", dicom_web=True, settings={"MaximumStorageCacheSize": 0}) as peer:
        yield peer


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return entries_of(write_study(tmp_path, instances=6, series=2, size_bytes=40_000))


def dicom_side(peer: Orthanc | Dcmqrscp) -> DicomEndpoint:
    associations = 1 if isinstance(peer, Dcmqrscp) else 4
    return DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN", timeouts=TIMEOUTS, associations=associations)


def side(peer: Orthanc, reader: str) -> Endpoint:
    if reader == "orthanc":
        return OrthancEndpoint(peer.url, timeouts=TIMEOUTS)
    if reader == "wado-rs":
        return DicomWebEndpoint(peer.dicom_web_url, timeouts=TIMEOUTS)
    return dicom_side(peer)


def post(peer: Orthanc, entries: Study) -> None:
    """The files as they are, over the REST API."""
    for entry in entries:
        request = urllib.request.Request(f"{peer.url}/instances", data=Path(entry.path).read_bytes())  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200


def stored_file(peer: Orthanc, entry: ManifestEntry) -> Path:
    """Where it lies on Orthanc's disk."""
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": entry.sop_instance_uid}}
    (orthanc_id,) = peer.rest("/tools/find", body=query)
    uuid = str(peer.rest(f"/instances/{orthanc_id}/attachments/dicom/info")["Uuid"])
    return peer.folder / "storage" / uuid[:2] / uuid[2:4] / uuid


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)


def with_sequences(folder: Path) -> ManifestEntry:
    """An instance whose sequences and items are of undefined length, which DCMTK writes anew in another way."""
    data_set = dcmread(write_instance(folder))
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-11500", "SRT", "Spine"
    item.is_undefined_length_sequence_item = True
    data_set.AnatomicRegionSequence = [item]
    data_set["AnatomicRegionSequence"].is_undefined_length = True
    data_set.save_as(folder / "sequences.dcm")
    return entry_of(folder / "sequences.dcm")


def compressed_instance(name: str, folder: Path) -> ManifestEntry:
    data_set = dcmread(str(get_testdata_file(name)))
    uid = UID(unique_uid())
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = uid
    data_set.save_as(folder / name)
    return entry_of(folder / name)


@READERS
@pytest.mark.parametrize("side_by_side", [1, 4])
def test_what_was_stored_is_identical(keeper: Orthanc, study: Study, reader: str, side_by_side: int) -> None:
    send(study, dicom_side(keeper))

    found = compared(study, side(keeper, reader), side_by_side=side_by_side)

    assert found.kinds == [IDENTICAL] * 6
    assert {detail["reader"] for detail in found.details} == {reader}
    assert {detail["by"] for detail in found.details} == {"read-back"}


@READERS
def test_what_was_written_anew_is_equivalent(keeper: Orthanc, tmp_path: Path, reader: str) -> None:
    entry = with_sequences(tmp_path)
    send([entry], dicom_side(keeper))

    found = compared([entry], side(keeper, reader))

    assert found.kinds == [EQUIVALENT]
    assert found.details[0]["pixels_differ"] is False


@READERS
def test_what_changed_on_the_disk_is_different(keeper: Orthanc, study: Study, reader: str) -> None:
    send(study, dicom_side(keeper))
    flip_last_byte(stored_file(keeper, study[2]))

    found = compared(study, side(keeper, reader))

    assert found.kinds == [IDENTICAL, IDENTICAL, DIFFERENT, IDENTICAL, IDENTICAL, IDENTICAL]
    assert found.details[2]["elements"] == ["(7FE0,0010)"]
    assert found.details[2]["pixels_differ"] is True


@READERS
def test_what_is_gone_from_the_disk_is_neither_identical_nor_absent(keeper: Orthanc, study: Study, reader: str) -> None:
    send(study, dicom_side(keeper))
    stored_file(keeper, study[2]).unlink()

    found = compared(study, side(keeper, reader))

    assert found.kinds == [IDENTICAL, IDENTICAL, UNREADABLE, IDENTICAL, IDENTICAL, IDENTICAL]
    assert found.codes[2]


@READERS
def test_what_was_never_stored_is_not_called_absent(keeper: Orthanc, study: Study, reader: str) -> None:
    send(study[1:], dicom_side(keeper))

    found = compared(study, side(keeper, reader))

    assert found.kinds == [UNREADABLE, *[IDENTICAL] * 5]
    # Orthanc answers a C-GET for what it does not hold as it answers one that it could not serve.
    assert found.codes[0] == ("retrieval_failed" if reader == "c-get" else "not_found")


@READERS
def test_other_pixels_under_the_same_uid_are_different(
    keeper: Orthanc, study: Study, tmp_path: Path, reader: str
) -> None:
    """What Orthanc answers with success when something else is there already."""
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
    send([entry_of(other)], dicom_side(keeper))
    send(study, dicom_side(keeper))

    found = compared(study, side(keeper, reader))

    assert found.kinds == [DIFFERENT, *[IDENTICAL] * 5]
    assert found.details[0]["elements"] == ["(7FE0,0010)"]


@READERS
@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_instances_come_back_as_they_were_sent(
    keeper: Orthanc, tmp_path: Path, reader: str, name: str
) -> None:
    entry = compressed_instance(name, tmp_path)
    send([entry], dicom_side(keeper))

    found = compared([entry], side(keeper, reader))

    assert found.kinds[0] in {IDENTICAL, EQUIVALENT}
    assert "transfer_syntax_uid" not in found.details[0]


@READERS
def test_a_destination_can_be_read(keeper: Orthanc, study: Study, reader: str) -> None:
    readability = can_read(study, ContentContext(side(keeper, reader)))

    assert readability.is_readable
    assert (readability.reader, readability.unreadable) == (reader, {})


@READERS
def test_a_copy_under_another_patient_counts_against_it(
    keeper: Orthanc, study: Study, tmp_path: Path, reader: str
) -> None:
    """Orthanc keys by Patient ID too, so it holds both."""
    data_set = dcmread(study[0].path)
    data_set.PatientID = "SOMEBODY ELSE"
    data_set.save_as(tmp_path / "other.dcm")
    send(study, dicom_side(keeper))
    send([entry_of(tmp_path / "other.dcm")], dicom_side(keeper))

    found = compared(study, side(keeper, reader))

    assert found.kinds[0] in {DIFFERENT, UNREADABLE}
    assert found.kinds[1:] == [IDENTICAL] * 5


class TestDigests:
    """Where the files were handed over as they are."""

    def test_a_file_of_the_same_md5_that_is_intact_is_identical(self, keeper: Orthanc, study: Study) -> None:
        post(keeper, study)

        found = compared(study, side(keeper, "orthanc"), keeps_bytes=True)

        assert found.kinds == [IDENTICAL] * 6
        assert {detail["by"] for detail in found.details} == {"digest"}

    def test_a_file_that_changed_on_the_disk_is_different_whatever_the_index_says(
        self, keeper: Orthanc, study: Study
    ) -> None:
        post(keeper, study)
        flip_last_byte(stored_file(keeper, study[0]))

        found = compared(study, side(keeper, "orthanc"), keeps_bytes=True)

        assert found.kinds == [DIFFERENT, *[IDENTICAL] * 5]
        assert found.details[0]["elements"] == ["(7FE0,0010)"]

    def test_a_file_that_is_gone_is_not_identical_whatever_the_index_says(self, keeper: Orthanc, study: Study) -> None:
        post(keeper, study)
        stored_file(keeper, study[0]).unlink()

        found = compared(study, side(keeper, "orthanc"), keeps_bytes=True)

        assert found.kinds == [UNREADABLE, *[IDENTICAL] * 5]

    def test_what_was_written_anew_is_read_back(self, keeper: Orthanc, study: Study) -> None:
        send(study, dicom_side(keeper))

        found = compared(study, side(keeper, "orthanc"), keeps_bytes=True)

        assert found.kinds == [IDENTICAL] * 6
        assert {detail["by"] for detail in found.details} == {"read-back"}

    def test_without_our_file_the_data_set_is_read_back(self, keeper: Orthanc, study: Study) -> None:
        post(keeper, study)
        digests = digests_of(study)
        Path(study[0].path).unlink()

        found = compared(study, side(keeper, "orthanc"), digests=digests, keeps_bytes=True)

        assert found.kinds == [IDENTICAL] * 6
        assert [detail["by"] for detail in found.details] == ["read-back", *["digest"] * 5]


class TestDcmqrscp:
    def test_what_was_stored_is_identical(self, dcmqrscp: Dcmqrscp, study: Study) -> None:
        send(study, dicom_side(dcmqrscp))

        assert compared(study, dicom_side(dcmqrscp)).kinds == [IDENTICAL] * 6

    def test_what_comes_in_another_encoding_is_equivalent(self, dcmqrscp: Dcmqrscp, tmp_path: Path) -> None:
        entry = with_sequences(tmp_path)
        send([entry], dicom_side(dcmqrscp))

        assert compared([entry], dicom_side(dcmqrscp)).kinds[0] in {IDENTICAL, EQUIVALENT}

    def test_implicit_vr_comes_back_as_it_was_sent(self, dcmqrscp: Dcmqrscp, tmp_path: Path) -> None:
        entries = entries_of(write_study(tmp_path, 3, transfer_syntax_uid=ImplicitVRLittleEndian))
        send(entries, dicom_side(dcmqrscp))

        assert compared(entries, dicom_side(dcmqrscp)).kinds == [IDENTICAL] * 3

    def test_what_is_not_there_is_not_found(self, dcmqrscp: Dcmqrscp, study: Study) -> None:
        send(study[1:], dicom_side(dcmqrscp))

        found = compared(study, dicom_side(dcmqrscp))

        assert found.kinds == [UNREADABLE, *[IDENTICAL] * 5]
        assert found.codes[0] == "not_found"

    def test_compressed_instances_come_back_as_they_were_sent(self, tmp_path: Path) -> None:
        entry = compressed_instance("MR_small_RLE.dcm", tmp_path)
        with Dcmqrscp(tmp_path / "peer", options=["+xr"]) as peer:
            send([entry], dicom_side(peer))

            assert compared([entry], dicom_side(peer)).kinds[0] in {IDENTICAL, EQUIVALENT}
