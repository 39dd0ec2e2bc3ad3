"""What destinations and sources have in common in the admin site: secrets that are never shown, and their history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from simple_history.admin import SimpleHistoryAdmin

from transfers.admin.peer_form import NEW, SECRETS
from transfers.peer import Peer

SECRETS_STORED = tuple(f"{secret.name}_is" for secret in SECRETS)
"""Fields that say whether there are any."""
CREDENTIALS = (
    "Credentials over HTTP",
    {
        "description": "User name and password, or a bearer token, or OAuth2 client credentials: one of the three.",
        "fields": (
            ("username", "password_is"),
            ("new_password", "removes_password"),
            ("new_bearer_token", "removes_bearer_token", "bearer_token_is"),
            ("oauth2_token_url", "oauth2_client_id", "oauth2_scope"),
            ("new_oauth2_client_secret", "removes_oauth2_client_secret", "oauth2_client_secret_is"),
            ("new_headers", "removes_headers", "headers_is"),
        ),
    },
)
TLS = (
    "TLS",
    {
        "description": "Over HTTP the scheme of the URL decides: with https these count, else the defaults.",
        "fields": (
            "tls_enabled",
            "tls_ca_file",
            "tls_certificate_file",
            "tls_key_file",
            "tls_minimum_version",
            "tls_check_hostname",
        ),
    },
)
_hides_secrets = method_decorator(sensitive_post_parameters(*NEW))


class PeerAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    """One that transfers were made with cannot be removed."""

    readonly_fields = ("public_id", *SECRETS_STORED)
    history_list_display = ("changed_fields",)
    actions = ("test_the_connection",)

    @admin.display(description="Password that is stored")
    def password_is(self, peer: Peer) -> str:
        return _is_there(peer.password_encrypted)

    @admin.display(description="Bearer token that is stored")
    def bearer_token_is(self, peer: Peer) -> str:
        return _is_there(peer.bearer_token_encrypted)

    @admin.display(description="Client secret that is stored")
    def oauth2_client_secret_is(self, peer: Peer) -> str:
        return _is_there(peer.oauth2_client_secret_encrypted)

    @admin.display(description="Headers that are stored")
    def headers_is(self, peer: Peer) -> str:
        return ", ".join(peer.header_names) or _is_there(peer.headers_encrypted)

    @admin.display(description="What changed")
    def changed_fields(self, change: Any) -> str:
        """Which fields, not their values: who may see those can open the change."""
        before = change.prev_record
        if before is None:
            return "added"
        return ", ".join(change.diff_against(before).changed_fields) or "nothing"

    @_hides_secrets
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().changeform_view(*args, **kwargs)
        return answer

    @_hides_secrets
    def history_form_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().history_form_view(*args, **kwargs)
        return answer


def _is_there(encrypted: str) -> str:
    return "There is one." if encrypted else "None."
