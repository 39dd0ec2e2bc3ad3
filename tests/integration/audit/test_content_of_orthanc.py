"""What Orthanc hands back of what it was sent by C-STORE, compared with it."""

from __future__ import annotations

import json
import urllib.request
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from audit.content import Comparison, compare, locate_data_set
from audit.observations import EvidenceKind, Observation
from tests.datasets import unique_uid, write_instance
from tests.entries import entries_of
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore

SAME = {EvidenceKind.IDENTICAL, EvidenceKind.EQUIVALENT}


def send(orthanc: Orthanc, path: Path) -> str:
    """Orthanc's own id of the instance that it was sent."""
    endpoint = DicomEndpoint(orthanc.host, orthanc.port, orthanc.ae_title, "TALLYMAN")
    seen = CStore().send(entries_of([path]), SendContext(endpoint))
    (answer,) = (each for each in seen if isinstance(each, Observation) and each.kind is not EvidenceKind.SENT)
    assert answer.kind is EvidenceKind.ACKNOWLEDGED
    uid = str(dcmread(path).SOPInstanceUID)
    (found,) = orthanc.rest("/tools/find", body={"Level": "Instance", "Query": {"SOPInstanceUID": uid}})
    return str(found)


def handed_back(orthanc: Orthanc, path: str, body: object = None) -> BytesIO:
    request = urllib.request.Request(
        f"http://{orthanc.host}:{orthanc.http_port}{path}", None if body is None else json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return BytesIO(response.read())


def compared(sent: Path, found: BytesIO) -> Comparison:
    with sent.open("rb") as file:
        return compare(locate_data_set(file), locate_data_set(found))


SCANNER_CT = "CT_small.dcm"
"""270 elements, many of them private."""
RADIOTHERAPY_PLAN = "rtplan.dcm"
"""Sequences within sequences, without VRs."""


def packaged(name: str, folder: Path) -> Path:
    """A file that comes with pydicom, as an instance of its own."""
    data_set = dcmread(str(get_testdata_file(name)))
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = UID(unique_uid())
    data_set.save_as(folder / name)
    return folder / name


@pytest.mark.parametrize("name", [SCANNER_CT, RADIOTHERAPY_PLAN])
def test_what_others_wrote_is_handed_back_with_the_same_content(orthanc: Orthanc, tmp_path: Path, name: str) -> None:
    sent = packaged(name, tmp_path)

    comparison = compared(sent, handed_back(orthanc, f"/instances/{send(orthanc, sent)}/file"))

    assert comparison.kind in SAME, comparison


@pytest.mark.parametrize(
    "transfer_syntax_uid",
    [
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEG2000Lossless,
    ],
    ids=["deflated", "big endian", "explicit", "implicit", "compressed"],
)
def test_every_encoding_is_handed_back_with_the_same_pixels(
    orthanc: Orthanc, tmp_path: Path, transfer_syntax_uid: str
) -> None:
    sent = write_instance(tmp_path, transfer_syntax_uid=transfer_syntax_uid)

    comparison = compared(sent, handed_back(orthanc, f"/instances/{send(orthanc, sent)}/file"))

    assert comparison.kind in SAME, comparison
    assert comparison.pixels_differ is False


def test_what_an_archive_changes_is_named(orthanc: Orthanc, tmp_path: Path) -> None:
    sent = packaged(SCANNER_CT, tmp_path)
    change = {
        "Replace": {"StudyDescription": "Coerced"},
        "Remove": ["Manufacturer"],
        "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
        "Force": True,
    }

    comparison = compared(sent, handed_back(orthanc, f"/instances/{send(orthanc, sent)}/modify", change))

    assert comparison.kind is EvidenceKind.DIFFERENT
    assert set(comparison.elements) == {"(0008,0070)", "(0008,1030)"}
    assert comparison.pixels_differ is False
