"""Destinations, with the history of their changes; the action "Test connection" asks the archive at once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin

from transfers.connections import describe
from transfers.models import Destination
from transfers.wire.connection_test import test_connection


@admin.register(Destination)
class DestinationAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    """Everything that is set for a destination; one that transfers were made to cannot be removed."""

    list_display = ("name", "called_ae_title", "host", "port", "tls_enabled", "verify", "acknowledgement_means_stored")
    list_filter = ("kind", "verify", "tls_enabled")
    search_fields = ("name", "host", "called_ae_title")
    readonly_fields = ("public_id",)
    history_list_display = ("changed_fields",)
    actions = ("test_the_connection",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "public_id")}),
        ("Address", {"fields": ("host", "port", "called_ae_title", "calling_ae_title", "associations")}),
        (
            "What its answers prove",
            {
                "fields": (
                    "verify",
                    "presence_settle_seconds",
                    "probe_retry_seconds",
                    "acknowledgement_means_stored",
                    "same_uid_means_same_content",
                )
            },
        ),
        (
            "TLS",
            {
                "fields": (
                    "tls_enabled",
                    "tls_ca_file",
                    "tls_certificate_file",
                    "tls_key_file",
                    "tls_minimum_version",
                    "tls_check_hostname",
                )
            },
        ),
        (
            "Time-outs",
            {
                "fields": (
                    "connect_timeout_seconds",
                    "acse_timeout_seconds",
                    "dimse_timeout_seconds",
                    "network_timeout_seconds",
                )
            },
        ),
    )

    @admin.display(description="What changed")
    def changed_fields(self, change: Any) -> str:
        """Which fields, not their values: who may see those can open the change."""
        before = change.prev_record
        if before is None:
            return "added"
        return ", ".join(change.diff_against(before).changed_fields) or "nothing"

    @admin.action(description="Test connection (C-ECHO, and what is accepted)", permissions=["view"])
    def test_the_connection(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        for destination in queryset:
            report = test_connection(destination.dicom_endpoint)
            level = messages.SUCCESS if report.is_ok else messages.ERROR
            for line in describe(report):
                self.message_user(request, f"{destination}: {line}", level)
