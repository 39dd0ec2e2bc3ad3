"""A send that is stopped, killed or outlived by its archive: nothing is lost, and nothing is claimed too much."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.conftest import Shell, transfer_of
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script

INSTANCES = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    write_study(folder, INSTANCES)
    return folder


@pytest.fixture
def slow(archive: MakeArchive) -> Archive:
    return archive(Script(on_store=Answer(delay_seconds=0.05)))


def stop_in_the_middle(shell: Shell, slow: Archive, folder: Path, number: signal.Signals) -> tuple[int, str]:
    shell.add_destination("slow", slow.port, slow.ae_title, "--associations", "1")
    process = shell.start("send", folder, "--to", "slow", "--json")
    slow.wait_until(lambda archive: len(archive.log.answers) >= 10, seconds=30)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_send_is_interrupted_with_a_truthful_audit(
    shell: Shell, slow: Archive, folder: Path, number: signal.Signals
) -> None:
    exit_code, output = stop_in_the_middle(shell, slow, folder, number)

    transfer = transfer_of(output)
    assert (exit_code, transfer["state"], transfer["verdict"]) == (130, "interrupted", "pending")
    said = {
        instance["sop_instance_uid"]
        for instance in transfer["instances"]
        if "acknowledged" in {evidence["kind"] for evidence in instance["evidence"]}
    }
    answered = {uid for uid, _ in slow.log.answers}
    assert said == answered
    assert 10 <= len(said) < INSTANCES


def test_a_send_stopped_between_two_studies_says_so(shell: Shell, slow: Archive, folder: Path) -> None:
    later = folder / "later"  # by its path it comes after the first study: no time is left for it
    later.mkdir()
    write_study(later, 1)

    exit_code, output = stop_in_the_middle(shell, slow, folder, signal.SIGINT)

    assert exit_code == 130
    assert len(json.loads(output)["transfers"]) == 1


def test_the_same_send_goes_on_with_an_interrupted_transfer(shell: Shell, slow: Archive, folder: Path) -> None:
    _, output = stop_in_the_middle(shell, slow, folder, signal.SIGINT)

    continued = shell.run("send", folder, "--to", "slow", "--json")

    transfer = transfer_of(continued.stdout)
    assert (continued.returncode, transfer["verdict"]) == (0, "committed")
    assert transfer["id"] == transfer_of(output)["id"]
    assert max(Counter(uid for uid, _ in slow.log.answers).values()) == 1


def test_the_same_send_finishes_what_a_killed_process_left(shell: Shell, slow: Archive, folder: Path) -> None:
    stop_in_the_middle(shell, slow, folder, signal.SIGKILL)
    time.sleep(0.2)
    answered_before = len(slow.log.answers)

    continued = shell.run("send", folder, "--to", "slow", "--json")

    transfer = transfer_of(continued.stdout)
    assert (continued.returncode, transfer["verdict"]) == (0, "committed")
    assert len(slow.stored) == INSTANCES
    # What had no saved answer is listed by the archive by now, so that not even that is sent twice.
    assert len(slow.log.answers) - INSTANCES <= 1
    assert answered_before < INSTANCES


def test_what_a_killed_process_may_have_sent_is_never_called_not_sent(
    shell: Shell, slow: Archive, folder: Path
) -> None:
    stop_in_the_middle(shell, slow, folder, signal.SIGKILL)
    slow.die()

    continued = shell.run("send", folder, "--to", "slow", "--json")

    assert len(slow.stored) >= 10
    assert (continued.returncode, transfer_of(continued.stdout)["verdict"]) == (5, "unverifiable")


def test_a_second_send_leaves_a_living_one_alone(shell: Shell, archive: MakeArchive, folder: Path) -> None:
    slow = archive(Script(on_store=Answer(delay_seconds=0.25)))  # so that it lives while another process starts
    shell.add_destination("slow", slow.port, slow.ae_title, "--associations", "1")
    first = shell.start("send", folder, "--to", "slow", "--json")
    slow.wait_until(lambda archive: len(archive.log.answers) >= 5, seconds=30)

    second = shell.run("send", folder, "--to", "slow", "--json")

    output, _ = first.communicate(timeout=60)
    assert second.returncode == 2
    assert "Another process" in second.stderr
    assert (first.returncode, transfer_of(output)["verdict"]) == (0, "committed")
