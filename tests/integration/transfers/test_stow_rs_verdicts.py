"""Whole transfers by STOW-RS to a real Orthanc where something goes wrong: the verdict is what it holds then."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.commands import Outcome, send, uids_of
from tests.datasets import unique_uid, write_study
from tests.fakes.gateway import Answered, Call, Gateway, NoAnswer
from tests.peers.orthanc import Orthanc
from transfers import run as runs
from transfers.methods.base import ReconnectPolicy
from transfers.models import Destination
from transfers.passwords import encrypt_password

pytestmark = [pytest.mark.usefixtures("whole_ledger"), pytest.mark.django_db(transaction=True)]

PASSWORD = "s3cret"
Look = Callable[[Call], None]


class Watched(Gateway):
    """Passes everything on, once `look` has seen it."""

    def __init__(self, orthanc: Orthanc, look: Look) -> None:
        super().__init__(orthanc)
        self._look = look

    def answer(self, call: Call) -> Answered | None:
        self._look(call)
        return None


class MakeWatched(Protocol):
    def __call__(self, orthanc: Orthanc, look: Look) -> Watched: ...


@pytest.fixture
def watched() -> Iterator[MakeWatched]:
    with ExitStack() as stack:
        yield lambda orthanc, look: stack.enter_context(Watched(orthanc, look))


@pytest.fixture
def own_orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    with Orthanc(tmp_path / "orthanc", dicom_web=True, users={"ann": PASSWORD}) as orthanc:
        yield orthanc


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RECONNECT", ReconnectPolicy(attempts=20, first_wait_seconds=0.1, factor=1))


def to(url: str, password: str = PASSWORD, **fields: Any) -> Destination:
    quick: dict[str, Any] = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.5, "associations": 1}
    login = {"username": "ann", "password_encrypted": encrypt_password(password)}
    return Destination.objects.create(name="web", kind="dicomweb", url=f"{url}/dicom-web", **(quick | login | fields))


def assert_that_it_is_so(outcome: Outcome, orthanc: Orthanc, paths: list[Path]) -> None:
    """What is confirmed is there, and what is refuted is not."""
    there = orthanc.instances() & set(uids_of(paths))
    assert {uid for uid, verdict in outcome.verdicts.items() if verdict == "confirmed"} <= there
    assert not {uid for uid, verdict in outcome.verdicts.items() if verdict == "refuted"} & there


def overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """As nobody notices: of the same size, and of the same time of modification."""
    found, content = path.stat(), path.read_bytes()
    changed = change(content)
    assert len(changed) == len(content) != 0
    assert changed != content
    path.write_bytes(changed)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def before_sending(change: Callable[[], None]) -> Look:
    """Do it once the manifest was read."""
    done: list[bool] = []

    def look(_: Call) -> None:
        if not done:
            done.append(True)
            change()

    return look


def test_what_is_no_dicom_to_the_destination_is_missing_and_the_rest_is_there(
    web_orthanc: Orthanc, watched: MakeWatched, folder: Path
) -> None:
    paths = write_study(folder, 5)
    uids = uids_of(paths)
    gateway = watched(
        web_orthanc, before_sending(lambda: overwrite(paths[2], lambda old: old[:132] + b"x" * len(old[132:])))
    )

    outcome = send(to(gateway.url), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert outcome.verdicts == {uid: "refuted" if uid == uids[2] else "confirmed" for uid in uids}
    assert outcome.kinds(uids[2])[:2] == ["sent", "answer-unclear"]
    assert_that_it_is_so(outcome, web_orthanc, [path for path in paths if path is not paths[2]])


def test_an_instance_that_is_of_another_study_by_now_is_refused(
    web_orthanc: Orthanc, watched: MakeWatched, folder: Path
) -> None:
    study = f"1.2.3.{unique_uid()[5:40]}"
    paths = write_study(folder, 5, study_instance_uid=study)
    stray = uids_of(paths)[4]
    other = study.replace("1.2.3.", "1.2.4.").encode()
    gateway = watched(
        web_orthanc, before_sending(lambda: overwrite(paths[4], lambda old: old.replace(study.encode(), other)))
    )

    outcome = send(to(gateway.url), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert outcome.verdicts[stray] == "refuted"
    assert "refused" in outcome.kinds(stray)
    assert_that_it_is_so(outcome, web_orthanc, paths)


def test_with_a_wrong_password_nothing_is_sent(own_orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 3)

    outcome = send(to(own_orthanc.url, password="wrong"), folder)

    kinds = {uid: outcome.kinds(uid) for uid in outcome.verdicts}
    assert all("not-sent" in each and "sent" not in each for each in kinds.values())
    assert outcome.transfer["verdict"] != "committed"
    assert "wrong" not in outcome.output
    assert own_orthanc.instances() == set()


def test_with_the_right_one_all_is(own_orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 3)

    assert send(to(own_orthanc.url), folder).transfer["verdict"] == "committed"


def test_a_destination_that_is_killed_and_started_again_gets_the_rest(
    own_orthanc: Orthanc, watched: MakeWatched, folder: Path
) -> None:
    paths = write_study(folder, 12)
    posts: list[Call] = []

    def restart(call: Call) -> None:
        if call.method == "POST":
            posts.append(call)
            if len(posts) == 3:
                own_orthanc.kill()
                own_orthanc.start()
                raise NoAnswer

    gateway = watched(own_orthanc, restart)

    outcome = send(to(gateway.url), folder, "--option", "instances=2")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (0, "committed")
    assert own_orthanc.instances() == set(uids_of(paths))
    assert sum("no-answer" in outcome.kinds(uid) for uid in outcome.verdicts) == 2
    assert len(posts) == 7


def test_a_destination_that_stays_dead_has_what_it_was_seen_to_have_and_no_more(
    own_orthanc: Orthanc, watched: MakeWatched, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RECONNECT", ReconnectPolicy(attempts=2, first_wait_seconds=0.1))
    paths = write_study(folder, 8)
    posts: list[Call] = []

    def kill(call: Call) -> None:
        if call.method == "POST":
            posts.append(call)
            if len(posts) == 3:
                own_orthanc.kill()

    outcome = send(to(watched(own_orthanc, kill).url), folder, "--option", "instances=2")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
    last = [outcome.kinds(uid) for uid in uids_of(paths)]
    assert sum("acknowledged" in each for each in last) == 4
    assert not any("acknowledged" in each and "no-answer" in each for each in last)
