"""What an instance that was read back proves: first by digest, else element by element."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Event
from types import MappingProxyType
from typing import Any, BinaryIO, cast

from audit.content import Comparison, DataSetStream, NotComparable, compare
from audit.entries import ManifestEntry
from audit.observations import EvidenceKind
from transfers.errors import (
    InstanceNotFound,
    NoDataSet,
    RetrievalFailed,
    ServiceFailed,
    SourceFileChanged,
    TransferError,
)
from transfers.probes.readers.base import Copy, Outcome, SameFile, Unreadable
from transfers.probes.sent_files import SentFiles
from transfers.spools import StoppableStream
from transfers.wire.foreign_text import clean_text

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_WORST_FIRST = (
    EvidenceKind.DIFFERENT,
    EvidenceKind.UNREADABLE,
    EvidenceKind.PROBE_FAILED,
    EvidenceKind.EQUIVALENT,
    EvidenceKind.IDENTICAL,
)
_NOT_HANDED_OVER = (InstanceNotFound, NoDataSet, ServiceFailed)
"""Faults that are about one instance, at a destination that was reached, understood the question and may answer it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is concluded about one instance."""

    kind: EvidenceKind
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What else there is to say; JSON values, never values of elements."""
    error: TransferError | None = None
    """Why the question stays open, where it was a fault."""

    @property
    def is_open(self) -> bool:
        return self.kind in {EvidenceKind.PROBE_FAILED, EvidenceKind.UNREADABLE}

    @property
    def may_pass(self) -> bool:
        """Whether the same question, asked again later, may be answered."""
        return self.error is not None and self.error.retriable


def worst_of(first: Finding | None, second: Finding) -> Finding:
    """Of two copies that a destination has under one UID, the one that speaks against it counts."""
    if first is None:
        return second
    return min(first, second, key=lambda finding: _WORST_FIRST.index(finding.kind))


def failed(error: TransferError, detail: Mapping[str, Any] = MappingProxyType({})) -> Finding:
    """What is concluded where the question was not answered."""
    return Finding(EvidenceKind.PROBE_FAILED, str(error), {"code": error.code, **detail}, error)


class ContentJudge:
    """Compares what comes back with what was sent. For one thread."""

    def __init__(self, files: SentFiles, digests: Mapping[str, str], stop: Event) -> None:
        self._files = files
        self._digests = digests
        self._stop = stop

    def judge(self, entry: ManifestEntry, outcome: Outcome) -> Finding:
        """Never raises for a fault of the destination or of our files."""
        if isinstance(outcome, Unreadable):
            finding = failed(outcome.error)
            return replace(finding, kind=EvidenceKind.UNREADABLE) if _is_not_handed_over(outcome) else finding
        if isinstance(outcome, SameFile):
            return Finding(
                EvidenceKind.IDENTICAL,
                "The destination took the MD5 of its file anew, and it is that of ours",
                {"by": "digest", "md5": outcome.md5},
            )
        finding = self._judge_copy(entry, outcome)
        return _doubted(finding) if outcome.is_corrupt else finding

    def _judge_copy(self, entry: ManifestEntry, copy: Copy) -> Finding:
        try:
            return self._compared(entry, copy)
        except NotComparable as error:
            return Finding(EvidenceKind.PROBE_FAILED, str(error), {"code": error.code} | _facts(entry, copy))
        except TransferError as error:
            return failed(error, _facts(entry, copy))
        except Exception as error:  # noqa: BLE001  # whatever a strange data set makes of it, it proves nothing
            logger.warning(
                "An instance that was read back could not be compared",
                extra={"action": "comparison_failed", "error": type(error).__name__},
            )
            reason = f"What was read back could not be compared ({type(error).__name__})"
            return Finding(EvidenceKind.PROBE_FAILED, reason, {"code": "comparison_failed"} | _facts(entry, copy))

    def _compared(self, entry: ManifestEntry, copy: Copy) -> Finding:
        sent = self._digests.get(entry.sop_instance_uid)
        digest = sent or self._files.sha256_of(entry)
        if digest in self._digests_of(entry, copy):
            return _of_same_bytes(entry, copy)
        if sent and self._files.sha256_of(entry) != sent:
            raise SourceFileChanged
        with self._files.open(entry) as data_set:
            comparison = compare(data_set, self._stoppable(copy.data_set))
        return Finding(comparison.kind, _reason(comparison), _facts(entry, copy) | _differences(comparison))

    def _digests_of(self, entry: ManifestEntry, copy: Copy) -> Iterator[str]:
        yield copy.sha256
        if entry.data_set_size % 2 and copy.data_set.size == entry.data_set_size + 1:
            yield self._digest_without_padding(copy.data_set)

    def _digest_without_padding(self, data_set: DataSetStream) -> str:
        """Of a data set of odd length (a deflated one), which is sent with a null byte after it."""
        sha256 = hashlib.sha256()
        stoppable = self._stoppable(data_set).stream
        stoppable.seek(data_set.start)
        left = data_set.size - 1
        while left and (chunk := stoppable.read(min(left, _CHUNK_BYTES))):
            sha256.update(chunk)
            left -= len(chunk)
        return sha256.hexdigest() if stoppable.read(1) == b"\0" else ""

    def _stoppable(self, data_set: DataSetStream) -> DataSetStream:
        return replace(data_set, stream=cast(BinaryIO, StoppableStream(data_set.stream, self._stop)))


def _of_same_bytes(entry: ManifestEntry, copy: Copy) -> Finding:
    facts = _facts(entry, copy)
    if copy.data_set.transfer_syntax_uid == entry.transfer_syntax_uid:
        return Finding(EvidenceKind.IDENTICAL, "Read back, and the same byte for byte", facts)
    reason = "The destination hands over the same bytes, but calls them another transfer syntax: who believes it errs"
    return Finding(EvidenceKind.PROBE_FAILED, reason, {"code": "other_transfer_syntax"} | facts)


def _is_not_handed_over(outcome: Unreadable) -> bool:
    """Whether it looks as if the destination did not have the instance itself, whatever it lists."""
    if outcome.is_general:
        return False
    return isinstance(outcome.error, _NOT_HANDED_OVER) or type(outcome.error) is RetrievalFailed


def _doubted(finding: Finding) -> Finding:
    """What is told of a file that the destination itself calls corrupt: it proves nothing in favour."""
    if finding.kind is EvidenceKind.DIFFERENT:
        return finding
    reason = "The destination says that its file is corrupt: its MD5 is not what it was when it was stored"
    return Finding(EvidenceKind.UNREADABLE, reason, dict(finding.detail) | {"code": "file_corrupt"})


def _facts(entry: ManifestEntry, copy: Copy) -> dict[str, Any]:
    facts: dict[str, Any] = {"by": "read-back", "bytes": copy.data_set.size}
    if copy.data_set.transfer_syntax_uid != entry.transfer_syntax_uid:
        facts["transfer_syntax_uid"] = clean_text(copy.data_set.transfer_syntax_uid)
    return facts


def _differences(comparison: Comparison) -> dict[str, Any]:
    differences: dict[str, Any] = {"pixels_differ": comparison.pixels_differ}
    if comparison.elements_differing:
        differences["elements"] = list(comparison.elements)
        differences["elements_differing"] = comparison.elements_differing
    return differences


def _reason(comparison: Comparison) -> str:
    if comparison.kind is EvidenceKind.IDENTICAL:
        return "Read back, and the same byte for byte"
    if comparison.kind is EvidenceKind.EQUIVALENT:
        return "Read back: the same elements and pixels in another encoding"
    count = comparison.elements_differing
    if count == 1 and comparison.pixels_differ:
        return "Read back: the pixels differ"
    what = "one element differs" if count == 1 else f"{count:,} elements differ"
    return f"Read back: {what}" + (", the pixels among them" if comparison.pixels_differ else "")
