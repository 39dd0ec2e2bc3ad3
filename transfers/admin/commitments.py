"""What destinations were asked to commit to, and what they reported, to be looked at only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.read_only import ReadOnlyAdmin, ReadOnlyInline
from transfers import commitments
from transfers.models import CommitmentReport, CommitmentRequest

_ORPHANS = {
    commitments.UNKNOWN_TRANSACTION: "of an unknown transaction",
    commitments.WRONG_AE_TITLE: "of another AE title than was asked",
    commitments.FOREIGN_INSTANCES: "of instances that were not asked about",
    commitments.REPEATED: "repeated",
}


class OrphanFilter(admin.SimpleListFilter):
    """Reports that proved nothing, by the reason."""

    title = "what came of it"
    parameter_name = "orphaned"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [("no", "counted"), ("yes", "orphaned, for any reason"), *_ORPHANS.items()]

    def queryset(self, _request: HttpRequest, reports: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen in _ORPHANS:
            return reports.filter(orphaned_because=chosen)
        if chosen == "no":
            return reports.filter(orphaned_because="")
        return reports.exclude(orphaned_because="") if chosen == "yes" else reports


class CommitmentReportInline(ReadOnlyInline):
    model = CommitmentReport
    fields = ("received_at", "calling_ae_title", "event_type_id", "weighed_at", "orphaned_because")


class CommitmentRequestInline(ReadOnlyInline):
    model = CommitmentRequest
    fields = ("transaction_uid", "called_ae_title", "sent_at", "due_at", "answered_at", "is_overdue")
    show_change_link = True


@admin.register(CommitmentRequest)
class CommitmentRequestAdmin(ReadOnlyAdmin):
    list_display = (
        "transaction_uid",
        "called_ae_title",
        "created_at",
        "sent_at",
        "due_at",
        "answered_at",
        "is_overdue",
    )
    list_filter = ("is_overdue", "called_ae_title")
    search_fields = ("transaction_uid__exact", "transfer__public_id__exact")
    search_help_text = "A Transaction UID, or the id of a transfer"
    inlines = (CommitmentReportInline,)


@admin.register(CommitmentReport)
class CommitmentReportAdmin(ReadOnlyAdmin):
    list_display = (
        "transaction_uid",
        "calling_ae_title",
        "peer_address",
        "received_at",
        "committed_count",
        "failed_count",
        "orphaned_because",
    )
    list_filter = (OrphanFilter, "received_at")
    search_fields = ("transaction_uid__exact",)
    search_help_text = "A Transaction UID"

    @admin.display(description="committed")
    def committed_count(self, report: CommitmentReport) -> int:
        return len(report.committed)

    @admin.display(description="failed")
    def failed_count(self, report: CommitmentReport) -> int:
        return len(report.failed)
