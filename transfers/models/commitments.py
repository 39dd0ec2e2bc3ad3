"""What destinations were asked to commit to, and their reports."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from audit.models import UID_MAXIMUM_LENGTH
from transfers.models.transfers import Transfer


class CommitmentRequest(models.Model):
    """An N-ACTION by which a destination is asked to commit (PS3.4 J.3.2): written before it is sent."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="commitment_requests")
    transaction_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, unique=True)
    round = models.PositiveIntegerField()
    """Of the evidence that its report becomes, however late that comes."""
    sop_instance_uids = models.JSONField()
    """Of the instances asked about."""
    called_ae_title = models.CharField(max_length=16)
    """Who was asked, and so who has to report."""
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    """When it was answered with success; None where that is not known."""
    due_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    """When its first report was weighed."""
    closed_at = models.DateTimeField(null=True, blank=True)
    """Since when nothing is waited for any more: answered, refused, or overdue. A late report still counts."""
    is_overdue = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=models.Q(closed_at__isnull=True), name="commitment_open_due"),
            models.Index(
                fields=["transfer", "created_at"], condition=models.Q(is_overdue=True), name="commitment_overdue"
            ),
        ]

    def __str__(self) -> str:
        return self.transaction_uid


class CommitmentReport(models.Model):
    """An N-EVENT-REPORT as it came (PS3.4 J.3.3): kept before it is answered, whatever it turns out to mean."""

    transaction_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, db_index=True)
    event_type_id = models.PositiveIntegerField()
    calling_ae_title = models.CharField(max_length=16)
    peer_address = models.CharField(max_length=64, blank=True)
    committed = models.JSONField()
    """[[SOP Class UID, SOP Instance UID], …]"""
    failed = models.JSONField()
    """[[SOP Class UID, SOP Instance UID, failure reason or null], …]"""
    received_at = models.DateTimeField()
    request = models.ForeignKey(
        CommitmentRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="reports"
    )
    """What it answers; None for an orphan."""
    orphaned_because = models.CharField(max_length=32, blank=True)
    """A stable word; empty where it counts."""
    weighed_at = models.DateTimeField(null=True, blank=True)
    """When it became evidence."""

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(
                fields=["received_at"],
                condition=models.Q(weighed_at__isnull=True, orphaned_because=""),
                name="commitment_report_unweighed",
            ),
        ]

    def __str__(self) -> str:
        return f"report of {self.transaction_uid}"
