"""Archives that studies are sent to."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from audit.judgements import Policy
from transfers import endpoints
from transfers.methods import default_method
from transfers.peer import POSITIVE_SECONDS, SECRETS, Peer
from transfers.verification import Verification


def validate_ae_title(value: str) -> None:
    try:
        endpoints.validate_ae_title(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def validate_verification(value: str) -> None:
    try:
        Verification.parse(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def validate_days(value: str) -> None:
    try:
        _days(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def _days(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 36_500 for part in parts):
        raise ValueError("Give days as whole numbers with commas between them: 1, 7, 30.")
    return tuple(sorted({int(part) for part in parts}))


def kind_choices() -> list[tuple[str, str]]:
    return [("dicom", "DICOM (C-STORE)"), ("dicomweb", "DICOMweb"), ("orthanc", "Orthanc (REST)")]


class Destination(Peer):
    """An archive, and how to speak to it."""

    kind = models.CharField(max_length=16, choices=kind_choices, default="dicom")
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(65_535)]
    )
    called_ae_title = models.CharField("called AE title", max_length=16, blank=True, validators=[validate_ae_title])
    calling_ae_title = models.CharField(
        "calling AE title",
        max_length=16,
        blank=True,
        validators=[validate_ae_title],
        help_text="Who we say we are; empty: the DICOM_AE_TITLE of this installation.",
    )
    associations = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(32)],
        help_text="How many associations, or requests, may be under way side by side.",
    )
    ask_at = models.ManyToManyField(
        "self",
        symmetrical=False,
        blank=True,
        help_text="Other entries for the same archive, by which it is asked, read back and watched, too.",
    )

    acse_timeout_seconds = models.FloatField("ACSE timeout seconds", default=30, validators=POSITIVE_SECONDS)
    verify = models.CharField(
        "verification policy",
        max_length=16,
        validators=[validate_verification],
        default="presence",
        help_text="How the destination is asked after sending: none, presence, content, or content:15% for a sample.",
    )
    reverify_after_days = models.CharField(
        max_length=200,
        blank=True,
        validators=[validate_days],
        help_text="When a committed study is asked about again, in days after that: 1, 7, 30. Empty: never.",
    )
    offers_commitment = models.BooleanField(
        "offers Storage Commitment",
        default=False,
        help_text="It is asked to commit to what it was sent, and reports to our listener.",
    )
    commitment_timeout_seconds = models.FloatField(
        default=3_600,
        validators=[MinValueValidator(0.1), MaxValueValidator(30 * 86_400)],
        help_text="How long its report may take before it is overdue.",
    )
    commitment_batch_size = models.PositiveIntegerField(
        default=1_000,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many instances it is asked about in one request.",
    )
    presence_settle_seconds = models.FloatField(
        default=10,
        validators=[MinValueValidator(0), MaxValueValidator(3_600)],
        help_text="How long an instance that was sent may take to be listed before it counts as absent.",
    )
    probe_retry_seconds = models.FloatField(
        default=60,
        validators=[MinValueValidator(0), MaxValueValidator(3_600)],
        help_text="How long a list that could not be fetched is tried again.",
    )
    acknowledgement_means_stored = models.BooleanField(
        default=False,
        help_text="This archive answers only after saving, and drops nothing: its acknowledgement may count as proof.",
    )
    same_uid_means_same_content = models.BooleanField(
        "same UID means same content",
        default=False,
        help_text="What was there before under the same UID is taken to have the same content.",
    )
    history = HistoricalRecords(excluded_fields=list(SECRETS), m2m_fields=[ask_at])

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse an address that does not belong to the kind, and what no peer can have."""
        super().clean()
        is_dicom = self.kind == "dicom"
        if is_dicom and not (self.host and self.port and self.called_ae_title.strip()):
            raise ValidationError("A DICOM destination needs a host, a port and a called AE title.")
        if not is_dicom and not self.url:
            raise ValidationError({"url": "A destination that is spoken to over HTTP needs a URL."})
        if is_dicom and (self.login != "none" or self.headers_encrypted):
            reason = "User name, password, tokens and headers belong to what is spoken to over HTTP."
            raise ValidationError({"username": reason})
        if self.offers_commitment and not is_dicom:
            raise ValidationError({"offers_commitment": "Storage Commitment is asked of DICOM destinations only."})

    @property
    def endpoint(self) -> endpoints.Endpoint:
        """What the methods and probes need to know of it. Raises PasswordUnreadable."""
        return self.dicom_endpoint if self.kind == "dicom" else self._http_endpoint

    @property
    def dicom_endpoint(self) -> endpoints.DicomEndpoint:
        return endpoints.DicomEndpoint(
            host=self.host,
            port=self.port or 0,
            called_ae_title=endpoints.validate_ae_title(self.called_ae_title),
            calling_ae_title=self.own_ae_title,
            tls=self.tls,
            timeouts=self.timeouts,
            associations=self.associations,
        )

    @property
    def default_method(self) -> str:
        """The key of the method that fits it."""
        return default_method(self.kind, offers_commitment=self.offers_commitment)

    @property
    def own_ae_title(self) -> str:
        """Who we say we are there."""
        return endpoints.validate_ae_title(self.calling_ae_title or settings.DICOM_AE_TITLE)

    @property
    def _http_endpoint(self) -> endpoints.OrthancEndpoint | endpoints.DicomWebEndpoint:
        of_kind = endpoints.OrthancEndpoint if self.kind == "orthanc" else endpoints.DicomWebEndpoint
        return of_kind(**self.http_settings, connections=self.associations)

    @property
    def timeouts(self) -> endpoints.Timeouts:
        return replace(super().timeouts, acse_seconds=self.acse_timeout_seconds)

    @property
    def address(self) -> str:
        """Where it is and who it is: another one is another archive, whatever the name says."""
        if self.kind != "dicom":
            return self.url.rstrip("/")
        return f"{self.host}:{self.port} {self.called_ae_title.strip()}"

    @property
    def days_until_reverification(self) -> tuple[int, ...]:
        """After how many days a committed study is asked about again, ascending."""
        return _days(self.reverify_after_days)

    @property
    def policy(self) -> Policy:
        """What the admin declared of it, for the verdict calculus."""
        return Policy(self.acknowledgement_means_stored, self.same_uid_means_same_content)
