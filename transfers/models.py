"""Where studies go, what was submitted, and each sending of one study."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from audit.entries import SkippedKind
from audit.judgements import Policy, StudyVerdict
from audit.models import UID_MAXIMUM_LENGTH, Audit, choices_of
from transfers import endpoints
from transfers.methods import default_method
from transfers.peer import POSITIVE_SECONDS, SECRETS, Peer
from transfers.states import BatchState, Purpose, State
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
        if is_dicom and (self.username or self.password_encrypted or self.has_other_credentials):
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


class Batch(models.Model):
    """What was submitted in one go: read in the background, it becomes one transfer a study."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="batches")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="batches")
    method = models.CharField(max_length=32)
    options = models.JSONField(default=dict, blank=True)
    verify = models.CharField(max_length=16, validators=[validate_verification])
    send_what_can = models.BooleanField(default=False)
    asks_commitment = models.BooleanField(default=False)
    rolls_back = models.BooleanField(default=False)
    is_inquiry = models.BooleanField(default=False)
    """Nothing is sent: the destination is only asked about what was submitted."""
    starts = models.BooleanField(default=True)
    """Whether its transfers are sent at once, or wait as drafts once the destination was asked."""
    path = models.TextField(blank=True)
    """Of the folder or file under an import root; empty where files were uploaded, or a source holds it."""
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="batches")
    studies = models.JSONField(default=list, blank=True)
    """Of the source: Study Instance UIDs, or Orthanc IDs where a UID is there more than once."""
    waits_until_stable = models.BooleanField(default=False)
    """Whether the source is first given the time to call these studies stable."""
    state = models.CharField(
        max_length=16, choices=[(state.value, state.value) for state in BatchState], default=BatchState.QUEUED
    )
    worker = models.CharField(max_length=128, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    files_read = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    """Why no transfer could be made of it, in plain words."""
    idempotency_key = models.CharField(max_length=255, blank=True)
    request_sha256 = models.CharField(max_length=64, blank=True)
    """Of the request that came with the key: the same key with another request is refused."""
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["state", "lease_until"], name="batch_state_lease")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="batch_idempotency_key_unique",
            )
        ]
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return str(self.public_id)


class SkippedFile(models.Model):
    """A file of a batch's input that is part of no transfer, and why."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="skipped")
    path = models.TextField()
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in SkippedKind])
    reason = models.TextField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} ({self.batch_id})"


class Upload(models.Model):
    """One file that is sent to us in parts; complete once all its bytes are here, and never served back."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="uploads")
    """What it was submitted with; None until then."""
    name = models.CharField(max_length=255)
    """As the client calls it; shown to its owner, never part of a path."""
    size_bytes = models.BigIntegerField()
    """As announced; what counts against the quota."""
    received_bytes = models.BigIntegerField(default=0)
    removed_at = models.DateTimeField(null=True, blank=True)
    """When its bytes were deleted: from then on it is a name only."""
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def is_complete(self) -> bool:
        return self.received_bytes == self.size_bytes


class Transfer(models.Model):
    """One study on its way to one destination. What is proved of it is in its newest audit."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="transfers")
    """None for what the command line made."""
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="transfers")
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="transfers")
    """What holds its instances; None for files."""
    source_study_id = models.CharField(max_length=64, blank=True)
    """By what the source knows the study (an Orthanc ID)."""
    source_asked_at = models.DateTimeField(null=True, blank=True)
    """When the source was asked last whether it has grown since the manifest was taken."""
    source_grown_by = models.PositiveIntegerField(null=True, blank=True)
    """How many instances it held then that are not in the manifest; None: it could not be asked."""
    method = models.CharField(max_length=32, null=True, blank=True)  # noqa: DJ001  null: nothing is sent, only verified
    options = models.JSONField(default=dict, blank=True)
    """Of the method, as given for this transfer."""
    verify = models.CharField(max_length=16, validators=[validate_verification])
    purpose = models.CharField(
        max_length=16, choices=[(each.value, each.value) for each in Purpose], default=Purpose.SEND
    )
    """What its next run is for."""
    asks_commitment = models.BooleanField(default=False)
    """Whether its next run asks the destination to commit to what it holds."""
    rolls_back = models.BooleanField(default=False)
    """All or nothing: what it brought there is removed again where the study cannot be completed."""
    stops_before_sending = models.BooleanField(default=False)
    """Whether its next run ends as a draft, once the destination was asked before the first byte."""
    send_what_can = models.BooleanField(default=False)
    """Go on without the instances that cannot be sent."""
    study_instance_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, db_index=True)
    study_description = models.CharField(max_length=64, blank=True)
    study_date = models.DateField(null=True, blank=True)
    modalities = models.CharField(max_length=255, blank=True)
    """Separated by commas."""
    series = models.PositiveIntegerField(default=0)
    instances = models.PositiveIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)
    """Of the data sets of the manifest."""
    manifest_sha256 = models.CharField(max_length=64)
    """Of what the manifest says: two inputs with the same one are the same files, unchanged."""
    audit = models.OneToOneField(Audit, on_delete=models.PROTECT, related_name="+")
    """The newest; earlier ones are the chain that it continues."""
    verdict = models.CharField(max_length=16, choices=choices_of(StudyVerdict), default=StudyVerdict.PENDING)
    """Of the newest audit, copied here so that lists of transfers can be filtered by it."""
    findings = models.JSONField(default=dict, blank=True)
    """What the preflight of a draft found: see `transfers.preflight`."""
    state = models.CharField(
        max_length=20, choices=[(state.value, state.value) for state in State], default=State.QUEUED
    )
    is_in_background = models.BooleanField(default=False)
    """Whether a worker may take it up; the command line's own it leaves alone."""
    worker = models.CharField(max_length=128, blank=True)
    """Who holds it: host, process namespace and process id."""
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    """Whoever holds it stops sending, asks the destination what is there, and ends it as cancelled."""
    revision = models.PositiveBigIntegerField(default=0)
    """Grows with each event."""
    reverify_at = models.DateTimeField(null=True, blank=True)
    """When the destination is asked again by itself."""
    missing_since = models.DateTimeField(null=True, blank=True)
    """When a study that had been committed was found not to be whole any more: an alarm, until somebody has seen it."""
    changes_since = models.BigIntegerField(null=True, blank=True)
    """The newest change of the destination that was read, where its changes are watched."""
    changes_watched_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["state", "lease_until"], name="transfer_state_lease"),
            models.Index(fields=["state", "-id"], name="transfer_state_newest"),
            models.Index(fields=["verdict", "-id"], name="transfer_verdict_newest"),
            models.Index(fields=["destination", "-id"], name="transfer_destination_newest"),
            models.Index(fields=["created_at"], name="transfer_created_at"),
            models.Index(fields=["method", "destination", "verdict", "-id"], name="transfer_method_newest"),
            models.Index(fields=["finished_at", "verdict"], name="transfer_finished_verdict"),
            models.Index(
                fields=["reverify_at"], condition=models.Q(reverify_at__isnull=False), name="transfer_reverify_at"
            ),
            models.Index(
                fields=["changes_watched_until"],
                condition=models.Q(changes_watched_until__isnull=False),
                name="transfer_changes_watched",
            ),
            models.Index(
                fields=["-missing_since"],
                condition=models.Q(missing_since__isnull=False),
                name="transfer_missing_since",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def sends(self) -> bool:
        """Whether its next run sends."""
        return self.purpose == Purpose.SEND

    @property
    def verification(self) -> Verification:
        return Verification.parse(self.verify)

    @property
    def live_revision(self) -> int:
        """Grows whenever anything of the transfer or its newest audit changes, and never shrinks."""
        return self.revision + self.audit.revision


class Attempt(models.Model):
    """One send phase of a transfer. Never erased."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="attempts")
    round = models.PositiveIntegerField()
    """The round of its evidence."""
    instances = models.PositiveIntegerField()
    """How many it set out to send."""
    size_bytes = models.BigIntegerField()
    started_at = models.DateTimeField()
    checkpoints = models.JSONField(default=list, blank=True)
    """[{"kind": …, "handle": {…}}, …]: what its method yielded for whoever takes it up after a crash."""
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"attempt of {self.transfer_id}, round {self.round}"


class CommitmentRequest(models.Model):
    """An N-ACTION by which a destination is asked to commit (PS3.4 J.3.2): written before it is sent."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="commitment_requests")
    transaction_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, unique=True)
    round = models.PositiveIntegerField()
    """Of the evidence that its report becomes, however late that comes."""
    sop_instance_uids = models.JSONField()
    """Of the instances asked about."""
    called_ae_title = models.CharField(max_length=16)
    """Who was asked, and so who has to report."""
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    """When it was answered with success; None where that is not known."""
    due_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    """When its first report was weighed."""
    closed_at = models.DateTimeField(null=True, blank=True)
    """Since when nothing is waited for any more: answered, refused, or overdue. A late report still counts."""
    is_overdue = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=models.Q(closed_at__isnull=True), name="commitment_open_due"),
            models.Index(
                fields=["transfer", "created_at"], condition=models.Q(is_overdue=True), name="commitment_overdue"
            ),
        ]

    def __str__(self) -> str:
        return self.transaction_uid


class CommitmentReport(models.Model):
    """An N-EVENT-REPORT as it came (PS3.4 J.3.3): kept before it is answered, whatever it turns out to mean."""

    transaction_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, db_index=True)
    event_type_id = models.PositiveIntegerField()
    calling_ae_title = models.CharField(max_length=16)
    peer_address = models.CharField(max_length=64, blank=True)
    committed = models.JSONField()
    """[[SOP Class UID, SOP Instance UID], …]"""
    failed = models.JSONField()
    """[[SOP Class UID, SOP Instance UID, failure reason or null], …]"""
    received_at = models.DateTimeField()
    request = models.ForeignKey(
        CommitmentRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="reports"
    )
    """What it answers; None for an orphan."""
    orphaned_because = models.CharField(max_length=32, blank=True)
    """A stable word; empty where it counts."""
    weighed_at = models.DateTimeField(null=True, blank=True)
    """When it became evidence."""

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(
                fields=["received_at"],
                condition=models.Q(weighed_at__isnull=True, orphaned_because=""),
                name="commitment_report_unweighed",
            ),
        ]

    def __str__(self) -> str:
        return f"report of {self.transaction_uid}"


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
