"""Workers in processes of their own that are killed, stopped, cancelled, or left without Redis: nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.acceptance.conftest import Shell, transfer_of
from tests.acceptance.installation import Installation
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.peers.redis import Redis

INSTANCES = 40
ONE_ASSOCIATION = ("--associations", "1")
UNLIKE_THE_AUDIT = (
    "SELECT COUNT(*) FROM transfers_transfer t JOIN audit_audit a ON a.id = t.audit_id WHERE t.verdict <> a.verdict"
)
"""Counts transfers whose verdict is another than that of their newest audit."""


@pytest.fixture
def import_root(tmp_path: Path) -> Path:
    root = tmp_path / "import"
    root.mkdir()
    return root


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, shell: Shell, import_root: Path) -> Installation:
    if request.param == "sqlite":
        return Installation(shell, import_root)
    return Installation(
        shell,
        import_root,
        database_url=new_database(request.getfixturevalue("postgresql_url")),
        redis_url=request.getfixturevalue("redis_url"),
    )


def new_database(cluster_url: str) -> str:
    """The URL of an empty one."""
    name = f"tallyman_{uuid4().hex}"
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return cluster_url.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def slow(archive: MakeArchive, installation: Installation) -> Archive:
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    installation.shell.add_destination("slow", peer.port, peer.ae_title, *ONE_ASSOCIATION)
    return peer


@pytest.fixture
def sending(installation: Installation, slow: Archive) -> subprocess.Popen[str]:
    """A worker in the middle of a study."""
    write_study(installation.import_root, INSTANCES)
    worker = installation.worker()
    installation.submit("slow", installation.import_root)
    slow.wait_until(lambda archive: len(archive.log.answers) >= 10, seconds=30)
    return worker


def all_but_stand_still(slow: Archive) -> None:
    """So that it is still being sent when another process has started and done what it is to do."""
    slow.script.on_store = Answer(delay_seconds=1.0)


def saved_answers(installation: Installation) -> set[str]:
    return {
        uid
        for (uid,) in installation.rows(
            "SELECT sop_instance_uid FROM audit_evidence e JOIN audit_instanceaudit i ON i.id = e.instance_id "
            "WHERE e.kind = 'acknowledged'"
        )
    }


def stop(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and errors of a process that was told to stop."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def test_another_worker_finishes_what_a_killed_one_left_and_sends_nothing_twice_that_has_its_answer(
    installation: Installation, sending: subprocess.Popen[str], slow: Archive
) -> None:
    sending.kill()
    sending.wait()
    saved = saved_answers(installation)
    left = installation.transfers()

    installation.worker()
    installation.wait_until_all_are("finished")

    times_sent = Counter(slow.log.requests)
    assert left == [("sending", "pending")]
    assert saved
    assert {times_sent[uid] for uid in saved} == {1}
    assert installation.transfers() == [("finished", "committed")]
    assert len(slow.stored) == INSTANCES
    assert len(times_sent) == INSTANCES
    assert installation.rows("SELECT DISTINCT verdict FROM audit_instanceaudit") == [("confirmed",)]
    assert installation.rows(UNLIKE_THE_AUDIT) == [(0,)]


def test_a_stopped_worker_hands_its_transfer_back_and_another_goes_on(
    installation: Installation, sending: subprocess.Popen[str], slow: Archive
) -> None:
    begun = time.monotonic()
    exit_code, errors = stop(sending)
    took = time.monotonic() - begun
    left = installation.transfers()
    sent_before = len(slow.log.requests)

    installation.worker()
    installation.wait_until_all_are("finished")

    assert (exit_code, errors) == (0, "")
    assert took < 10
    assert left == [("queued", "pending")]
    assert sent_before < INSTANCES
    assert installation.transfers() == [("finished", "committed")]
    assert max(Counter(slow.log.requests).values()) == 1


def test_a_transfer_is_cancelled_while_another_process_sends_it(
    installation: Installation, sending: subprocess.Popen[str], slow: Archive
) -> None:
    all_but_stand_still(slow)

    installation.cancel()
    installation.wait_until_all_are("cancelled")
    arrived = len(slow.stored)
    time.sleep(1)

    assert installation.transfers() == [("cancelled", "partial")]
    assert 10 <= arrived == len(slow.stored) < INSTANCES
    verdicts = Counter(verdict for (verdict,) in installation.rows("SELECT verdict FROM audit_instanceaudit"))
    assert verdicts == {"confirmed": arrived, "refuted": INSTANCES - arrived}
    assert installation.rows("SELECT COUNT(*) FROM audit_audit WHERE sealed_at IS NULL") == [(0,)]
    assert installation.rows(UNLIKE_THE_AUDIT) == [(0,)]


def test_a_commands_own_transfer_is_cancelled_too_and_told_by_its_verdict(
    installation: Installation, slow: Archive
) -> None:
    write_study(installation.import_root, INSTANCES)
    command = installation.shell.start("send", installation.import_root, "--to", "slow", "--json")
    slow.wait_until(lambda archive: len(archive.log.answers) >= 5, seconds=30)
    all_but_stand_still(slow)

    installation.cancel()
    output, _ = command.communicate(timeout=30)

    transfer = transfer_of(output)
    assert (command.returncode, transfer["state"], transfer["verdict"]) == (3, "cancelled", "partial")
    assert transfer["counts"]["confirmed"] == len(slow.stored) < INSTANCES


def test_a_second_signal_breaks_off_and_another_worker_takes_over(
    installation: Installation, sending: subprocess.Popen[str], slow: Archive
) -> None:
    sending.send_signal(signal.SIGTERM)
    sending.send_signal(signal.SIGINT)
    _, errors = sending.communicate(timeout=10)

    installation.worker()
    installation.wait_until_all_are("finished")

    assert sending.returncode == 130
    assert "Broken off at once" in errors
    assert installation.transfers() == [("finished", "committed")]


def test_a_killed_command_does_not_look_alive_once_a_worker_runs(installation: Installation, slow: Archive) -> None:
    write_study(installation.import_root, INSTANCES)
    command = installation.shell.start("send", installation.import_root, "--to", "slow")
    slow.wait_until(lambda archive: len(archive.log.answers) >= 5, seconds=30)
    command.kill()
    command.wait()

    installation.worker()

    installation.wait_until_all_are("interrupted")


# Several workers


@pytest.fixture
def scaled_out(shell: Shell, import_root: Path, postgresql_url: str, redis: Redis) -> Installation:
    return Installation(shell, import_root, database_url=new_database(postgresql_url), redis_url=redis.url)


def studies(root: Path, count: int, instances: int) -> Iterator[Path]:
    for number in range(count):
        folder = root / f"study-{number}"
        folder.mkdir()
        write_study(folder, instances)
        yield folder


def test_several_workers_share_what_waits_and_each_transfer_is_run_once(
    scaled_out: Installation, archive: MakeArchive
) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    scaled_out.shell.add_destination("slow", peer.port, peer.ae_title, *ONE_ASSOCIATION)
    workers = [scaled_out.worker() for _ in range(3)]
    seen: set[str] = set()

    def all_are_finished() -> bool:
        found = scaled_out.rows("SELECT state, worker FROM transfers_transfer")
        seen.update(worker for _, worker in found if worker)
        return [state for state, _ in found] == ["finished"] * 12

    scaled_out.submit("slow", *studies(scaled_out.import_root, 12, instances=40))
    scaled_out.wait_until(all_are_finished)

    assert len(seen) == 3
    assert {verdict for _, verdict in scaled_out.transfers()} == {"committed"}
    assert scaled_out.rows("SELECT COUNT(*), COUNT(DISTINCT transfer_id) FROM transfers_attempt") == [(12, 12)]
    assert len(peer.log.requests) == len(set(peer.log.requests)) == 12 * 40
    assert [stop(worker) for worker in workers] == [(0, "")] * 3


def test_without_redis_workers_go_on_and_one_line_says_that_it_was_away(
    scaled_out: Installation, archive: MakeArchive, redis: Redis
) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    scaled_out.shell.add_destination("slow", peer.port, peer.ae_title, *ONE_ASSOCIATION)
    worker = scaled_out.worker()
    first, second, third = studies(scaled_out.import_root, 3, instances=30)
    scaled_out.submit("slow", first)
    peer.wait_until(lambda archive: len(archive.log.answers) >= 5, seconds=30)

    redis.kill()
    scaled_out.submit("slow", second)
    scaled_out.wait_until_all_are("finished", count=2)
    redis.start()
    scaled_out.submit("slow", third)
    scaled_out.wait_until_all_are("finished", count=3)

    exit_code, errors = stop(worker)
    assert exit_code == 0
    assert len(errors.splitlines()) == 1
    assert "begun anew" in errors
    assert {verdict for _, verdict in scaled_out.transfers()} == {"committed"}
