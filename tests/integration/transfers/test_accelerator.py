"""Whole transfers by the accelerator, with everything that may go wrong: the verdict is what the destination holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.models import Evidence
from tests.commands import Outcome, send, uids_of
from tests.datasets import write_study
from tests.fakes.accelerator import Accelerator
from tests.fakes.accelerator_errors import Refused
from tests.fakes.accelerator_script import Script, Step
from tests.fakes.fixtures import MakeAccelerator
from tests.fakes.gateway import NoAnswer
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers import run as runs
from transfers.exit_codes import ExitCode
from transfers.methods.base import ReconnectPolicy
from transfers.models import Destination, Transfer, TransferEvent
from transfers.reports import may_trust_stable_study

pytestmark = [pytest.mark.usefixtures("whole_ledger"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RECONNECT", ReconnectPolicy(attempts=3, first_wait_seconds=0.02))


@pytest.fixture
def peer(orthanc: Orthanc, accelerator: MakeAccelerator) -> Accelerator:
    return accelerator(orthanc)


@pytest.fixture
def paths(folder: Path) -> list[Path]:
    return write_study(folder, 6, 2, size_bytes=2000)


def destination_at(url: str) -> Destination:
    quick: dict[str, Any] = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.5}
    return Destination.objects.create(name="rest", kind="orthanc", url=url, **quick)


def sent(peer: Accelerator | Orthanc, folder: Path, *options: str) -> Outcome:
    return send(destination_at(peer.url), folder, "--method", "accelerator", *options)


def held(orthanc: Orthanc, paths: list[Path]) -> set[str]:
    return orthanc.instances() & set(uids_of(paths))


def assert_that_it_is_so(outcome: Outcome, orthanc: Orthanc, paths: list[Path]) -> None:
    """What is confirmed is there, and what is refuted is not."""
    there = held(orthanc, paths)
    for uid, verdict in outcome.verdicts.items():
        assert verdict != ("refuted" if uid in there else "confirmed")


def may_trust_if_whole() -> bool:
    """Whether the destination may trust StableStudy, were the files all that a source has of the study."""
    transfer = Transfer.objects.get()
    transfer.source_grown_by = 0
    return may_trust_stable_study(transfer)


def event_names() -> list[str]:
    return list(TransferEvent.objects.values_list("name", flat=True))


@pytest.mark.parametrize("verify", ["presence", "content"])
def test_a_study_is_committed_at_once(peer: Accelerator, folder: Path, paths: list[Path], verify: str) -> None:
    outcome = sent(peer, folder, "--verify", verify)

    transfer = outcome.transfer
    assert outcome.exit_code == ExitCode.COMMITTED
    assert (transfer["verdict"], transfer["method"]) == ("committed", "accelerator")
    assert transfer["proof"] == ("identical" if verify == "content" else "present")
    assert transfer["destination_may_trust_stable_study"] is False, "who knows whether files are a whole study?"
    assert may_trust_if_whole()
    assert outcome.kinds(uids_of(paths)[0])[:2] == ["sent", "acknowledged"]
    assert_that_it_is_so(outcome, peer.orthanc, paths)


def test_a_study_that_comes_in_parts_is_not_to_be_trusted_when_stable(peer: Accelerator, folder: Path) -> None:
    write_study(folder, 3, size_bytes=600_000)

    transfer = sent(peer, folder, "--option", "transaction_megabytes=1").transfer

    assert transfer["verdict"] == "committed"
    assert not may_trust_if_whole()
    assert event_names().count("transaction_committed") == 3


def test_a_study_of_which_some_was_there_before_is_not_to_be_trusted_when_stable(
    peer: Accelerator, folder: Path, paths: list[Path]
) -> None:
    stored_at(peer.orthanc, paths[:2])
    destination = destination_at(peer.url)
    Destination.objects.update(same_uid_means_same_content=True)
    destination.refresh_from_db()

    outcome = send(destination, folder, "--method", "accelerator")

    assert outcome.exit_code == ExitCode.COMMITTED
    assert all(outcome.kinds(uid)[:2] == ["sent", "acknowledged"] for uid in uids_of(paths))
    assert not may_trust_if_whole()


def test_without_the_plug_in_nothing_is_sent(orthanc: Orthanc, folder: Path, paths: list[Path]) -> None:
    outcome = sent(orthanc, folder)

    assert outcome.exit_code == ExitCode.NOTHING_STORED
    assert Evidence.objects.filter(kind="not-sent", detail__code="accelerator_missing").count() == 6
    assert_that_it_is_so(outcome, orthanc, paths)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (Script(lost_answers={Step.COMMIT: 1}), ()),
        (Script(commit_seconds=1.3), ("--option", "commit_timeout_seconds=1")),
        (Script(failing={Step.COMMIT: [500]}), ()),
        (Script(commit_stops_after=5), ()),
        (Script(failing={Step.CREATE: [500], Step.PUT: [503, 500], Step.DISCARD: [500]}), ()),
    ],
    ids=["answer-lost", "slow", "failed", "failed-midway", "failed-before"],
)
def test_what_fails_for_a_while_is_there_in_the_end(  # noqa: PLR0917 the last two are what is varied
    orthanc: Orthanc,
    accelerator: MakeAccelerator,
    folder: Path,
    paths: list[Path],
    script: Script,
    options: tuple[str, ...],
) -> None:
    peer = accelerator(orthanc, script=script)

    outcome = sent(peer, folder, *options)

    assert outcome.exit_code == ExitCode.COMMITTED
    assert may_trust_if_whole() is (Step.PUT in script.failing)
    assert held(peer.orthanc, paths) == set(uids_of(paths))
    assert peer.open_transactions == []


def test_a_commit_that_fails_midway_leaves_a_part_with_the_right_list(
    peer: Accelerator, folder: Path, paths: list[Path]
) -> None:
    def refuse(step: Step, number: int) -> None:
        if step is Step.STORE and number >= 6:
            raise Refused(500, 20)

    peer.script.before = refuse

    outcome = sent(peer, folder)

    assert outcome.exit_code == ExitCode.PARTIAL
    assert sorted(outcome.verdicts.values()) == ["confirmed"] * 5 + ["refuted"]
    assert_that_it_is_so(outcome, peer.orthanc, paths)
    assert peer.open_transactions == []


def test_a_filter_is_found_although_all_was_acknowledged(
    filtering_orthanc: Orthanc, accelerator: MakeAccelerator, folder: Path
) -> None:
    paths = write_study(folder, 5, size_bytes=500)

    outcome = sent(accelerator(filtering_orthanc), folder)

    assert outcome.exit_code == ExitCode.PARTIAL
    assert outcome.verdicts[uids_of(paths)[4]] == "refuted"
    assert outcome.kinds(uids_of(paths)[4])[:2] == ["sent", "acknowledged"]
    assert_that_it_is_so(outcome, filtering_orthanc, paths)


@pytest.mark.parametrize("step", [Step.PUT, Step.COMMIT])
@pytest.mark.parametrize("is_evicted", [False, True], ids=["restarted", "evicted"])
def test_a_transaction_that_is_lost_is_begun_again(
    peer: Accelerator, folder: Path, paths: list[Path], step: Step, is_evicted: bool
) -> None:
    def lose(seen: Step, number: int) -> None:
        if (seen, number) == (step, 1):
            peer.evict() if is_evicted else peer.restart()

    peer.script.before = lose

    outcome = sent(peer, folder)

    assert outcome.exit_code == ExitCode.COMMITTED
    assert may_trust_if_whole() is (step is Step.PUT)
    assert held(peer.orthanc, paths) == set(uids_of(paths))


def test_what_never_gets_through_is_nowhere(peer: Accelerator, folder: Path, paths: list[Path]) -> None:
    peer.script.failing = {Step.PUT: [500] * 20}

    outcome = sent(peer, folder)

    assert outcome.exit_code == ExitCode.NOTHING_STORED
    assert set(outcome.verdicts.values()) == {"refuted"}
    assert held(peer.orthanc, paths) == set()


def test_a_destination_that_dies_in_the_middle_of_the_commit_gets_the_rest(
    tmp_path: Path, accelerator: MakeAccelerator, folder: Path, paths: list[Path]
) -> None:
    with Orthanc(tmp_path / "mortal") as orthanc:
        peer = accelerator(orthanc)

        def die(step: Step, number: int) -> None:
            if (step, number) == (Step.STORE, 4):
                orthanc.kill()
                orthanc.start()
                raise NoAnswer

        peer.script.before = die

        outcome = sent(peer, folder)

        assert outcome.exit_code == ExitCode.COMMITTED
        assert held(orthanc, paths) == set(uids_of(paths))
        assert not may_trust_if_whole()
        assert "commit_failed" in event_names()
