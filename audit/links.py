"""Links of the hash chain of an audit: each names the one before by its digest, and what it covers by another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from audit.canonical import canonical, canonical_instant, sha256_of

FIRST = ""
"""What comes before the first link of an audit that continues no other."""


class LinkKind(StrEnum):
    OPENED = "opened"
    """Whose word is weighed and by which policy, and every instance of the manifest."""
    EVIDENCE = "evidence"
    """One batch of evidence."""
    WAS_THERE_BEFORE = "was-there-before"
    """What the destination was found to hold before anything was sent."""
    SEALED = "sealed"
    """The verdict, why, and the verdict of every instance. Always the last."""
    ADOPTED = "adopted"
    """An audit that is older than the chain, as it was found then: nothing vouches for what happened to it before."""


class LinkFacts(NamedTuple):
    """What the digest of a link is taken of, beside the digest of the link before."""

    audit: UUID
    position: int
    """From 0."""
    kind: str
    at: datetime
    detail: str
    """Canonical JSON: which rows it covers, and digests of what is not rows."""
    content_sha256: str
    """Of the rows that it covers; empty where all that it says is in its detail."""

    def digest(self, previous: str) -> str:
        """SHA-256, hexadecimal; `previous` is that of the link before, or of the last one of the audit continued."""
        return sha256_of(
            canonical(
                [
                    previous,
                    str(self.audit),
                    self.position,
                    self.kind,
                    canonical_instant(self.at),
                    self.detail,
                    self.content_sha256,
                ]
            )
        )


def identity_digest(audit: Mapping[str, Any]) -> str:
    """Of what an audit is about, which nothing changes once it is open."""
    return sha256_of(canonical({name: _plain(audit[name]) for name in IDENTITY}))


def outcome_digest(audit: Mapping[str, Any]) -> str:
    """Of what was judged when it was sealed."""
    return sha256_of(canonical({name: _plain(audit[name]) for name in OUTCOME}))


IDENTITY = (
    "public_id",
    "destination_public_id",
    "destination_address",
    "study_instance_uid",
    "is_inquiry",
    "acknowledgement_means_stored",
    "same_uid_means_same_content",
    "files_left_out",
    "opened_at",
)
OUTCOME = ("verdict", "proof", "reason", "tally", "last_round", "sealed_at")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return canonical_instant(value)
    return str(value) if isinstance(value, UUID) else value
