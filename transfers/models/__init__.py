"""Where studies go and come from, what was submitted, and each sending of one study."""

from transfers.models.batches import Batch, SkippedFile, Upload
from transfers.models.commitments import CommitmentReport, CommitmentRequest
from transfers.models.destinations import (
    Destination,
    kind_choices,
    validate_ae_title,
    validate_days,
    validate_verification,
)
from transfers.models.sources import Source, source_kind_choices
from transfers.models.transfers import Attempt, Transfer, TransferEvent

__all__ = [
    "Attempt",
    "Batch",
    "CommitmentReport",
    "CommitmentRequest",
    "Destination",
    "SkippedFile",
    "Source",
    "Transfer",
    "TransferEvent",
    "Upload",
    "kind_choices",
    "source_kind_choices",
    "validate_ae_title",
    "validate_days",
    "validate_verification",
]
