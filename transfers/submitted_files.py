"""Files that come with a form become uploads, and those a batch; in vain, nothing of them is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from django.contrib.auth.models import User

from transfers import submissions, uploads
from transfers.models import Batch, Upload
from transfers.submissions import Submission


class File(Protocol):
    """What was received, whole."""

    name: str | None
    path: Path

    @property
    def sha256(self) -> str:
        """Hexadecimal, of its bytes."""
        ...


def submit_with_files(submission: Submission, files: Sequence[File], *, by: User, idempotency_key: str = "") -> Batch:
    """Submit what was asked for with files that came just now; with the same key the batch that it made before.

    Raises what `uploads.take_over` and `submissions.submit` raise.
    """
    submission = submission._replace(files_sha256=[_digest_of(file) for file in files])
    if made := submissions.submitted_before(submission, by=by, idempotency_key=idempotency_key):
        return made
    kept: list[Upload] = []
    try:
        for file in files:
            kept.append(uploads.take_over(by, file.name or "", file.path))  # noqa: PERF401  those before are kept
        everything = submission._replace(uploads=[*submission.uploads, *kept])
        return submissions.submit(everything, by=by, idempotency_key=idempotency_key)
    finally:
        _remove_unused(kept)


def _remove_unused(kept: Sequence[Upload]) -> None:
    """Those that no batch took: it was refused, or the same was submitted at the same moment."""
    for upload in Upload.objects.filter(pk__in=[upload.pk for upload in kept], batch__isnull=True):
        with suppress(uploads.UploadError):
            uploads.remove(upload)


def _digest_of(file: File) -> str:
    return hashlib.sha256(f"{file.sha256} {file.name}".encode()).hexdigest()
