"""A source Orthanc sends by C-STORE over one association: POST /modalities/{alias}/store."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from audit.entries import ManifestEntry
from transfers.aliases import Alias, AliasKind
from transfers.errors import TransferError
from transfers.methods.base import Seen
from transfers.methods.orthanc_job import OrthancJobMethod, alias_path
from transfers.methods.orthanc_job_commitment import SourceCommitment
from transfers.methods.orthanc_job_sending import JobSending


class OrthancModalityStore(OrthancJobMethod):
    """It stops at the first instance that is refused, and names none; it takes warnings for success without a word.

    The source writes files anew before it sends them, so that their bytes differ from those it holds. The commitment is
    asked for by itself once all jobs have ended: within a job it would not be where one instance was left out, and a
    request that is refused would make a job fail that has sent everything.
    """

    key = "orthanc-modality-store"
    label = "C-STORE, by the source"
    kinds: tuple[str, ...] = ("dicom",)
    keeps_bytes = False

    alias_kind = AliasKind.MODALITY
    job_types = frozenset({"DicomModalityStore"})

    @dataclass(frozen=True, slots=True)
    class Options(OrthancJobMethod.Options):
        """What may be said for one transfer."""

        commitment: bool = field(
            default=False,
            metadata={"help": "whether the source then asks the destination to commit to what it holds"},
        )
        commitment_timeout_seconds: int = field(
            default=600,
            metadata={"help": "how long its report may take", "minimum": 1, "maximum": 86_400},
        )

    def path(self, alias: Alias) -> str:
        return alias_path("modalities", alias, "store")

    def afterwards(self, sending: JobSending, entries: Sequence[ManifestEntry]) -> Generator[Seen, None, None]:
        options = self.options(sending.context)
        if not options.commitment:
            return
        try:
            alias = yield from sending.current_alias()
        except TransferError as error:
            yield from SourceCommitment.not_asked(entries, error)
            return
        commitment = SourceCommitment(
            sending.source, alias, sending.calls, sending.context, float(options.commitment_timeout_seconds)
        )
        yield from commitment.run(entries)
