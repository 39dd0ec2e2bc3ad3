"""Batches as the API shows them: a row of a list, and one with what it became."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db.models import Count, Sum
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from transfers.api import words
from transfers.api.fields import OptionValues, WayToVerify
from transfers.api.transfer_documents import TransferDocument
from transfers.models import Batch, SkippedFile

FIRST = 100
"""So many transfers and skipped files are shown with a batch; all of them are lists of their own."""


class SkippedDocument(serializers.ModelSerializer[SkippedFile]):
    """A file of the input that is part of no transfer, and why."""

    kind = serializers.ChoiceField(words.SKIPPED_KINDS)

    class Meta:
        model = SkippedFile
        fields = ("path", "kind", "reason")
        read_only_fields = fields


class BatchErrorDocument(serializers.Serializer[Any]):
    """Why no transfer could be made of it."""

    code = serializers.CharField()
    reason = serializers.CharField()


class BatchCountsDocument(serializers.Serializer[Any]):
    """Of all that it became."""

    transfers = serializers.IntegerField()
    instances = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    skipped = serializers.IntegerField()
    by_state = serializers.DictField(child=serializers.IntegerField(), help_text="Transfers, by their state.")
    by_verdict = serializers.DictField(child=serializers.IntegerField(), help_text="Transfers, by their verdict.")


class BatchDocument(serializers.ModelSerializer[Batch]):
    """What was submitted in one go."""

    id = serializers.UUIDField(source="public_id")
    state = serializers.ChoiceField(words.BATCH_STATES)
    created_by = serializers.CharField(source="created_by.username")
    destination = serializers.CharField(source="destination.name")
    method = serializers.SerializerMethodField(
        help_text="Null where nothing is sent and the destination is only asked."
    )
    verify = WayToVerify()
    commitment = serializers.BooleanField(source="asks_commitment", help_text="Whether it is asked to commit.")
    rollback = serializers.BooleanField(source="rolls_back", help_text="All or nothing.")
    send = serializers.SerializerMethodField(help_text="False: the destination is only asked.")
    options = OptionValues()
    start = serializers.BooleanField(source="starts", help_text="False: it stops as a draft.")
    source = serializers.CharField(  # type: ignore[assignment]  # the metaclass takes fields out of the class
        source="source.name", default=None, allow_null=True, help_text="What holds the studies; null for files."
    )
    studies = serializers.ListField(
        child=serializers.CharField(), help_text="Of the source: Study Instance UIDs, or Orthanc IDs."
    )
    wait_until_stable = serializers.BooleanField(
        source="waits_until_stable", help_text="Whether the source is first given the time to call them stable."
    )
    files_read = serializers.IntegerField(help_text="How many files, or instances of a source, were read so far.")
    files_uploaded = serializers.SerializerMethodField(help_text="0 where a path is given.")
    error = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Batch
        fields: tuple[str, ...] = (
            "id",
            "state",
            "created_by",
            "created_at",
            "destination",
            "method",
            "options",
            "verify",
            "commitment",
            "rollback",
            "send",
            "start",
            "send_what_can",
            "path",
            "source",
            "studies",
            "wait_until_stable",
            "files_uploaded",
            "files_read",
            "read_at",
            "started_at",
            "error",
            "url",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(words.METHOD_KEYS, allow_null=True))
    def get_method(self, batch: Batch) -> str | None:
        return batch.method or None

    def get_send(self, batch: Batch) -> bool:
        return not batch.is_inquiry

    def get_files_uploaded(self, batch: Batch) -> int:
        return len(batch.uploads.all())

    @extend_schema_field(BatchErrorDocument(allow_null=True))
    def get_error(self, batch: Batch) -> dict[str, str] | None:
        return {"code": batch.error_code, "reason": batch.error} if batch.error_code else None

    def get_url(self, batch: Batch) -> str:
        return str(reverse("api-batch", args=[batch.public_id], request=self.context["request"]))


class WholeBatchDocument(BatchDocument):
    """A batch with what it became."""

    counts = serializers.SerializerMethodField()
    transfers = serializers.SerializerMethodField(help_text=f"The first {FIRST}; `transfers/?batch=ID` lists all.")
    skipped = serializers.SerializerMethodField(help_text=f"The first {FIRST}; `skipped/` lists all.")

    class Meta(BatchDocument.Meta):
        fields = (*BatchDocument.Meta.fields, "counts", "transfers", "skipped")
        read_only_fields = fields

    @extend_schema_field(BatchCountsDocument)
    def get_counts(self, batch: Batch) -> dict[str, Any]:
        by_state: Counter[str] = Counter()
        by_verdict: Counter[str] = Counter()
        instances = size_bytes = 0
        rows = batch.transfers.order_by().values_list("state", "verdict")
        for state, verdict, count, of_instances, of_bytes in rows.annotate(
            Count("id"), Sum("instances"), Sum("size_bytes")
        ):
            by_state[state] += count
            by_verdict[verdict] += count
            instances += of_instances
            size_bytes += of_bytes
        return {
            "transfers": by_state.total(),
            "instances": instances,
            "size_bytes": size_bytes,
            "skipped": batch.skipped.count(),
            "by_state": dict(by_state),
            "by_verdict": dict(by_verdict),
        }

    @extend_schema_field(TransferDocument(many=True))
    def get_transfers(self, batch: Batch) -> Any:
        transfers = batch.transfers.select_related("audit", "destination", "source", "batch").order_by("id")[:FIRST]
        return TransferDocument(transfers, many=True, context=self.context).data

    @extend_schema_field(SkippedDocument(many=True))
    def get_skipped(self, batch: Batch) -> Any:
        return SkippedDocument(batch.skipped.order_by("id")[:FIRST], many=True).data
