"""Destinations, with the history of their changes; the action "Test connection" asks the archive at once."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from transfers.admin.destination_form import DestinationForm
from transfers.admin.peers import CREDENTIALS, TLS, PeerAdmin
from transfers.destination_check import check_destination
from transfers.models import Destination

_OF_DICOM = "Of a DICOM archive; the other kinds need none of it, but for how many requests go side by side."
_OF_HTTP = "Of a DICOMweb service or an Orthanc; a DICOM archive needs none of it."
_OF_COMMITMENT = "Of DICOM archives only: their reports come to the listener of this installation."
_OF_TIMEOUTS = "ACSE and DIMSE are of DICOM; over HTTP the other two count."


@admin.register(Destination)
class DestinationAdmin(PeerAdmin):
    """Everything that is set for a destination."""

    form = DestinationForm
    list_display = ("name", "kind", "address", "tls_enabled", "verify", "offers_commitment")
    list_filter = ("kind", "verify", "tls_enabled", "offers_commitment")
    search_fields = ("name", "host", "called_ae_title", "url")
    filter_horizontal = ("ask_at",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "public_id")}),
        (
            "Address over DICOM",
            {
                "description": _OF_DICOM,
                "fields": ("host", "port", "called_ae_title", "calling_ae_title", "associations"),
            },
        ),
        (
            "Address over HTTP",
            {
                "description": _OF_HTTP,
                "fields": ("url",),
            },
        ),
        CREDENTIALS,
        (
            "How it is asked, and what its answers prove",
            {
                "fields": (
                    "verify",
                    "ask_at",
                    "reverify_after_days",
                    "presence_settle_seconds",
                    "probe_retry_seconds",
                    "acknowledgement_means_stored",
                    "same_uid_means_same_content",
                )
            },
        ),
        (
            "Storage Commitment",
            {
                "description": _OF_COMMITMENT,
                "fields": ("offers_commitment", "commitment_timeout_seconds", "commitment_batch_size"),
            },
        ),
        TLS,
        (
            "Time-outs",
            {
                "description": _OF_TIMEOUTS,
                "fields": (
                    "connect_timeout_seconds",
                    "acse_timeout_seconds",
                    "dimse_timeout_seconds",
                    "network_timeout_seconds",
                ),
            },
        ),
    )

    @admin.action(description="Test connection (what it answers, and what is accepted)", permissions=["view"])
    def test_the_connection(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        for destination in queryset:
            check = check_destination(destination)
            level = messages.SUCCESS if check.is_ok else messages.ERROR
            for line in check.describe():
                self.message_user(request, f"Connection to {destination}: {line}", level)
