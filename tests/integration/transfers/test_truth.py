"""Whatever an archive does, what the report says of each instance is what the archive really holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import Outcome, destination_for, send
from tests.datasets import write_study
from tests.fakes.acts import GARBAGE, TRUNCATED_PDU, Abort, Act, Answer, Close, Die, HalfClose, Raw, Reject, Silence
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.rows import capped, repeated
from tests.fakes.script import Event, Script
from transfers import run
from transfers.methods.base import ReconnectPolicy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_ledger")]

INSTANCES = 12
FIND = "1.2.840.10008.5.1.4.1.2.2.1"

STORE_FAULTS: list[Act] = [
    Answer(0xA700),
    Answer(0xC000),
    Answer(0xB000),
    Answer(0x0111),
    Answer(0x4242, stores=True),
    Answer(stores=False),
    Answer(message_id=7_000),
    Answer(sop_instance_uid="2.25.1", stores=False),
    Answer(early=True),
    Answer(0xA700, early=True),
    Abort(),
    Abort(stores=True),
    Abort(early=True),
    Close(),
    Close(stores=True, resets=True),
    HalfClose(stores=True),
    Silence(stores=True),
    Raw(GARBAGE),
    Raw(TRUNCATED_PDU, closes=True, stores=True),
    Die(returns_after_seconds=0.1),
    Die(returns_after_seconds=0.1, stores=True),
]
LIST_FAULTS: list[Act] = [Answer(0xA700), Answer(0xFE00), Abort(), Close(), Raw(GARBAGE)]


def chance(dice: random.Random, share: float, acts: list[Act]) -> Callable[[Event], Act | None]:
    return lambda _: dice.choice(acts) if dice.random() < share else None


def random_script(dice: random.Random) -> Script:
    """An archive with several faults at once."""
    rows = dice.choice([None, None, None, capped(5), repeated(2)])
    return Script(
        on_store=chance(dice, dice.choice([0.0, 0.1, 0.3, 0.9]), STORE_FAULTS),
        on_association=chance(dice, dice.choice([0.0, 0.0, 0.2]), [Reject(2, 3, 1), Abort(), Close()]),
        on_find=chance(dice, dice.choice([0.0, 0.0, 0.3]), LIST_FAULTS),
        on_row=chance(dice, dice.choice([0.0, 0.0, 0.05]), LIST_FAULTS),
        rows=rows,
        late_seconds=dice.choice([0.0, 0.0, 0.1]),
        without_sop_classes=dice.choice([(), (), (), (FIND,)]),
        associations_at_once=dice.choice([None, None, 1]),
        maximum_length=dice.choice([16384, 0, 4096]),
    )


@pytest.mark.parametrize("seed", range(40))
def test_no_verdict_says_more_than_the_archive_holds(
    archive: MakeArchive, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(first_wait_seconds=0.01, maximum_wait_seconds=0.1))
    dice = random.Random(seed)
    write_study(tmp_path, INSTANCES, series=dice.choice([1, 3]))
    peer = archive(random_script(dice))
    destination = destination_for(peer, associations=dice.choice([1, 3]), dimse_timeout_seconds=0.5)

    outcome = send(destination, tmp_path)

    assert false_verdicts(outcome, peer) == {}
    assert peer.log.broken_rules == []


def false_verdicts(outcome: Outcome, peer: Archive) -> dict[str, str]:
    """The instances of which the report says what is not so."""
    assert outcome.transfer["state"] == "finished"
    assert len(outcome.verdicts) == INSTANCES
    return {
        uid: verdict
        for uid, verdict in outcome.verdicts.items()
        if (verdict == "confirmed" and uid not in peer.stored) or (verdict == "refuted" and uid in peer.stored)
    }
