"""Where what methods promise was measured to break: the reason why destinations are asked afterwards. Pure."""

from __future__ import annotations

from typing import NamedTuple

MEASURED_ON = "Orthanc 1.10.1, and on a build of 2024, with the DICOMweb and transfers accelerator plug-ins"

_JOBS = ("orthanc-modality-store", "orthanc-peer-store", "orthanc-stow", "orthanc-transfers")
_ACCELERATED = ("orthanc-transfers", "accelerator")
_ALL = ("c-store", "c-store-commitment", "stow-rs", "orthanc-rest", *_JOBS, "accelerator")
_WITHOUT_COMMITMENT = tuple(key for key in _ALL if key != "c-store-commitment")


class BrokenPromise(NamedTuple):
    """Something that was done, and what came of it; each for people."""

    done: str
    told: str
    """What the sender was told."""
    found: str
    """What was there."""
    seen_by: str
    """What notices it."""
    methods: tuple[str, ...]
    """Keys of the methods that it concerns."""


BROKEN_PROMISES: tuple[BrokenPromise, ...] = (
    BrokenPromise(
        "The destination's own filter (ReceivedInstanceFilter in Lua) drops one instance in five.",
        "C-STORE, every job and the accelerator's commit: success. STOW-RS: 200, with all five listed as stored. "
        "POST /instances: 200; only its body says FilteredOut.",
        "4 of 5.",
        "Storage commitment (0x0112), and the list.",
        _WITHOUT_COMMITMENT,
    ),
    BrokenPromise(
        "Another file is there already under the same SOP Instance UID.",
        "C-STORE, STOW-RS and every job: success. POST /instances: AlreadyStored. Storage commitment: committed.",
        "The old pixels.",
        "Only a comparison of content, or of digests.",
        _ALL,
    ),
    BrokenPromise(
        "The destination is killed while it receives 400 instances, and started again.",
        "Every job: Failure, with FailedInstancesCount 0.",
        "60 of 400; IsStable is true at once: a stable, partial study.",
        "The list.",
        _JOBS[:3],
    ),
    BrokenPromise(
        "A STOW-RS job that failed is resubmitted.",
        "Success.",
        "346 of 400; 0 of 50 where it had failed after the last byte.",
        "The list. Tallyman starts a new job instead.",
        ("orthanc-stow",),
    ),
    BrokenPromise(
        "The destination is killed while the accelerator's commit stores what it was sent.",
        "Failure.",
        "40 of 400: the commit stores instance by instance, and undoes nothing.",
        "The list.",
        _ACCELERATED,
    ),
    BrokenPromise(
        "One of the files is damaged on its way to the accelerator's commit.",
        "500 to the commit.",
        "5 of 6.",
        "The list.",
        _ACCELERATED,
    ),
    BrokenPromise(
        "The accelerator's commit takes longer than its sender waits.",
        "Failure.",
        "All of it.",
        "The list.",
        _ACCELERATED,
    ),
    BrokenPromise(
        "A STOW-RS request has one part that is no DICOM file.",
        "400; that part is in neither of its lists.",
        "The others.",
        "The list.",
        ("stow-rs", "orthanc-stow"),
    ),
    BrokenPromise(
        "The destination's storage is full after 15 of 400 instances.",
        "Failure; C-STORE and POST /instances: a refusal for each of the others.",
        "15 of 400, and its StableStudy event fires for them.",
        "The list.",
        _ALL,
    ),
    BrokenPromise(
        "A job is posted with Permissive, and the destination refuses instances, or is down.",
        "Success, with FailedInstancesCount 0.",
        "What was not refused; nothing where it is down.",
        "The list. Tallyman never asks for it.",
        _JOBS[:2],
    ),
    BrokenPromise(
        "A report of storage commitment leaves instances out.",
        "A source Orthanc: Success.",
        "Not known of those.",
        "A comparison with what was asked.",
        ("c-store-commitment", "orthanc-modality-store"),
    ),
    BrokenPromise(
        "The destination removes an older study to make room for newer ones.",
        "Nothing, to anybody.",
        "Nothing of that study.",
        "Asking again later.",
        _ALL,
    ),
)


def broken_promises_of(method: str) -> tuple[BrokenPromise, ...]:
    """Those that concern a method."""
    return tuple(each for each in BROKEN_PROMISES if method in each.methods)
