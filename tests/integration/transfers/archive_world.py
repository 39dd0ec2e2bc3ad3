"""An archive with all that it holds, lists, commits to and lies about, as a random history has it."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import Error, connections

from tests.commands import destination_for, uids_of
from tests.datasets import data_set_bytes, unique_uid, write_study
from tests.fakes.acts import Abort, Act, Answer, Close
from tests.fakes.archive import Archive
from tests.fakes.commitment import CommitmentRequest as Asked
from tests.fakes.commitment import Report
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.holdings import holding_of
from tests.fakes.script import Event, Script
from tests.fakes.web import Asked as WebAsked
from tests.fakes.web import Reply
from tests.fakes.web_side import NOT_FOUND, web_side
from tests.integration.transfers.test_truth import chance, random_script
from tests.integration.transfers.test_truth_in_background import (
    vars_of,
)
from transfers import listener
from transfers.models import Destination
from transfers.wire import commitment
from transfers.wire.report_server import ReceivedReport

INSTANCES = 6
IMPATIENT = {"dimse_timeout_seconds": 0.2, "probe_retry_seconds": 0.1, "presence_settle_seconds": 0.15}
PATIENCE = 600
"""Seconds that a report may take; the tests say when they are over."""
GET_FAULTS: list[Act] = [Answer(0xA702), Abort(), Close(), Answer(0xC001)]
ACTION_FAULTS: list[Act] = [Abort(stores=True), Abort(), Answer(0x0122), Answer(0x0213), Answer(0x0112)]


@dataclass
class World:
    """An archive, what was sent to it, and what became of that."""

    dice: random.Random
    peer: Archive
    sent: dict[str, bytes]
    before: dict[str, bytes] = field(default_factory=dict)
    """What it held before, of the same UIDs."""
    ghosts: set[str] = field(default_factory=set)
    """What it never keeps, and lists all the same."""
    lost_at: dict[str, datetime] = field(default_factory=dict)
    lied_of: set[str] = field(default_factory=set)
    """What a report wrongly committed to."""
    denied_wrongly: set[str] = field(default_factory=set)
    taken: list[tuple[str, Sequence[Any], Sequence[Any]]] = field(default_factory=list)
    """Reports that were answered with success: Transaction UID, and the two lists."""
    sealed: dict[int, Any] = field(default_factory=dict)
    """Of each sealed audit, what it said when it was seen first."""
    mutes_after: str = ""
    """What it answers no question after, for the rest of the run: a store, or a removal."""
    is_mute: bool = False
    couriers: list[threading.Thread] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, uid: str) -> bool:
        return uid in self.peer.stored and self.peer.stored[uid].data_set == self.sent[uid]

    # Reports

    def report_on_same_association(self, request: Asked, _: Report) -> list[Report]:
        """In a thread of the archive's."""
        if self.dice.random() < 0.7:
            return []
        return [self._wire(each) for each in self._reports(request)]

    def _wire(self, report: commitment.CommitmentReport) -> Report:
        return Report(
            report.transaction_uid,
            tuple((each.sop_class_uid, each.sop_instance_uid) for each in report.committed),
            tuple((each.sop_class_uid, each.sop_instance_uid, each.failure_reason) for each in report.failed),
        )

    def bring_reports(self) -> None:
        """To the listener, about something that was asked; in any thread but the run's."""
        try:
            if not self.peer.log.commitments:
                return
            request = self.dice.choice(self.peer.log.commitments)
            calling = self.dice.choice(["SCRIPTED"] * 6 + ["SOMEBODY"])
            for report in self._reports(request):
                times = self.dice.choice([1, 1, 1, 2])
                bringing = [threading.Thread(target=self._bring, args=[report, calling]) for _ in range(times)]
                for thread in bringing:
                    thread.start()
                for thread in bringing:
                    thread.join()
        finally:
            connections.close_all()

    def _bring(self, report: commitment.CommitmentReport, calling_ae_title: str) -> None:
        with suppress(Error):  # it is answered with a failure
            listener.keep(ReceivedReport(report, calling_ae_title, "TALLYMAN", "127.0.0.1"))
            with self.lock:
                self.taken.append((report.transaction_uid, report.committed, report.failed))

    def _reports(self, request: Asked) -> list[commitment.CommitmentReport]:
        kinds = ["honest"] * 6 + [
            "lying",
            "dropping",
            "omitting",
            "empty",
            "contradicting",
            "foreign",
            "unknown",
            "class",
        ]
        kind = self.dice.choice(kinds)
        held = [each for each in request.references if self.holds_as(each)]
        failed = [(*each, 0x0112) for each in request.references if each not in held]
        made = [(request.transaction_uid, held, failed)]
        some = set(self.dice.sample(range(len(held)), self.dice.randint(0, len(held))))
        if kind == "lying":
            made = [(request.transaction_uid, list(request.references), [])]
        elif kind in {"dropping", "contradicting"}:
            dropped = [(*each, self.dice.choice([0x0112, 0x0110])) for n, each in enumerate(held) if n in some]
            kept = [each for n, each in enumerate(held) if n not in some]
            lie = (request.transaction_uid, kept, failed + dropped)
            made = [lie] if kind == "dropping" else self.dice.sample([lie, *made], 2)
        elif kind == "omitting":
            made = [(request.transaction_uid, [each for n, each in enumerate(held) if n in some], failed)]
        elif kind == "empty":
            made = [(request.transaction_uid, [], [])]
        elif kind == "foreign":
            made = [(request.transaction_uid, [*held, (request.references[0][0], "2.25.4711")], failed)]
        elif kind == "unknown":
            made = [(unique_uid(), held, failed)]
        elif kind == "class":
            made = [(request.transaction_uid, [("1.2.840.10008.5.1.4.1.1.7", uid) for _, uid in held], failed)]
        return [self._noted(*each) for each in made]

    def holds_as(self, reference: tuple[str, str]) -> bool:
        """An archive knows UIDs, and not which content they should have."""
        return reference[1] in self.peer.stored and self.peer.stored[reference[1]].sop_class_uid == reference[0]

    def _noted(
        self, transaction_uid: str, committed: Sequence[Any], failed: Sequence[Any]
    ) -> commitment.CommitmentReport:
        with self.lock:
            self.lied_of |= {uid for _, uid in committed if not self.holds_as((_, uid))}
            self.denied_wrongly |= {uid for _, uid, _ in failed if uid in self.peer.stored}
        return commitment.CommitmentReport(
            transaction_uid,
            2 if failed else 1,
            tuple(commitment.Reference(*each) for each in committed),
            tuple(commitment.FailedReference(*each) for each in failed),
        )

    def send_courier(self) -> None:
        """Reports come while the run goes on."""
        thread = threading.Thread(target=self.bring_reports)
        self.couriers.append(thread)
        thread.start()

    def wait_for_couriers(self) -> None:
        for thread in self.couriers:
            thread.join()
        self.couriers.clear()


def make_world(dice: random.Random, archive: MakeArchive, folder: Path) -> World:
    paths = write_study(folder, INSTANCES, size_bytes=512)
    uids = uids_of(paths)
    world = World(dice, archive(), dict(zip(uids, map(data_set_bytes, paths), strict=True)))
    world.peer.script = random_world_script(world)
    if dice.random() < 0.4:
        hold_before(world, paths, folder.parent)
    if dice.random() < 0.3:
        make_ghosts(world, paths)
    return world


def random_world_script(world: World) -> Script:
    dice = world.dice
    script = random_script(dice)
    without = dice.choice([(), (), (STUDY_ROOT_GET,)])
    plan, share = script.on_store, dice.choice([0.0, 0.0, 1.0])

    def on_store(event: Event) -> Act | None:
        if event.about in world.ghosts:
            return Answer(stores=False)
        return plan(event) if callable(plan) and dice.random() < share else None

    changed = {
        "on_store": on_store,
        "without_sop_classes": (*script.without_sop_classes, *without),
        "on_get": chance(dice, dice.choice([0.0, 0.0, 0.4]), GET_FAULTS),
        "on_commitment": chance(dice, dice.choice([0.0, 0.0, 0.5]), ACTION_FAULTS),
        "reports": world.report_on_same_association,
        "rows": None if dice.random() < 0.7 else script.rows,
        "overwrites": dice.random() < 0.3,
    }
    return Script(**{**vars_of(script), **changed})


def hold_before(world: World, paths: Sequence[Path], elsewhere: Path) -> None:
    """Some of it, or something else under the same UIDs."""
    for path, uid in world.dice.sample(list(zip(paths, world.sent, strict=True)), world.dice.randint(1, 3)):
        world.peer.hold(path if world.dice.random() < 0.5 else other_content(path, uid, elsewhere))
        world.before[uid] = world.peer.stored[uid].data_set


def other_content(path: Path, uid: str, folder: Path) -> Path:
    """As an older version of the same image."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    older = folder / f"{uid}.dcm"
    older.write_bytes(content)
    return older


def make_ghosts(world: World, paths: Sequence[Path]) -> None:
    identities = {uid: holding_of(path).identity for uid, path in zip(world.sent, paths, strict=True)}
    world.ghosts = set(world.dice.sample(list(world.sent), world.dice.randint(1, 2))) - set(world.before)
    listed = world.peer.listed

    def with_ghosts() -> list[dict[str, str]]:
        begun = set(world.peer.log.requests)
        return [*listed(), *(identities[uid] for uid in sorted(world.ghosts & begun))]

    world.peer.listed = with_ghosts  # type: ignore[method-assign]


def destination_of(world: World, web: MakeWeb) -> Destination:
    destination = destination_for(world.peer, **IMPATIENT, offers_commitment=True, commitment_timeout_seconds=PATIENCE)
    if world.dice.random() < 0.6:
        faults = world.dice.choice([0.0, 0.0, 0.3])
        side = web(web_side(world.peer, lambda asked: web_fault(world, faults, asked)))
        quick = {"probe_retry_seconds": 0.1, "presence_settle_seconds": 0.15}
        destination.ask_at.set([Destination.objects.create(name="web", kind="dicomweb", url=side.url, **quick)])
    return destination


def web_fault(world: World, share: float, asked: WebAsked) -> Reply | None:
    if asked.method == "DELETE" and world.mutes_after == "removal":
        world.is_mute = True
    if world.is_mute and asked.method == "GET":
        return Reply(503, b"")
    if world.dice.random() >= share:
        return None
    if asked.method == "DELETE":
        return world.dice.choice([Reply(503, b""), Reply(200, b""), NOT_FOUND, Reply(is_dropped=True)])
    return world.dice.choice([Reply(503, b""), Reply(500, b""), Reply(is_dropped=True)])
