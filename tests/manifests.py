"""Manifests made up for tests that need no files."""

from __future__ import annotations

from audit.entries import ManifestEntry, StudyManifest


def entry(number: int, study: str = "2.25.1") -> ManifestEntry:
    return ManifestEntry(
        sop_instance_uid=f"{study}.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid=study,
        series_instance_uid=f"{study}.0",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=f"/nowhere/{number}.dcm",
        member="",
        data_set_offset=336,
        data_set_size=1000,
        modified_ns=1,
        file_size=1336,
    )


def study(instances: int = 3, uid: str = "2.25.1", conflicts: frozenset[str] = frozenset()) -> StudyManifest:
    return StudyManifest(uid, tuple(entry(number, uid) for number in range(1, instances + 1)), conflicts)
