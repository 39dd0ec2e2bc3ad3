"""The script of a scripted archive: when which act is done; without a word in it, all is done right.

A plan for one kind of event is an act (always), a mapping, or a callable that is given the event and returns an act or
None (do it right). A mapping's keys are the number of the event, counted from 1 over the archive's life, or what the
event is about: the SOP Instance UID of a C-STORE, the level of a C-FIND.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fakes.acts import Act, Reject
from tests.fakes.commitment import Delivery, Rewrite
from tests.fakes.holdings import Holding


class Event(Protocol):
    """Something that arrived."""

    @property
    def number(self) -> int: ...

    @property
    def about(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """A-ASSOCIATE-RQ, or a release asked for."""

    number: int
    calling_ae_title: str
    called_ae_title: str

    @property
    def about(self) -> str:
        return self.calling_ae_title


@dataclass(frozen=True, slots=True)
class Occasion:
    """A connection made, or a C-ECHO-RQ: there is nothing to tell about it but its number."""

    number: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE-RQ whose command set has arrived; its data set may not have."""

    number: int
    association: int
    """Which association it came over, counted from 1."""
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    @property
    def about(self) -> str:
        return self.sop_instance_uid


Row = dict[str, str]
"""Keyword and value of what a C-FIND response's identifier says."""


@dataclass(frozen=True, slots=True)
class FindRequest:
    """A C-FIND-RQ with its identifier."""

    number: int
    level: str
    keys: Mapping[str, tuple[str, ...]]
    """Keyword and the values asked for; none: universal matching."""

    @property
    def about(self) -> str:
        return self.level

    @property
    def is_direct(self) -> bool:
        """Whether it asks for SOP Instance UIDs by name."""
        return bool(self.keys.get("SOPInstanceUID"))


@dataclass(frozen=True, slots=True)
class RowTurn:
    """It is this row's turn in the answer to a C-FIND; one past the last row stands for the final response."""

    number: int
    request: FindRequest

    @property
    def about(self) -> str:
        return self.request.level


@dataclass(frozen=True, slots=True)
class GetRequest:
    """A C-GET-RQ with its identifier."""

    number: int
    sop_instance_uids: tuple[str, ...]

    @property
    def about(self) -> str:
        return "\\".join(self.sop_instance_uids)


@dataclass(frozen=True, slots=True)
class SubOperation:
    """It is this instance's turn in the answer to a C-GET; an act is done in the middle of its data set."""

    number: int
    sop_instance_uid: str

    @property
    def about(self) -> str:
        return self.sop_instance_uid


Plan = Act | Mapping[int | str, Act] | Callable[[Any], Act | None] | None


def planned(plan: Plan, event: Event) -> Act | None:
    """The act that the plan has for this event."""
    if plan is None:
        return None
    if isinstance(plan, Mapping):
        return plan.get(event.number, plan.get(event.about))
    if callable(plan):
        return plan(event)
    return plan


@dataclass
class Script:
    """What goes wrong, and when. The defaults are an archive that takes everything and does all of it right."""

    on_connection: Plan = None
    """Before the association request is read."""
    on_association: Plan = None
    on_echo: Plan = None
    on_store: Plan = None
    on_find: Plan = None
    on_row: Plan = None
    on_get: Plan = None
    on_sub_operation: Plan = None
    on_commitment: Plan = None
    """Where it stores, as acts say it, it reports as well."""
    on_release: Plan = None

    sop_classes: Collection[str] | None = None
    """The abstract syntaxes accepted; None: every one."""
    without_sop_classes: Collection[str] = ()
    transfer_syntaxes: Collection[str] | None = None
    """The transfer syntaxes accepted; None: the first proposed."""
    maximum_length: int = 16384
    """Of a P-DATA-TF that it takes; 0: no limit."""
    associations_at_once: int | None = None
    beyond: Reject | None = None
    """What becomes of associations over that number: rejected, or (None) not answered until one has ended."""

    overwrites: bool = False
    """Whether an instance that is there already is replaced; like Orthanc's, the answer is success either way."""
    hides: Collection[str] = ()
    """SOP Instance UIDs that are stored and never listed."""
    late_seconds: float = 0.0
    """How long an instance takes, once stored, to be listed."""
    rows: Callable[[FindRequest, list[Row]], Iterable[Row]] | None = None
    """Makes of the rows that are right those that are sent; see tests/fakes/rows.py."""
    gives: Callable[[GetRequest, list[Holding]], Iterable[Holding]] | None = None
    """Makes of what a C-GET should send what it does."""
    never_ends_data_sets: bool = False
    """Whether what a C-GET sends has no end."""
    grants_roles: bool = True
    """Whether the roles that are proposed are accepted, or not spoken of."""
    reports: Rewrite | None = None
    """Makes of the report that is right those that are sent; see tests/fakes/commitment.py."""
    reports_to: int | None = None
    """The port of loopback where reports go, over a new association; None: over the one that was asked on."""
    delivery: Delivery = field(default_factory=Delivery)
    holdings: list[Holding] = field(default_factory=list)
    """What it holds from the beginning."""


def every(count: int, act: Act) -> Plan:
    """The act at each event whose number is a multiple of `count`."""
    return lambda event: act if event.number % count == 0 else None


def from_number(first: int, act: Act) -> Plan:
    """The act at this event and all after it."""
    return lambda event: act if event.number >= first else None
