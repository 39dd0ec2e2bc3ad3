"""Where studies go, and each sending of one."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from audit.judgements import Policy
from audit.models import UID_MAXIMUM_LENGTH, Audit
from transfers import endpoints
from transfers.states import State


def validate_ae_title(value: str) -> None:
    try:
        endpoints.validate_ae_title(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def validate_readable_file(value: str) -> None:
    path = Path(value)
    if not path.is_absolute():
        raise ValidationError("Give the absolute path of the file, on the machine that sends.")
    if not path.is_file():
        raise ValidationError(f"There is no file {value} on this machine.")


validate_name = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "A name has letters, digits, dots, hyphens and underscores, and begins with a letter or digit.",
)

_POSITIVE_SECONDS = (MinValueValidator(0.1), MaxValueValidator(86_400))


def kind_choices() -> list[tuple[str, str]]:
    return [("dicom", "DICOM (C-STORE)")]


def verify_choices() -> list[tuple[str, str]]:
    return [("none", "none: ask nothing afterwards"), ("presence", "presence: ask for the list of instances")]


class Destination(models.Model):
    """An archive, and how to speak to it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=64, unique=True, validators=[validate_name])
    kind = models.CharField(max_length=16, choices=kind_choices, default="dicom")
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(65_535)])
    called_ae_title = models.CharField("called AE title", max_length=16, validators=[validate_ae_title])
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
        help_text="How many associations may send side by side.",
    )

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

    connect_timeout_seconds = models.FloatField(default=10, validators=_POSITIVE_SECONDS)
    acse_timeout_seconds = models.FloatField("ACSE timeout seconds", default=30, validators=_POSITIVE_SECONDS)
    dimse_timeout_seconds = models.FloatField("DIMSE timeout seconds", default=60, validators=_POSITIVE_SECONDS)
    network_timeout_seconds = models.FloatField(default=60, validators=_POSITIVE_SECONDS)

    verify = models.CharField(
        "verification policy",
        max_length=16,
        choices=verify_choices,
        default="presence",
        help_text="How the destination is asked after sending.",
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

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a client certificate without its key, and the other way round."""
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValidationError(
                "A client certificate needs its key, and the key its certificate: give both or neither."
            )

    @property
    def endpoint(self) -> endpoints.DicomEndpoint:
        """What the methods and probes need to know of it."""
        return endpoints.DicomEndpoint(
            host=self.host,
            port=self.port,
            called_ae_title=endpoints.validate_ae_title(self.called_ae_title),
            calling_ae_title=endpoints.validate_ae_title(self.calling_ae_title or settings.DICOM_AE_TITLE),
            tls=self._tls if self.tls_enabled else None,
            timeouts=endpoints.Timeouts(
                connect_seconds=self.connect_timeout_seconds,
                acse_seconds=self.acse_timeout_seconds,
                dimse_seconds=self.dimse_timeout_seconds,
                network_seconds=self.network_timeout_seconds,
            ),
            associations=self.associations,
        )

    @property
    def _tls(self) -> endpoints.TlsSettings:
        return endpoints.TlsSettings(
            ca_file=self.tls_ca_file,
            certificate_file=self.tls_certificate_file,
            key_file=self.tls_key_file,
            minimum_version=self.tls_minimum_version,
            check_hostname=self.tls_check_hostname,
        )

    @property
    def address(self) -> str:
        """Where it is and who it is: another one is another archive, whatever the name says."""
        return f"{self.host}:{self.port} {self.called_ae_title.strip()}"

    @property
    def policy(self) -> Policy:
        """What the admin declared of it, for the verdict calculus."""
        return Policy(self.acknowledgement_means_stored, self.same_uid_means_same_content)


class Transfer(models.Model):
    """One study on its way to one destination. What is proved of it is in its newest audit."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="transfers")
    method = models.CharField(max_length=32, null=True, blank=True)  # noqa: DJ001  null: nothing is sent, only verified
    options = models.JSONField(default=dict, blank=True)
    """Of the method, as given for this transfer."""
    verify = models.CharField(max_length=16, choices=verify_choices)
    sends = models.BooleanField(default=True)
    """Whether its next run sends, or only asks the destination."""
    send_what_can = models.BooleanField(default=False)
    """Go on without the instances that cannot be sent."""
    study_instance_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, db_index=True)
    manifest_sha256 = models.CharField(max_length=64)
    """Of what the manifest says: two inputs with the same one are the same files, unchanged."""
    audit = models.OneToOneField(Audit, on_delete=models.PROTECT, related_name="+")
    """The newest; earlier ones are the chain that it continues."""
    state = models.CharField(
        max_length=20, choices=[(state.value, state.value) for state in State], default=State.QUEUED
    )
    worker = models.CharField(max_length=128, blank=True)
    """Who holds it: host, process namespace and process id."""
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["state", "lease_until"], name="transfer_state_lease")]

    def __str__(self) -> str:
        return str(self.public_id)


class Attempt(models.Model):
    """One send phase of a transfer. Never erased."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="attempts")
    round = models.PositiveIntegerField()
    """The round of its evidence."""
    instances = models.PositiveIntegerField()
    """How many it set out to send."""
    size_bytes = models.BigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"attempt of {self.transfer_id}, round {self.round}"


class TransferEvent(models.Model):
    """Something that happened to a transfer. Written once: the database refuses changes."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="events")
    name = models.CharField(max_length=64)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name
