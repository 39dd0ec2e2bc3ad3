"""Over bad networks, which a seed makes, no verdict of any method says what is not so.

TALLYMAN_CHAOS_RUNS is how often each method is sent (default 6), TALLYMAN_CHAOS_SEED where the seeds begin; with
--log-file-level=INFO --log-file=FILE every verdict is written down.
"""

from __future__ import annotations

import logging
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.faults.cases import SOON, Case, MakeRoute, study
from tests.fakes.chaos import Plan, random_faults
from tests.settings import TEST_DATABASE
from transfers.methods import METHODS

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(TEST_DATABASE != "sqlite", reason="the faults are the network's"),
]

logger = logging.getLogger(__name__)

RUNS = int(os.environ.get("TALLYMAN_CHAOS_RUNS", "6"))
FIRST_SEED = int(os.environ.get("TALLYMAN_CHAOS_SEED", "0"))


@dataclass
class Weather:
    """A bad network as a seed has it."""

    seed: int
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def plan(self, *most: int) -> Plan:
        dice = random.Random(self.dice.random())
        share = dice.choice([0.3, 0.7, 0.95])
        return random_faults(dice, most=self.dice.choice(most), share=share, longest_seconds=0.6)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + RUNS))
def test_over_a_bad_network_no_verdict_says_what_is_not_so(
    routes: MakeRoute, key: str, tmp_path: Path, seed: int
) -> None:
    weather = Weather(seed)
    dice = weather.dice
    route = routes(
        plan=weather.plan(2, 4, 8, 1000, 1000),
        source_plan=weather.plan(0, 0, 3, 1000),
        source_kind=dice.choice(METHODS[key].sources),
    )
    patient_id = dice.choice(["TEST", "TEST", "TEST", "FILTERED"])
    instances, size_bytes = dice.choice([3, 8]), dice.choice([500, 20_000, 60_000])
    case = Case(route, study(tmp_path, instances, size_bytes=size_bytes, patient_id=patient_id))

    case.send(
        reports=weather.plan(0, 1, 3),
        asked_at_side=dice.random() < 0.5,
        associations=dice.choice([1, 2, 4]),
        verify=dice.choice(["presence", "presence", "presence", "content", "none"]),
        source=SOON,
        **SOON,
    )

    faults = [f"{each.deed} after {each.after_bytes}" for each in route.chaos.done]
    logger.info("%s, seed %d: %s, %s", key, seed, case.transfer.verdict, faults)
    case.assert_true()
