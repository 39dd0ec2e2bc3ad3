"""What a destination and a source have in common: a name, and how each is reached over HTTP and TLS."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models

from transfers import endpoints
from transfers.passwords import PasswordUnreadable, decrypt_password

SECRETS = ("password_encrypted", "bearer_token_encrypted", "oauth2_client_secret_encrypted", "headers_encrypted")
"""Fields that are encrypted, kept out of every history, and never shown."""

LOGINS = ("none", "password", "bearer-token", "oauth2")


def validate_readable_file(value: str) -> None:
    path = Path(value)
    if not path.is_absolute():
        raise ValidationError("Give the absolute path of the file, on the machine that sends.")
    if not path.is_file():
        raise ValidationError(f"There is no file {value} on this machine.")


def validate_url_without_login(value: str) -> None:
    if urlsplit(value).username is not None or urlsplit(value).query or urlsplit(value).fragment:
        raise ValidationError("Give user name and password in their own fields, and a URL without ? and #.")


validate_name = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "A name has letters, digits, dots, hyphens and underscores, and begins with a letter or digit.",
)

POSITIVE_SECONDS = (MinValueValidator(0.1), MaxValueValidator(86_400))


class Peer(models.Model):
    """An archive that we speak to."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=64, unique=True, validators=[validate_name])
    url = models.CharField(
        "URL",
        max_length=400,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"]), validate_url_without_login],
        help_text="Of a DICOMweb service (what comes before /studies), or of an Orthanc.",
    )
    username = models.CharField(max_length=255, blank=True)
    password_encrypted = models.TextField(blank=True, editable=False)
    bearer_token_encrypted = models.TextField(blank=True, editable=False)
    oauth2_token_url = models.CharField(
        "OAuth2 token URL",
        max_length=400,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"]), validate_url_without_login],
        help_text="Where an access token is asked for with client credentials (RFC 6749 4.4).",
    )
    oauth2_client_id = models.CharField("OAuth2 client id", max_length=255, blank=True)
    oauth2_client_secret_encrypted = models.TextField(blank=True, editable=False)
    oauth2_scope = models.CharField("OAuth2 scope", max_length=255, blank=True)
    headers_encrypted = models.TextField(blank=True, editable=False)
    """Of every request: a JSON object, encrypted, since such headers are mostly keys."""

    tls_enabled = models.BooleanField("TLS", default=False)
    tls_ca_file = models.CharField(
        "CA file",
        max_length=1024,
        blank=True,
        validators=[validate_readable_file],
        help_text="PEM file of the authorities to trust; empty: those of the system.",
    )
    tls_certificate_file = models.CharField(
        "client certificate", max_length=1024, blank=True, validators=[validate_readable_file]
    )
    tls_key_file = models.CharField("client key", max_length=1024, blank=True, validators=[validate_readable_file])
    tls_minimum_version = models.CharField(
        "minimum TLS version", max_length=3, choices=[("1.2", "1.2"), ("1.3", "1.3")], default="1.2"
    )
    tls_check_hostname = models.BooleanField("check the host name", default=True)

    connect_timeout_seconds = models.FloatField(default=10, validators=POSITIVE_SECONDS)
    dimse_timeout_seconds = models.FloatField("DIMSE timeout seconds", default=60, validators=POSITIVE_SECONDS)
    network_timeout_seconds = models.FloatField(default=60, validators=POSITIVE_SECONDS)

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse credentials that contradict each other, and a client certificate without its key."""
        if self.password_encrypted and not self.username:
            raise ValidationError({"username": "A password needs a user name."})
        ways = (self.username, self.bearer_token_encrypted, self.oauth2_token_url)
        if sum(map(bool, ways)) > 1:
            raise ValidationError("Log in by a user name, by a bearer token or by OAuth2: by one of the three.")
        if self.url.lower().startswith("https:") and self.oauth2_token_url.lower().startswith("http:"):
            message = "A URL of https needs a token URL of https too: else the client secret travels unencrypted."
            raise ValidationError({"oauth2_token_url": message})
        if bool(self.oauth2_token_url) != bool(self.oauth2_client_id and self.oauth2_client_secret_encrypted):
            raise ValidationError({"oauth2_token_url": "OAuth2 needs a token URL, a client id and a client secret."})
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValidationError(
                "A client certificate needs its key, and the key its certificate: give both or neither."
            )

    @property
    def login(self) -> str:
        """How we log in over HTTP, one of LOGINS; headers may stand in its place, or beside it."""
        if self.username or self.password_encrypted:
            return "password"
        if self.bearer_token_encrypted:
            return "bearer-token"
        return "oauth2" if self.oauth2_token_url else "none"

    @property
    def header_names(self) -> list[str]:
        """Of the headers that every request carries; their values are nobody's business. Empty where unreadable."""
        try:
            return sorted(json.loads(decrypt_password(self.headers_encrypted) or "{}"))
        except PasswordUnreadable:
            return []

    @property
    def http_settings(self) -> dict[str, Any]:
        """The values of an HttpEndpoint, but for its connections. Raises PasswordUnreadable."""
        return {
            "url": self.url.rstrip("/"),
            "username": self.username,
            "password": decrypt_password(self.password_encrypted),
            "bearer_token": decrypt_password(self.bearer_token_encrypted),
            "oauth2": self._oauth2,
            "headers": json.loads(decrypt_password(self.headers_encrypted) or "{}"),
            "tls": self.tls,
            "timeouts": self.timeouts,
        }

    @property
    def timeouts(self) -> endpoints.Timeouts:
        return endpoints.Timeouts(
            connect_seconds=self.connect_timeout_seconds,
            dimse_seconds=self.dimse_timeout_seconds,
            network_seconds=self.network_timeout_seconds,
        )

    @property
    def tls(self) -> endpoints.TlsSettings | None:
        """None: as the system has it for https, and none at all for DICOM."""
        if not self.tls_enabled:
            return None
        return endpoints.TlsSettings(
            ca_file=self.tls_ca_file,
            certificate_file=self.tls_certificate_file,
            key_file=self.tls_key_file,
            minimum_version=self.tls_minimum_version,
            check_hostname=self.tls_check_hostname,
        )

    @property
    def _oauth2(self) -> endpoints.ClientCredentials | None:
        if not self.oauth2_token_url:
            return None
        return endpoints.ClientCredentials(
            token_url=self.oauth2_token_url,
            client_id=self.oauth2_client_id,
            client_secret=decrypt_password(self.oauth2_client_secret_encrypted),
            scope=self.oauth2_scope,
        )
