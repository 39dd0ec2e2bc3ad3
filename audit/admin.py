"""Audits, their instances and the evidence in the admin site, to be looked at only."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from audit.models import Audit, Evidence, InstanceAudit
from audit.read_only import ReadOnlyAdmin, ReadOnlyInline


@admin.register(Audit)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "verdict", "proof", "study_instance_uid", "opened_at", "sealed_at")
    list_filter = ("verdict", "proof")
    search_fields = ("public_id__exact", "study_instance_uid__startswith")
    search_help_text = "The id of an audit, or the beginning of a Study Instance UID"
    list_select_related = ("continues",)
    readonly_fields = ("instances_of_it",)

    @admin.display(description="instances")
    def instances_of_it(self, audit: Audit) -> str:
        """There may be thousands: a link to them, not the rows."""
        page = reverse("admin:audit_instanceaudit_changelist")
        return format_html('<a href="{}?audit__id__exact={}">Show them</a>', page, audit.pk)


class EvidenceInline(ReadOnlyInline):
    model = Evidence
    fields = ("kind", "round", "at", "detail")


@admin.register(InstanceAudit)
class InstanceAuditAdmin(ReadOnlyAdmin):
    list_display = ("sop_instance_uid", "position", "verdict", "ground", "is_contradiction", "was_there_before")
    list_filter = ("verdict", "ground")
    search_fields = ("sop_instance_uid__startswith",)
    search_help_text = "The beginning of a SOP Instance UID"
    inlines = (EvidenceInline,)

    def lookup_allowed(self, lookup: str, value: str, request: object = None) -> bool:
        """An audit's page links to its instances."""
        return lookup == "audit__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]
