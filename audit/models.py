"""What is kept of an audit: the audit, a row an instance, and the evidence, which is never changed."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from audit.judgements import (
    Ground,
    InstanceVerdict,
    StudyVerdict,
    WasThereBefore,
)
from audit.links import LinkKind
from audit.observations import EvidenceKind

UID_MAXIMUM_LENGTH = 64
"""PS3.5 9.1."""


def choices_of(
    words: type[InstanceVerdict | StudyVerdict | WasThereBefore | Ground | EvidenceKind | LinkKind],
) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


class Audit(models.Model):
    """What is known of one study at one destination; once sealed it never changes.

    What comes later (a re-verification, a retry) is a new audit that continues this one and is judged over the
    evidence of the whole chain.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    continues = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="continued_by"
    )
    destination_public_id = models.UUIDField(db_index=True)
    """Whose word is weighed: the audit knows a destination by its public id only."""
    destination_address = models.CharField(max_length=400)
    """Where that was at the time: a destination that is pointed to another archive proves nothing of the first."""
    study_instance_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH, db_index=True)
    is_inquiry = models.BooleanField(default=False)
    """Nothing is to be sent: the destination is only asked."""
    acknowledgement_means_stored = models.BooleanField(default=False)
    same_uid_means_same_content = models.BooleanField(default=False)
    files_left_out = models.PositiveIntegerField(default=0)
    """How many files of the same input could not be read and are part of no transfer."""
    last_round = models.PositiveIntegerField(default=0)
    """The newest round allotted; a continuing audit begins where the one before ended."""
    revision = models.PositiveBigIntegerField(default=0)
    """Grows with everything that is written; a continuing audit begins beyond the one before."""
    tally = models.JSONField(default=dict, blank=True)
    """Counted from the rows when it was sealed: see `audit.tallies`."""
    opened_at = models.DateTimeField()
    sealed_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=16, choices=choices_of(StudyVerdict), default=StudyVerdict.PENDING)
    proof = models.CharField(max_length=16, blank=True)
    reason = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.verdict} ({self.public_id})"

    @property
    def is_sealed(self) -> bool:
        return self.sealed_at is not None

    def chain(self) -> list[Audit]:
        """This audit and those it continues, the newest first."""
        audits = [self]
        while (before := audits[-1].continues) is not None:
            audits.append(before)
        return audits


class InstanceAudit(models.Model):
    """One instance of the manifest, written before its first byte is sent, with its verdict."""

    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="instances")
    position = models.PositiveIntegerField()
    """Its place in the manifest, from 0."""
    sop_instance_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH)
    sop_class_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH)
    series_instance_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH)
    transfer_syntax_uid = models.CharField(max_length=UID_MAXIMUM_LENGTH)
    data_set_size = models.BigIntegerField()
    path = models.TextField(blank=True)
    member = models.TextField(blank=True)
    data_set_offset = models.BigIntegerField(default=0)
    modified_ns = models.BigIntegerField(default=0)
    file_size = models.BigIntegerField(default=0)
    source_id = models.CharField(max_length=64, blank=True)
    """By what its source knows it; empty for a local file."""
    file_md5 = models.CharField(max_length=32, blank=True)
    """Of the whole file, where the source told it with the manifest."""
    notes = models.JSONField(default=list, blank=True)
    is_conflicting = models.BooleanField(default=False)
    """The input holds other content under the same UID: not sent unless told."""
    sha256 = models.CharField(max_length=64, blank=True)
    """Of the data set as it was sent, hexadecimal."""
    was_there_before = models.CharField(
        max_length=8, choices=choices_of(WasThereBefore), default=WasThereBefore.UNKNOWN
    )
    verdict = models.CharField(max_length=16, choices=choices_of(InstanceVerdict), default=InstanceVerdict.PENDING)
    ground = models.CharField(max_length=24, choices=choices_of(Ground), default=Ground.NOT_ASKED)
    is_contradiction = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["audit", "position"], name="instance_position_unique"),
            models.UniqueConstraint(fields=["audit", "sop_instance_uid"], name="instance_uid_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["sop_instance_uid"], name="instance_uid")]
        verbose_name = "instance"

    def __str__(self) -> str:
        return f"{self.sop_instance_uid}: {self.verdict}"


class Evidence(models.Model):
    """A fact about an instance, as it was observed. Never changed, never deleted: the database refuses it."""

    instance = models.ForeignKey(InstanceAudit, on_delete=models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=20, choices=choices_of(EvidenceKind))
    round = models.PositiveIntegerField()
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"{self.kind} (round {self.round})"


class Link(models.Model):
    """One link of an audit's hash chain. Written once, like the evidence: see `audit.links`."""

    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="links", db_index=False)
    position = models.PositiveIntegerField()
    """From 0; with the audit, it is the index of these rows."""
    kind = models.CharField(max_length=20, choices=choices_of(LinkKind))
    at = models.DateTimeField()
    detail = models.TextField()
    """Canonical JSON, as text: what a database makes of a JSON column is not what was hashed."""
    content_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["audit", "position"], name="link_position_unique")]

    def __str__(self) -> str:
        return f"{self.kind} ({self.position})"


class Checkpoint(models.Model):
    """What joins the chains of all audits, once a day: the heads of those that were written to, and the one before."""

    day = models.DateField(unique=True)
    """In UTC: it covers what was written up to its end and was not covered before."""
    at = models.DateTimeField()
    newest_link = models.BigIntegerField()
    """The highest id of a link then; what is lower is not looked through again for the next but one."""
    heads = models.PositiveIntegerField()
    """How many audits it covers."""
    content_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.day}"


class CheckpointHead(models.Model):
    """The last link that an audit had at a checkpoint, as it was then."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="covered")
    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="+", db_index=False)
    position = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["audit", "position"], name="head_covered_once")]

    def __str__(self) -> str:
        return self.sha256
