"""The admin site: destinations and sources are kept here; what was submitted, sent and found is only looked at."""

from transfers.admin.batches import BatchAdmin
from transfers.admin.commitments import CommitmentReportAdmin, CommitmentRequestAdmin
from transfers.admin.destinations import DestinationAdmin
from transfers.admin.sources import SourceAdmin
from transfers.admin.transfers import TransferAdmin

__all__ = [
    "BatchAdmin",
    "CommitmentReportAdmin",
    "CommitmentRequestAdmin",
    "DestinationAdmin",
    "SourceAdmin",
    "TransferAdmin",
]
