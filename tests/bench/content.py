"""How fast what was read back is compared with what was sent: `python -m tests.bench.content`."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from audit.content import compare, locate_data_set
from audit.observations import EvidenceKind
from tests.peers.programs import program

RUNS = 5
MEGABYTE = 1024**2
CT_SIDE = 512
FRAMES = 400
FRAME_BYTES = MEGABYTE // 4
CONVERSIONS = {"lengths undefined": "-e", "no VRs": "+ti", "big endian": "+tb", "deflated": "+td"}


class Pair(NamedTuple):
    label: str
    sent: Path
    found: Path
    expected: EvidenceKind = EvidenceKind.EQUIVALENT


def main() -> None:
    print(f"{'compared (wanted: 150 MB/s)':<52}{'MB':>8}{'ms':>8}{'MB/s':>8}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for pair in _pairs(Path(folder)):
            _report(pair)


def _pairs(folder: Path) -> Iterator[Pair]:
    slice_of_ct = _saved(_ct(), folder / "ct.dcm")
    frames = _saved(_multi_frame(), folder / "frames.dcm")
    for label, sent in ((f"CT of {slice_of_ct.stat().st_size // 1024} KB", slice_of_ct), ("multi-frame", frames)):
        yield Pair(f"{label}, the same bytes", sent, sent, EvidenceKind.IDENTICAL)
        for way, option in CONVERSIONS.items():
            yield Pair(f"{label}, {way}", sent, _converted(sent, option))
    compressed = _saved(_compressed(fragments_a_frame=1), folder / "compressed.dcm")
    yield Pair("compressed, lengths undefined", compressed, _converted(compressed, "-e"))
    yield Pair("compressed, other fragments", compressed, _saved(_compressed(fragments_a_frame=8), folder / "cut.dcm"))


def _ct() -> Dataset:
    """A CT slice with all that a scanner writes: 270 elements, many of them private."""
    data_set = dcmread(str(get_testdata_file("CT_small.dcm")))
    data_set.Rows = data_set.Columns = CT_SIDE
    data_set.PixelData = _noise(2 * CT_SIDE**2)
    del data_set[0xFFFC, 0xFFFC]
    return data_set


def _multi_frame() -> Dataset:
    data_set = _ct()
    data_set.NumberOfFrames = FRAMES
    data_set.PerFrameFunctionalGroupsSequence = [_functional_groups(frame) for frame in range(FRAMES)]
    data_set.PixelData = _noise(FRAMES * FRAME_BYTES)
    return data_set


def _compressed(fragments_a_frame: int) -> Dataset:
    data_set = _multi_frame()
    frame = _noise(FRAME_BYTES)
    data_set.PixelData = encapsulate([frame] * FRAMES, fragments_per_frame=fragments_a_frame)
    data_set["PixelData"].VR = "OB"
    data_set.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return data_set


def _functional_groups(frame: int) -> Dataset:
    content, position, orientation, voi, groups = (Dataset() for _ in range(5))
    content.FrameAcquisitionNumber = frame
    content.StackID, content.InStackPositionNumber = "1", frame + 1
    content.DimensionIndexValues = [1, frame + 1]
    position.ImagePositionPatient = [-125.0, -125.0, float(frame)]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    voi.WindowCenter, voi.WindowWidth = 40, 400
    groups.FrameContentSequence = [content]
    groups.PlanePositionSequence = [position]
    groups.PlaneOrientationSequence = [orientation]
    groups.FrameVOILUTSequence = [voi]
    return groups


def _noise(length: int) -> bytes:
    block = random.Random(length).randbytes(min(length, MEGABYTE // 4))
    return (block * (length // len(block) + 1))[:length]


def _saved(data_set: Dataset, path: Path) -> Path:
    data_set.save_as(path)
    return path


def _converted(original: Path, option: str) -> Path:
    path = original.with_suffix(f".{option[1:]}")
    subprocess.run([program("dcmconv", package="dcmtk"), option, str(original), str(path)], check=True)
    return path


def _report(pair: Pair) -> None:
    megabytes = pair.sent.stat().st_size / MEGABYTE
    seconds = median(_compare(pair) for _ in range(RUNS))
    tracemalloc.start()
    _compare(pair)
    peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    tracemalloc.stop()
    speed = megabytes / seconds
    print(f"{pair.label:<52}{megabytes:>8.1f}{seconds * 1000:>8.1f}{speed:>8.0f}{peak:>9.1f}")


def _compare(pair: Pair) -> float:
    began = time.perf_counter()
    with pair.sent.open("rb") as sent, pair.found.open("rb") as found:
        comparison = compare(locate_data_set(sent), locate_data_set(found))
    took = time.perf_counter() - began
    assert comparison.kind is pair.expected, comparison
    return took


if __name__ == "__main__":
    main()
