"""The receipt as the schema describes it: see `audit.receipts` and docs/receipts.md."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from transfers.api import words
from transfers.api.report_documents import ReportEvidenceDocument
from transfers.api.transfer_documents import CountsDocument


class ReceiptInstanceDocument(serializers.Serializer[Any]):
    """An instance of the manifest, with the evidence of the whole chain of audits."""

    sop_instance_uid = serializers.CharField()
    sop_class_uid = serializers.CharField()
    series_instance_uid = serializers.CharField()
    transfer_syntax_uid = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField(allow_blank=True, help_text="Of the data set as it was sent; empty: it was not.")
    verdict = serializers.ChoiceField(words.INSTANCE_VERDICTS)
    ground = serializers.ChoiceField(words.GROUNDS, allow_null=True)
    is_contradiction = serializers.BooleanField()
    was_there_before = serializers.ChoiceField(words.BEFORE)
    evidence = ReportEvidenceDocument(many=True)


class ReceiptTransferDocument(serializers.Serializer[Any]):
    """What was asked for."""

    id = serializers.UUIDField()
    method = serializers.CharField(allow_null=True)
    verify = serializers.CharField()
    state = serializers.ChoiceField(words.TRANSFER_STATES)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    input_sha256 = serializers.CharField(help_text="The `manifest_sha256` of the transfer.")


class ReceiptDestinationDocument(serializers.Serializer[Any]):
    """Whose word was weighed, and where it was then."""

    name = serializers.CharField()
    address = serializers.CharField()


class ReceiptAuditDocument(serializers.Serializer[Any]):
    """An audit of the chain, with the head of its hash chain."""

    id = serializers.UUIDField()
    opened_at = serializers.DateTimeField()
    sealed_at = serializers.DateTimeField()
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS)
    proof = serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True)
    reason = serializers.CharField()
    counts = CountsDocument()
    links = serializers.IntegerField()
    head_sha256 = serializers.CharField()


class ReceiptDigestsDocument(serializers.Serializer[Any]):
    """Of the rest of the receipt."""

    manifest_sha256 = serializers.CharField()
    evidence_sha256 = serializers.CharField()


class ReceiptStatementDocument(serializers.Serializer[Any]):
    """What is signed."""

    format = serializers.CharField()
    version = serializers.IntegerField()
    issued_at = serializers.DateTimeField()
    transfer = ReceiptTransferDocument()
    destination = ReceiptDestinationDocument()
    destination_may_trust_stable_study = serializers.BooleanField()
    study_instance_uid = serializers.CharField()
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS)
    proof = serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True)
    reason = serializers.CharField()
    files_left_out = serializers.IntegerField()
    counts = CountsDocument()
    audits = ReceiptAuditDocument(many=True, help_text="The oldest first.")
    digests = ReceiptDigestsDocument()


class ReceiptSignatureDocument(serializers.Serializer[Any]):
    """Ed25519 over the statement, in canonical JSON."""

    algorithm = serializers.CharField()
    key_id = serializers.CharField()
    public_key = serializers.CharField()
    value = serializers.CharField()


class ReceiptDocument(serializers.Serializer[Any]):
    """The receipt."""

    statement = ReceiptStatementDocument()
    instances = ReceiptInstanceDocument(many=True)
    signature = ReceiptSignatureDocument()
