"""What the forms of destinations and sources share: secrets are taken, stored encrypted, and never shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from transfers.header_fields import parse_headers
from transfers.passwords import encrypt_password
from transfers.peer import Peer

CHARACTERS_MAXIMUM = 1_024
HEADERS_CHARACTERS_MAXIMUM = 8_192
_STAYS = "Stored encrypted, and never shown again. Empty: what is stored stays."

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Peer]
else:  # generic for the type checker only
    _ModelForm = forms.ModelForm


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that an archive is told and nobody else."""

    name: str
    """Of its fields in the form, after `new_` and `removes_`."""
    words: str
    urls: tuple[str, ...]
    """Fields of the places that are told it, or what it brings."""

    @property
    def field(self) -> str:
        """Of the model."""
        return f"{self.name}_encrypted"


SECRETS = (
    Secret("password", "password", ("url",)),
    Secret("bearer_token", "bearer token", ("url",)),
    Secret("oauth2_client_secret", "client secret", ("url", "oauth2_token_url")),
    Secret("headers", "headers", ("url",)),
)
NEW = tuple(f"new_{secret.name}" for secret in SECRETS)
"""Fields whose values must not get into a report of an error either."""


class _WriteOnlyLines(forms.Textarea):
    """As a field of a password: what was typed is not sent back."""

    def format_value(self, value: Any) -> None:  # noqa: ARG002  as it is called
        return None


def _taken(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        strip=False,
        max_length=CHARACTERS_MAXIMUM,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_STAYS,
    )


def _removed(what: str, help_text: str = "") -> forms.BooleanField:
    return forms.BooleanField(label=f"Remove the {what} stored", required=False, help_text=help_text)


class PeerForm(_ModelForm):
    """The model judges what goes together, once the secrets were taken."""

    new_password = _taken("Password")
    removes_password = _removed("password", "Requests then carry none.")
    new_bearer_token = _taken("Bearer token")
    removes_bearer_token = _removed("bearer token")
    new_oauth2_client_secret = _taken("OAuth2 client secret")
    removes_oauth2_client_secret = _removed("client secret")
    new_headers = forms.CharField(
        label="Headers of every request",
        required=False,
        max_length=HEADERS_CHARACTERS_MAXIMUM,
        widget=_WriteOnlyLines(attrs={"rows": 3, "autocomplete": "off"}),
        help_text=f"Name: value, one a line. {_STAYS}",
    )
    removes_headers = _removed("headers")

    def clean_new_headers(self) -> str:
        """As they are stored before they are encrypted."""
        try:
            headers = parse_headers(self.cleaned_data["new_headers"])
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return json.dumps(headers) if headers else ""

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        model = type(self.instance)
        before = model._default_manager.filter(pk=self.instance.pk).first() or model()  # noqa: SLF001  as Django calls it
        reasons = [reason for secret in SECRETS if (reason := self._take(secret, before, said))]
        if reasons:
            setattr(self.instance, "_change_reason", " ".join(reasons))  # noqa: B010  for the row of its history
        return said

    def _take(self, secret: Secret, before: Peer, said: Mapping[str, Any]) -> str:
        """What the model then judges together with all the rest; returns what was done to it, if anything."""
        stored = str(getattr(before, secret.field))
        new, is_removed = str(said.get(f"new_{secret.name}") or ""), bool(said.get(f"removes_{secret.name}"))
        kept, reason = stored, ""
        if new and is_removed:
            self.add_error(f"removes_{secret.name}", f"Give new {secret.words}, or have it removed, one of the two.")
        elif new:
            kept, reason = encrypt_password(new), _was(secret, "set")
        elif stored and is_removed:
            kept, reason = "", _was(secret, "removed")
        elif stored and any(_place(getattr(before, url)) != _place(str(said.get(url) or "")) for url in secret.urls):
            elsewhere = f"The URL leads elsewhere now: give the {secret.words} that belongs there."
            self.add_error(f"new_{secret.name}", elsewhere)
        setattr(self.instance, secret.field, kept)
        return reason


def _was(secret: Secret, what: str) -> str:
    return f"The {secret.words} {'were' if secret.words.endswith('s') else 'was'} {what}."


def _place(url: str) -> tuple[str, str]:
    """Whoever may change a URL, but does not know a secret, must not be able to have it sent to them."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
