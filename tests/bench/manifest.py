"""How long it takes to read an input into its manifest: `python -m tests.bench.manifest`."""

from __future__ import annotations

import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from pydicom.uid import JPEG2000Lossless

from audit.entries import InputManifest
from audit.manifest import read_input
from tests.datasets import write_study
from transfers.sources.files import FileReaders

INSTANCES = 10_000
SIZE_BYTES = 8192
RUNS = 3


def main() -> None:
    print(f"{'read':<44}{'files':>10}{'seconds':>10}{'files/s':>10}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = _folder(folder / "native")
        compressed = _folder(folder / "compressed", JPEG2000Lossless)
        packed = _zip(folder / "packed.zip", native)
        _report("manifest of a folder", lambda: read_input([native]))
        _report("manifest of a folder, compressed images", lambda: read_input([compressed]))
        _report("manifest of a ZIP file", lambda: read_input([packed]))
        _report("manifest of a folder twice (all duplicates)", lambda: read_input([native, packed]), 2 * INSTANCES)
        _report("data sets of the folder, as for sending", _reading(read_input([native])))
        _report("data sets of the ZIP file, as for sending", _reading(read_input([packed])))
        print(f"\nmemory of the manifest of {INSTANCES} instances: {_megabytes(native):.1f} MB")


def _folder(folder: Path, transfer_syntax_uid: str | None = None) -> Path:
    folder.mkdir()
    if transfer_syntax_uid:
        write_study(folder, INSTANCES, series=20, size_bytes=SIZE_BYTES, transfer_syntax_uid=transfer_syntax_uid)
    else:
        write_study(folder, INSTANCES, series=20, size_bytes=SIZE_BYTES)
    return folder


def _zip(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in _files(folder):
            archive.write(file, file.name)
    return path


def _files(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir())


def _reading(manifest: InputManifest) -> Callable[[], None]:
    buffer = memoryview(bytearray(1 << 20))

    def read() -> None:
        with FileReaders() as readers:
            for study in manifest.studies:
                for entry in study.entries:
                    with readers.open(entry) as reader:
                        while reader.readinto(buffer):
                            pass
                        reader.check_unchanged()

    return read


def _megabytes(folder: Path) -> float:
    tracemalloc.start()
    manifest = read_input([folder])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert manifest.studies
    return held / 1024**2


def _report(label: str, action: Callable[[], object], files: int = INSTANCES) -> None:
    seconds = median(_seconds(action) for _ in range(RUNS))
    print(f"{label:<44}{files:>10}{seconds:>10.2f}{files / seconds:>10.0f}")


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
