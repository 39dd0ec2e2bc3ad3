"""What the tests send must itself be DICOM."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from tests.datasets import data_set_bytes, write_instance, write_study

UNCOMPRESSED = [
    pytest.param(ExplicitVRLittleEndian, id="explicit"),
    pytest.param(ImplicitVRLittleEndian, id="implicit"),
    pytest.param(ExplicitVRBigEndian, id="big"),
    pytest.param(DeflatedExplicitVRLittleEndian, id="deflated"),
]


@pytest.mark.parametrize("transfer_syntax_uid", UNCOMPRESSED)
def test_an_instance_is_read_as_it_was_asked_for(tmp_path: Path, transfer_syntax_uid: str) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.1", transfer_syntax_uid=transfer_syntax_uid, number=7)

    data_set = dcmread(path)

    assert data_set.SOPInstanceUID == data_set.file_meta.MediaStorageSOPInstanceUID == "2.25.1"
    assert data_set.file_meta.TransferSyntaxUID == transfer_syntax_uid
    assert data_set.InstanceNumber == 7
    assert len(data_set.PixelData) == data_set.Rows * data_set.Columns * 2
    assert [
        element.tag for element in data_set.values() if isinstance(element, RawDataElement) and element.length % 2
    ] == []
    assert len(data_set.PixelData) == pytest.approx(8192, rel=0.02)


def test_an_encapsulated_instance_holds_one_fragment(tmp_path: Path) -> None:
    path = write_instance(tmp_path, transfer_syntax_uid=JPEG2000Lossless)

    data_set = dcmread(path)

    assert data_set["PixelData"].is_undefined_length
    assert data_set.Rows > 0


@pytest.mark.parametrize("odd_length", [True, False], ids=["odd", "even"])
def test_a_deflated_instance_has_the_parity_asked_for(tmp_path: Path, odd_length: bool) -> None:
    paths = [
        write_instance(
            tmp_path,
            transfer_syntax_uid=DeflatedExplicitVRLittleEndian,
            size_bytes=size,
            number=size,
            odd_length=odd_length,
        )
        for size in range(100, 120)
    ]

    assert {len(data_set_bytes(path)) % 2 for path in paths} == {int(odd_length)}
    assert [dcmread(path).InstanceNumber for path in paths] == list(range(100, 120))


def test_a_study_deals_its_instances_over_its_series(tmp_path: Path) -> None:
    data_sets = [dcmread(path) for path in write_study(tmp_path, instances=5, series=2)]

    assert len({data_set.StudyInstanceUID for data_set in data_sets}) == 1
    assert len({data_set.SeriesInstanceUID for data_set in data_sets}) == 2
    assert len({data_set.SOPInstanceUID for data_set in data_sets}) == 5


def test_noise_alone_makes_two_files_of_one_instance_differ(tmp_path: Path) -> None:
    write = partial(
        write_instance, tmp_path, study_instance_uid="2.25.1", series_instance_uid="2.25.2", sop_instance_uid="2.25.3"
    )

    first = dcmread(write(noise=1, name="first"))
    second = dcmread(write(noise=2, name="second"))

    assert first.PixelData != second.PixelData
    del first.PixelData, second.PixelData
    assert first == second
