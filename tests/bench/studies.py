"""The studies that are sent, each with a sample of itself for programs that would take minutes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audit.entries import ManifestEntry
from tests.datasets import write_study
from tests.entries import entries_of

SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Study:
    label: str
    folder: Path
    entries: tuple[ManifestEntry, ...]

    @property
    def paths(self) -> list[Path]:
        return [Path(entry.path) for entry in self.entries]

    def sample(self) -> Study:
        """Its first instances, hard-linked into a folder beside it."""
        folder = self.folder.with_name(self.folder.name + "-sample")
        if not folder.is_dir():
            folder.mkdir()
            for path in self.paths[:SAMPLE]:
                (folder / path.name).hardlink_to(path)
        return Study(self.label, folder, tuple(entries_of(sorted(folder.iterdir()))))


def create_study(folder: Path, label: str, instances: int, size_bytes: int) -> Study:
    folder.mkdir()
    paths = write_study(folder, instances, 4, size_bytes=size_bytes)
    return Study(label, folder, tuple(entries_of(paths)))
