"""What the API tells of a destination and of a source alike: who it is and how it is reached, never its secrets."""

from __future__ import annotations

from typing import TypeVar

from rest_framework import serializers

from transfers.peer import LOGINS, Peer

P = TypeVar("P", bound=Peer)


class PeerDocument(serializers.ModelSerializer[P]):
    """Its credentials are never shown."""

    id = serializers.UUIDField(source="public_id")
    login = serializers.ChoiceField(LOGINS, help_text="How we log in over HTTP.")
    header_names = serializers.ListField(
        child=serializers.CharField(), help_text="Of the headers that every request carries."
    )
    tls = serializers.BooleanField(source="tls_enabled")
