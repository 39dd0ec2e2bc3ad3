"""Each sending of one study, what was tried, and what happened."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from audit.judgements import StudyVerdict
from audit.models import UID_MAXIMUM_LENGTH, Audit, choices_of
from transfers.models.batches import Batch
from transfers.models.destinations import Destination, validate_verification
from transfers.models.sources import Source
from transfers.states import Purpose, State
from transfers.verification import Verification


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
