"""What a transfer shows of how it was proved: what the destination was asked to commit to, and earlier judgements."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.models import Audit
from transfers.api import words
from transfers.models import CommitmentRequest


class CommitmentCountsDocument(serializers.Serializer[Any]):
    """Instances, by what the reports that came say of them; whatever was not committed is told by its evidence."""

    asked = serializers.IntegerField()
    committed = serializers.IntegerField()
    failed = serializers.IntegerField()
    not_mentioned = serializers.IntegerField(help_text="0 until a report came.")


class CommitmentRequestDocument(serializers.ModelSerializer[CommitmentRequest]):
    """A request for Storage Commitment (an N-ACTION), and what came of it.

    Its Transaction UID is shown to staff only: whoever knows it could report in the archive's name.
    """

    sent_at = serializers.DateTimeField(
        allow_null=True, help_text="When the destination accepted it; null where that is not known, or it did not."
    )
    due_at = serializers.DateTimeField(help_text="When its report is overdue.")
    answered_at = serializers.DateTimeField(allow_null=True, help_text="When the first report came.")
    closed_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when nothing is waited for any more; a late report counts all the same."
    )
    overdue = serializers.BooleanField(source="is_overdue")
    counts = serializers.SerializerMethodField()

    class Meta:
        model = CommitmentRequest
        fields = (
            "called_ae_title",
            "round",
            "created_at",
            "sent_at",
            "due_at",
            "answered_at",
            "closed_at",
            "overdue",
            "counts",
        )
        read_only_fields = fields
        extra_kwargs = {"round": {"help_text": "Of the evidence that its reports become."}}

    @extend_schema_field(CommitmentCountsDocument)
    def get_counts(self, request: CommitmentRequest) -> dict[str, int]:
        """A failure outweighs a success, as in the evidence."""
        reports = [report for report in request.reports.all() if not report.orphaned_because]
        failed = {uid for report in reports for _, uid, _ in report.failed}
        committed = {uid for report in reports for _, uid in report.committed} - failed
        asked = set(request.sop_instance_uids)
        left = asked - failed - committed if reports else ()
        return {
            "asked": len(asked),
            "committed": len(committed),
            "failed": len(failed),
            "not_mentioned": len(left),
        }


class EarlierAuditDocument(serializers.ModelSerializer[Audit]):
    """A judgement that was sealed, and that a later one continues: it stays as it is."""

    id = serializers.UUIDField(source="public_id")
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS)
    proof = serializers.SerializerMethodField()

    class Meta:
        model = Audit
        fields = ("id", "verdict", "proof", "reason", "opened_at", "sealed_at")
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True))
    def get_proof(self, audit: Audit) -> str | None:
        return audit.proof or None
