"""Transfers with their attempts and events, to be looked at only."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from audit.read_only import ReadOnlyAdmin, ReadOnlyInline
from transfers.admin.commitments import CommitmentRequestInline
from transfers.models import Attempt, Transfer, TransferEvent


class AttemptInline(ReadOnlyInline):
    model = Attempt
    fields = ("round", "instances", "size_bytes", "started_at", "ended_at")


class TransferEventInline(ReadOnlyInline):
    model = TransferEvent
    fields = ("at", "name", "detail")


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "state", "verdict", "destination", "method", "study_instance_uid", "created_at")
    list_filter = ("state", "verdict", "destination")
    list_select_related = ("destination",)
    search_fields = ("public_id__exact", "study_instance_uid__startswith")
    search_help_text = "The id of a transfer, or the beginning of a Study Instance UID"
    readonly_fields = ("audit_of_it",)
    inlines = (AttemptInline, CommitmentRequestInline, TransferEventInline)

    @admin.display(description="newest audit")
    def audit_of_it(self, transfer: Transfer) -> str:
        page = reverse("admin:audit_audit_change", args=[transfer.audit_id])
        return format_html('<a href="{}">{}</a>', page, transfer.audit)
