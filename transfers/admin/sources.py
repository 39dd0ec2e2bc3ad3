"""Sources, with the history of their changes; the action "Test connection" asks the archive at once."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from transfers.admin.peer_form import PeerForm
from transfers.admin.peers import CREDENTIALS, TLS, PeerAdmin
from transfers.models import Source
from transfers.peer import SECRETS
from transfers.source_check import check_source


class SourceForm(PeerForm):
    """Everything that can be set."""

    class Meta:
        model = Source
        exclude: ClassVar = list(SECRETS)


@admin.register(Source)
class SourceAdmin(PeerAdmin):
    """Everything that is set for a source."""

    form = SourceForm
    list_display = ("name", "kind", "url", "tls_enabled")
    list_filter = ("kind", "tls_enabled")
    search_fields = ("name", "url")
    fieldsets = (
        (None, {"fields": ("name", "kind", "public_id")}),
        ("Address", {"fields": ("url", "connections")}),
        CREDENTIALS,
        TLS,
        (
            "Time-outs",
            {
                "description": "The DIMSE time-out is how long an answer may take to begin.",
                "fields": ("connect_timeout_seconds", "dimse_timeout_seconds", "network_timeout_seconds"),
            },
        ),
    )

    @admin.action(description="Test connection (does it let us in, and can it be searched?)", permissions=["view"])
    def test_the_connection(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            check = check_source(source)
            level = messages.SUCCESS if check.is_ok else messages.ERROR
            for line in check.describe():
                self.message_user(request, f"Connection to {source}: {line}", level)
