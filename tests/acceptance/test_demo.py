"""`manage.py demo`, which is what `make demo` runs."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import Shell
from tests.datasets import write_study


def verdicts(printed: str) -> list[str]:
    return re.findall(r"committed|partial|nothing-stored|unverifiable", printed.partition("Study")[2])


def archive_of(demo: subprocess.Popen[str]) -> int:
    """The port of the demo's archive, once it listens."""
    assert demo.stdout is not None
    found = re.search(r"on 127\.0\.0\.1:(\d+)", demo.stdout.readline())
    assert found is not None
    return int(found[1])


def is_listened_on(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until_stored(shell: Shell, instances: int) -> None:
    archive = Path(shell.environment["TALLYMAN_DATA_DIR"]) / "demo" / "archive"
    deadline = time.monotonic() + 30
    while len(list(archive.rglob("*.dcm"))) < instances:
        assert time.monotonic() < deadline, "the demo did not send"
        time.sleep(0.02)


@pytest.fixture
def big_study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    write_study(folder, 150)
    return folder


def test_the_demo_commits_the_studies_that_come_along_each_time_it_is_run(shell: Shell) -> None:
    first, second = shell.run("demo"), shell.run("demo")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert verdicts(first.stdout) == verdicts(second.stdout) == ["committed"] * 3
    assert "11 acknowledged" in second.stdout


def test_the_demo_sends_a_study_of_ones_own(shell: Shell, tmp_path: Path) -> None:
    write_study(tmp_path, 7)

    ran = shell.run("demo", tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert verdicts(ran.stdout) == ["committed"]
    assert "All 7 instances" in ran.stdout


def test_the_demo_exits_as_send_does(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("no DICOM")

    assert shell.run("demo", tmp_path).returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_broken_off_ends_its_archive_and_goes_on_the_next_time(
    shell: Shell, big_study: Path, number: signal.Signals
) -> None:
    demo = shell.start("demo", big_study)
    port = archive_of(demo)
    wait_until_stored(shell, 10)

    demo.send_signal(number)
    demo.communicate(timeout=30)
    was_listened_on = is_listened_on(port)
    went_on = shell.run("demo", big_study)

    assert (demo.returncode, was_listened_on) == (130, False)
    assert went_on.returncode == 0, went_on.stdout + went_on.stderr
    assert verdicts(went_on.stdout) == ["committed"]
    assert "150 acknowledged" in went_on.stdout


def test_two_demos_do_not_share_an_archive(shell: Shell, big_study: Path) -> None:
    first = shell.start("demo", big_study)
    archive_of(first)

    second = shell.run("demo")

    assert second.returncode == 2
    assert "already" in second.stderr
