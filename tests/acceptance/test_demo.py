"""`manage.py demo`, which is what `make demo` runs."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from tests.acceptance.conftest import Shell
from tests.acceptance.installation import Server
from tests.datasets import write_study


def verdicts(printed: str) -> list[str]:
    """Not what stands before a number: "4 committed" is evidence."""
    return re.findall(r"(?<!\d )(?:committed|partial|nothing-stored|unverifiable)", printed.partition("Study")[2])


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
    first, second = shell.run("demo", "--oneshot"), shell.run("demo", "--oneshot")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert verdicts(first.stdout) == verdicts(second.stdout) == ["committed"] * 3
    assert "11 acknowledged" in second.stdout


def test_the_demo_sends_a_study_of_ones_own(shell: Shell, tmp_path: Path) -> None:
    write_study(tmp_path, 7)

    ran = shell.run("demo", tmp_path, "--oneshot")

    assert ran.returncode == 0, ran.stderr
    assert verdicts(ran.stdout) == ["committed"]
    assert "All 7 instances" in ran.stdout


def test_the_demo_exits_as_send_does(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("no DICOM")

    assert shell.run("demo", tmp_path, "--oneshot").returncode == 2


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
    went_on = shell.run("demo", big_study, "--oneshot")

    assert (demo.returncode, was_listened_on) == (130, False)
    assert went_on.returncode == 0, went_on.stdout + went_on.stderr
    assert verdicts(went_on.stdout) == ["committed"]
    assert "150 acknowledged" in went_on.stdout


def test_two_demos_do_not_share_an_archive(shell: Shell, big_study: Path) -> None:
    first = shell.start("demo", big_study)
    archive_of(first)

    second = shell.run("demo", "--oneshot")

    assert second.returncode == 2
    assert "already" in second.stderr


# What it leaves running


def page_after_logging_in(address: str, password: str) -> requests.Response:
    """The first page that the demo user sees."""
    with requests.Session() as visitor:
        form = visitor.get(address, timeout=10)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
        assert token is not None
        fields = {"username": "demo", "password": password, "csrfmiddlewaretoken": token[1]}
        return visitor.post(form.url, data=fields, headers={"Referer": form.url}, timeout=10)


def password_in(printed: str) -> str:
    found = re.search(r"Log in as demo with the password (\S+)", printed)
    assert found is not None, printed
    return found[1]


def end(demo: Server) -> float:
    """Seconds until it had ended."""
    begun = time.monotonic()
    demo.process.send_signal(signal.SIGTERM)
    demo.process.communicate(timeout=20)
    return time.monotonic() - begun


def test_the_demo_goes_on_with_pages_that_show_what_it_sent(shell: Shell, tmp_path: Path) -> None:
    write_study(tmp_path, 3)

    demo = Server(shell, "demo", str(tmp_path))
    page = page_after_logging_in(demo.address, password_in(demo.printed))
    archive = re.search(r"on 127\.0\.0\.1:(\d+)", demo.printed)
    transfer = re.search(r"transfer (\S+) \(finished\)", demo.printed)
    assert archive is not None
    assert transfer is not None
    ports = [int(archive[1]), int(demo.address.rpartition(":")[2])]
    listened = [is_listened_on(port) for port in ports]
    seconds = end(demo)

    assert verdicts(demo.printed) == ["committed"]
    assert page.status_code == 200
    assert transfer[1] in page.text
    assert demo.printed.endswith(f"Tallyman on {demo.address}\n")
    assert listened == [True, True]
    assert (demo.process.returncode, [is_listened_on(port) for port in ports]) == (0, [False, False])
    assert seconds < 12


def test_the_password_is_shown_once_and_stays_good(shell: Shell) -> None:
    first = Server(shell, "demo")
    password = password_in(first.printed)
    end(first)

    second = Server(shell, "demo")

    assert "with the password" not in second.printed
    assert "changepassword demo" in second.printed
    assert page_after_logging_in(second.address, password).url.endswith("/")
    assert "login" not in page_after_logging_in(second.address, password).url
    assert "login" in page_after_logging_in(second.address, "another").url


@pytest.fixture
def taken_port() -> Iterator[None]:
    """That on which the demo would serve; where somebody else has it, it is taken all the same."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8000)))
        yield


def test_a_demo_whose_port_is_taken_takes_another_and_says_so(shell: Shell, taken_port: None) -> None:
    demo = Server(shell, "demo")

    assert "Port 8000 is in use" in demo.printed
    assert not demo.address.endswith(":8000")


def test_a_demo_that_has_nothing_to_show_ends(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("no DICOM")

    ran = shell.run("demo", tmp_path)

    assert ran.returncode == 2
    assert "Tallyman on" not in ran.stdout


def test_the_demos_archive_keeps_its_port(shell: Shell) -> None:
    first = Server(shell, "demo")
    end(first)

    second = Server(shell, "demo")

    ports = [re.findall(r"on 127\.0\.0\.1:(\d+), storing", demo.printed) for demo in (first, second)]
    assert ports[0] == ports[1] != []
