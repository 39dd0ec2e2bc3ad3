"""Archives that studies are taken from."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from transfers import endpoints
from transfers.peer import SECRETS, Peer

PATIENCE_SECONDS = 15.0


def source_kind_choices() -> list[tuple[str, str]]:
    return [("orthanc", "Orthanc (REST)")]


class Source(Peer):
    """Where studies are taken from: an archive that holds them, and may send them by itself."""

    kind = models.CharField(max_length=16, choices=source_kind_choices, default="orthanc")
    connections = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(32)],
        help_text="How many requests may be under way side by side.",
    )
    history = HistoricalRecords(excluded_fields=list(SECRETS))

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what no source can have."""
        super().clean()
        if not self.url:
            raise ValidationError({"url": "A source needs a URL."})

    @property
    def endpoint(self) -> endpoints.OrthancEndpoint:
        """What `transfers.sources` needs to know of it. Raises PasswordUnreadable."""
        return endpoints.OrthancEndpoint(**self.http_settings, connections=self.connections)

    @property
    def interactive_endpoint(self) -> endpoints.OrthancEndpoint:
        """The same, for a question whose answer somebody waits for. Raises PasswordUnreadable."""
        return self.endpoint.hurried(connect_seconds=PATIENCE_SECONDS, dimse_seconds=PATIENCE_SECONDS)
