"""Transfers as the API shows them: a row of a list, and one with everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from audit.judgements import InstanceVerdict
from audit.live import LiveAudit
from transfers.api import words
from transfers.api.fields import OptionValues, WayToVerify
from transfers.api.proof_documents import CommitmentRequestDocument, EarlierAuditDocument
from transfers.models import Transfer
from transfers.reports import may_trust_stable_study
from transfers.services import preview_retry

VERDICTS = [verdict.value for verdict in InstanceVerdict]
FUNNEL_STEPS = ("sent", "acknowledged", "committed", "present", "compared", "different")


class TransferDocument(serializers.ModelSerializer[Transfer]):
    """One study on its way to one destination."""

    id = serializers.UUIDField(source="public_id")
    state = serializers.ChoiceField(words.TRANSFER_STATES, help_text="Where it is; never what arrived.")
    verdict = serializers.ChoiceField(words.STUDY_VERDICTS, help_text="What is proved of it.")
    proof = serializers.SerializerMethodField(help_text="Of a committed study, the weakest of its proofs.")
    reason = serializers.CharField(source="audit.reason", help_text="The verdict in a sentence; empty until judged.")
    destination = serializers.CharField(source="destination.name")
    source = serializers.CharField(  # type: ignore[assignment]  # the metaclass takes fields out of the class
        source="source.name", default=None, allow_null=True, help_text="What holds its instances; null for files."
    )
    purpose = serializers.ChoiceField(words.PURPOSES, help_text="What its next run, or the one under way, is for.")
    verify = WayToVerify()
    options = OptionValues()
    batch = serializers.UUIDField(
        source="batch.public_id", default=None, allow_null=True, help_text="Null for what the command line made."
    )
    modalities = serializers.SerializerMethodField()
    revision = serializers.IntegerField(source="live_revision", help_text="Grows with whatever changes.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = Transfer
        fields: tuple[str, ...] = (
            "id",
            "state",
            "verdict",
            "proof",
            "reason",
            "study_instance_uid",
            "study_description",
            "study_date",
            "modalities",
            "series",
            "instances",
            "size_bytes",
            "destination",
            "source",
            "source_asked_at",
            "source_grown_by",
            "method",
            "options",
            "purpose",
            "verify",
            "asks_commitment",
            "rolls_back",
            "send_what_can",
            "batch",
            "findings",
            "created_at",
            "finished_at",
            "cancel_requested_at",
            "reverify_at",
            "missing_since",
            "revision",
            "url",
        )
        read_only_fields = fields
        extra_kwargs = {
            "source_asked_at": {"help_text": "When the source was asked again whether it holds more by now."},
            "source_grown_by": {
                "help_text": "How many instances it held then that are no part of this; null: that is not known."
            },
            "method": {"help_text": "Null where nothing is sent and the destination is only asked."},
            "findings": {"help_text": "Of a draft: what was found before the first byte."},
            "asks_commitment": {"help_text": "Whether that run asks the destination to commit to what it holds."},
            "rolls_back": {"help_text": "All or nothing: what it brought is removed again if it cannot be completed."},
            "reverify_at": {"help_text": "When the destination is asked again by itself; null: never."},
            "missing_since": {
                "help_text": "When a study that had been committed was found to lack instances; null once somebody has "
                "seen it (`alarm-seen/`)."
            },
        }

    @extend_schema_field(serializers.ChoiceField(words.PROOF_GROUNDS, allow_null=True))
    def get_proof(self, transfer: Transfer) -> str | None:
        return transfer.audit.proof or None

    def get_modalities(self, transfer: Transfer) -> list[str]:
        return [each for each in transfer.modalities.split(",") if each]

    def get_url(self, transfer: Transfer) -> str:
        return self._address("api-transfer", transfer)

    def _address(self, name: str, transfer: Transfer) -> str:
        return str(reverse(name, args=[transfer.public_id], request=self.context["request"]))


class CountsDocument(serializers.Serializer[Any]):
    """How many instances there are, and how many have which verdict; until judged, none is confirmed or unproven."""

    instances = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    refuted = serializers.IntegerField()
    unproven = serializers.IntegerField()
    pending = serializers.IntegerField()


class FunnelDocument(serializers.Serializer[Any]):
    """How far the instances came."""

    expected = serializers.IntegerField()
    sent = serializers.IntegerField()
    acknowledged = serializers.IntegerField()
    committed = serializers.IntegerField(help_text="By a report of storage commitment.")
    present = serializers.IntegerField(help_text="In the destination's own list.")
    compared = serializers.IntegerField(help_text="Whose content was found to be the same.")
    different = serializers.IntegerField(help_text="Whose content was found to be another.")


class AttemptDocument(serializers.Serializer[Any]):
    """One send phase."""

    round = serializers.IntegerField(help_text="The round of its evidence.")
    instances = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class ResendDocument(serializers.Serializer[Any]):
    """What a retry would send."""

    instances = serializers.IntegerField()
    size_bytes = serializers.IntegerField()


class LinksDocument(serializers.Serializer[Any]):
    """Where more of it is."""

    batch = serializers.URLField(allow_null=True)
    destination = serializers.URLField()
    instances = serializers.URLField()
    events = serializers.URLField()
    report = serializers.URLField()


class WholeTransferDocument(TransferDocument):
    """A transfer with its counts, attempts and links."""

    destination_may_trust_stable_study = serializers.SerializerMethodField(
        help_text="Whether the study appeared at once, whole, with nothing left out."
    )
    counts = serializers.SerializerMethodField()
    funnel = serializers.SerializerMethodField()
    attempts = AttemptDocument(many=True)
    commitment_requests = CommitmentRequestDocument(many=True)
    earlier_audits = serializers.SerializerMethodField(help_text="That its newest one continues, the newest first.")
    audit = serializers.UUIDField(source="audit.public_id", help_text="The id of the newest audit.")
    resend = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta(TransferDocument.Meta):
        fields = (
            *TransferDocument.Meta.fields,
            "destination_may_trust_stable_study",
            "counts",
            "funnel",
            "attempts",
            "audit",
            "earlier_audits",
            "commitment_requests",
            "resend",
            "links",
        )
        read_only_fields = fields

    def to_representation(self, instance: Transfer) -> dict[str, Any]:
        self._tally = tally_of(instance)
        return super().to_representation(instance)

    def get_destination_may_trust_stable_study(self, transfer: Transfer) -> bool:
        return may_trust_stable_study(transfer)

    @extend_schema_field(CountsDocument)
    def get_counts(self, _transfer: Transfer) -> dict[str, int]:
        return {name: self._tally[name] for name in ("instances", *VERDICTS)}

    @extend_schema_field(FunnelDocument)
    def get_funnel(self, _transfer: Transfer) -> dict[str, int]:
        """Audits that were sealed before there was a step counted nothing of it."""
        steps = {name: self._tally.get(name, 0) for name in FUNNEL_STEPS}
        return {"expected": self._tally["instances"], **steps}

    @extend_schema_field(EarlierAuditDocument(many=True))
    def get_earlier_audits(self, transfer: Transfer) -> Any:
        return EarlierAuditDocument(transfer.audit.chain()[1:], many=True).data

    @extend_schema_field(ResendDocument)
    def get_resend(self, transfer: Transfer) -> dict[str, int]:
        return preview_retry(transfer)._asdict()

    @extend_schema_field(LinksDocument)
    def get_links(self, transfer: Transfer) -> dict[str, str | None]:
        request = self.context["request"]
        batch = None
        if transfer.batch is not None:
            batch = str(reverse("api-batch", args=[transfer.batch.public_id], request=request))
        destination = reverse("api-destination", args=[transfer.destination.name], request=request)
        parts = {name: self._address(f"api-transfer-{name}", transfer) for name in ("instances", "events", "report")}
        return {"batch": batch, "destination": str(destination), **parts}


def tally_of(transfer: Transfer) -> Mapping[str, int]:
    """The counts of the newest audit: as sealed, or as far as the evidence that is there goes."""
    audit = transfer.audit
    return audit.tally if audit.is_sealed and audit.tally else LiveAudit(audit.pk).tally
