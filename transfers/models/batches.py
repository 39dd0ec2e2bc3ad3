"""What was submitted in one go, and the files that came for it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from audit.entries import SkippedKind
from transfers.models.destinations import Destination, validate_verification
from transfers.models.sources import Source
from transfers.states import BatchState


class Batch(models.Model):
    """What was submitted in one go: read in the background, it becomes one transfer a study."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="batches")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="batches")
    method = models.CharField(max_length=32)
    options = models.JSONField(default=dict, blank=True)
    verify = models.CharField(max_length=16, validators=[validate_verification])
    send_what_can = models.BooleanField(default=False)
    asks_commitment = models.BooleanField(default=False)
    rolls_back = models.BooleanField(default=False)
    is_inquiry = models.BooleanField(default=False)
    """Nothing is sent: the destination is only asked about what was submitted."""
    starts = models.BooleanField(default=True)
    """Whether its transfers are sent at once, or wait as drafts once the destination was asked."""
    path = models.TextField(blank=True)
    """Of the folder or file under an import root; empty where files were uploaded, or a source holds it."""
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="batches")
    studies = models.JSONField(default=list, blank=True)
    """Of the source: Study Instance UIDs, or Orthanc IDs where a UID is there more than once."""
    waits_until_stable = models.BooleanField(default=False)
    """Whether the source is first given the time to call these studies stable."""
    state = models.CharField(
        max_length=16, choices=[(state.value, state.value) for state in BatchState], default=BatchState.QUEUED
    )
    worker = models.CharField(max_length=128, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    files_read = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    """Why no transfer could be made of it, in plain words."""
    idempotency_key = models.CharField(max_length=255, blank=True)
    request_sha256 = models.CharField(max_length=64, blank=True)
    """Of the request that came with the key: the same key with another request is refused."""
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["state", "lease_until"], name="batch_state_lease")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="batch_idempotency_key_unique",
            )
        ]
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return str(self.public_id)


class SkippedFile(models.Model):
    """A file of a batch's input that is part of no transfer, and why."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="skipped")
    path = models.TextField()
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in SkippedKind])
    reason = models.TextField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} ({self.batch_id})"


class Upload(models.Model):
    """One file that is sent to us in parts; complete once all its bytes are here, and never served back."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads")
    """What it was submitted with; None until then."""
    name = models.CharField(max_length=255)
    """As the client calls it; shown to its owner, never part of a path."""
    size_bytes = models.BigIntegerField()
    """As announced; what counts against the quota."""
    received_bytes = models.BigIntegerField(default=0)
    removed_at = models.DateTimeField(null=True, blank=True)
    """When its bytes were deleted: from then on it is a name only."""
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_complete(self) -> bool:
        return self.received_bytes == self.size_bytes
