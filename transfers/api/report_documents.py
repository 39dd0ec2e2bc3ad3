"""The report as the schema describes it: the document of `--json`, see `transfers.reports`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from transfers.api import words
from transfers.api.transfer_documents import CountsDocument


class ReportEvidenceDocument(serializers.Serializer[Any]):
    """A fact about an instance, as it was observed."""

    kind = serializers.ChoiceField(words.EVIDENCE_KINDS)
    at = serializers.DateTimeField()
    round = serializers.IntegerField()
    detail = serializers.DictField()


class ReportInstanceDocument(serializers.Serializer[Any]):
    """An instance of the manifest, with the evidence of the whole chain of audits."""

    sop_instance_uid = serializers.CharField()
    sop_class_uid = serializers.CharField()
    verdict = serializers.ChoiceField(words.INSTANCE_VERDICTS)
    was_there_before = serializers.ChoiceField(words.BEFORE)
    evidence = ReportEvidenceDocument(many=True)


class ReportTransferDocument(serializers.Serializer[Any]):
    """A transfer, with every instance."""

    id = serializers.UUIDField()
    study_instance_uid = serializers.CharField()
    destination = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]  # the metaclass takes fields out of the class
        required=False, help_text="What holds its instances; not there for files."
    )
    source_grown_by = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="How many instances the source held afterwards that are no part of this; only where there is one.",
    )
    method = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(words.TRANSFER_STATES)
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS)
    proof = serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True)
    reason = serializers.CharField()
    destination_may_trust_stable_study = serializers.BooleanField()
    counts = CountsDocument()
    instances = ReportInstanceDocument(many=True)


class ReportSkippedDocument(serializers.Serializer[Any]):
    """A file of the input that is part of no transfer."""

    path = serializers.CharField()
    kind = serializers.ChoiceField(words.SKIPPED_KINDS)
    reason = serializers.CharField()


class ReportDocument(serializers.Serializer[Any]):
    """The report."""

    transfers = ReportTransferDocument(many=True)
    skipped = ReportSkippedDocument(many=True)
