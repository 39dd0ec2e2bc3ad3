"""Destinations in the admin site; the action "Test connection" asks the archive at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from transfers.connections import describe
from transfers.models import Destination
from transfers.wire.connection_test import test_connection

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Destination]
else:  # generic for the type checker only
    _ModelAdmin = admin.ModelAdmin


@admin.register(Destination)
class DestinationAdmin(_ModelAdmin):
    list_display = ("name", "called_ae_title", "host", "port", "tls_enabled", "verify", "acknowledgement_means_stored")
    list_filter = ("kind", "verify", "tls_enabled")
    search_fields = ("name", "host", "called_ae_title")
    readonly_fields = ("public_id",)
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

    @admin.action(description="Test connection (C-ECHO, and what is accepted)", permissions=["view"])
    def test_the_connection(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        for destination in queryset:
            report = test_connection(destination.endpoint)
            level = messages.SUCCESS if report.is_ok else messages.ERROR
            for line in describe(report):
                self.message_user(request, f"{destination}: {line}", level)
