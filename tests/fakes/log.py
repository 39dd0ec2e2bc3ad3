"""What a scripted archive saw, for tests to compare with what was asked of it; lists in the order of arrival."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

from tests.fakes.commitment import CommitmentRequest, SentReport
from tests.fakes.script import FindRequest, GetRequest

if TYPE_CHECKING:
    from tests.fakes.association import AssociationRecord


class Log:
    """Written by the threads that serve, read by the test."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.associations: list[AssociationRecord] = []
        self.requests: list[str] = []
        """The SOP Instance UID of each C-STORE-RQ whose command set arrived."""
        self.instances: list[str] = []
        """The SOP Instance UID of each C-STORE-RQ whose data set arrived too, to its last fragment."""
        self.answers: list[tuple[str, int | None]] = []
        """SOP Instance UID and status code of each C-STORE-RSP."""
        self.finds: list[FindRequest] = []
        self.gets: list[GetRequest] = []
        self.given: list[tuple[str, int]] = []
        """SOP Instance UID and status code of each C-STORE that a C-GET brought about."""
        self.commitments: list[CommitmentRequest] = []
        self.reports: list[SentReport] = []
        """In the order in which they were begun; how they were answered is filled in later."""
        self.echoes = 0
        self.broken_rules: list[str] = []
        """What the peer did that the standard forbids."""

    def opened(self, record: AssociationRecord) -> int:
        with self._lock:
            self.associations.append(record)
            return len(self.associations)

    def requested(self, sop_instance_uid: str) -> int:
        with self._lock:
            self.requests.append(sop_instance_uid)
            return len(self.requests)

    def received(self, sop_instance_uid: str) -> None:
        with self._lock:
            self.instances.append(sop_instance_uid)

    def answered(self, sop_instance_uid: str, status_code: int | None) -> None:
        with self._lock:
            self.answers.append((sop_instance_uid, status_code))

    def asked(self, level: str, keys: Mapping[str, tuple[str, ...]]) -> FindRequest:
        with self._lock:
            self.finds.append(FindRequest(len(self.finds) + 1, level, keys))
            return self.finds[-1]

    def asked_for(self, sop_instance_uids: tuple[str, ...]) -> GetRequest:
        with self._lock:
            self.gets.append(GetRequest(len(self.gets) + 1, sop_instance_uids))
            return self.gets[-1]

    def sent_back(self, sop_instance_uid: str, status_code: int) -> None:
        with self._lock:
            self.given.append((sop_instance_uid, status_code))

    def echoed(self) -> int:
        with self._lock:
            self.echoes += 1
            return self.echoes

    def broken_rule(self, what: str) -> None:
        with self._lock:
            self.broken_rules.append(what)
