"""Files that come with a form become uploads, and those a batch; in vain, nothing of them is kept."""

from __future__ import annotations

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


def submit_with_files(submission: Submission, files: Sequence[File], *, by: User) -> Batch:
    """Submit uploads that are there already together with files that came just now.

    Raises what `uploads.take_over` and `submissions.submit` raise.
    """
    kept: list[Upload] = []
    try:
        for file in files:
            kept.append(uploads.take_over(by, file.name or "", file.path))  # noqa: PERF401  those before are kept
        return submissions.submit(submission._replace(uploads=[*submission.uploads, *kept]), by=by)
    except BaseException:
        for upload in kept:
            with suppress(uploads.UploadError):
                uploads.remove(upload)
        raise
