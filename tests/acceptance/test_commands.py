"""The command line as scripts use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Shell, transfer_of
from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive


def test_send_prints_exactly_one_json_document(shell: Shell, archive: MakeArchive, tmp_path: Path) -> None:
    write_study(tmp_path, 3)
    peer = archive()
    shell.add_destination("archive", peer.port, peer.ae_title)

    sent = shell.run("send", tmp_path, "--to", "archive", "--json")

    assert sent.returncode == 0
    assert set(json.loads(sent.stdout)) == {"transfers", "skipped"}
    assert set(transfer_of(sent.stdout)) == {
        "id",
        "study_instance_uid",
        "destination",
        "method",
        "state",
        "verdict",
        "proof",
        "reason",
        "destination_may_trust_stable_study",
        "counts",
        "instances",
    }
    assert sent.stderr == ""


def test_send_prints_a_table_for_people(shell: Shell, archive: MakeArchive, tmp_path: Path) -> None:
    write_study(tmp_path, 3)
    peer = archive()
    shell.add_destination("archive", peer.port, peer.ae_title)

    sent = shell.run("send", tmp_path, "--to", "archive")

    assert sent.returncode == 0
    assert "committed" in sent.stdout
    assert "All 3 instances were found at the destination when it was asked afterwards." in sent.stdout


def test_destinations_are_added_listed_shown_and_removed(shell: Shell) -> None:
    shell.add_destination("archive", 11112, "PACS")

    listed = shell.run("destination", "list")
    shown = shell.run("destination", "show", "archive")
    removed = shell.run("destination", "remove", "archive")

    assert "PACS@127.0.0.1:11112" in listed.stdout
    assert "called_ae_title: PACS" in shown.stdout
    assert removed.returncode == 0
    assert shell.run("destination", "list").stdout == ""


def test_check_tells_what_an_archive_accepts_and_exits_by_it(shell: Shell, archive: MakeArchive) -> None:
    peer = archive()
    shell.add_destination("archive", peer.port, peer.ae_title)
    peer_is_there = shell.run("destination", "check", "archive")
    peer.die()

    peer_is_gone = shell.run("destination", "check", "archive")

    assert (peer_is_there.returncode, peer_is_gone.returncode) == (0, 1)
    assert "CT Image Storage" in peer_is_there.stdout
    assert "Connection refused" in peer_is_gone.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ae-title", "A_TITLE_OF_17_CHR"], "at most 16 characters"),
        (["--ae-title", "BACK\\SLASH"], "backslash"),
        (["--ae-title", "OK", "--tls-certificate", "/nowhere.pem"], "no file /nowhere.pem"),
        (["--ae-title", "OK", "--associations", "0"], "associations"),
    ],
)
def test_a_wrong_destination_is_refused_in_words(shell: Shell, options: list[str], message: str) -> None:
    address = ["--kind", "dicom", "--host", "127.0.0.1", "--port", "104"]

    added = shell.run("destination", "add", "archive", *address, *options)

    assert added.returncode == 2
    assert message in added.stderr


def test_an_unknown_destination_is_named_with_those_that_there_are(shell: Shell, tmp_path: Path) -> None:
    shell.add_destination("archive", 11112, "PACS")

    sent = shell.run("send", tmp_path, "--to", "archiv")

    assert sent.returncode == 2
    assert "There is no destination “archiv” (there are: archive)" in sent.stderr


def test_a_wrong_call_prints_its_document_all_the_same(shell: Shell, tmp_path: Path) -> None:
    sent = shell.run("send", tmp_path, "--to", "nowhere", "--json")

    assert sent.returncode == 2
    assert json.loads(sent.stdout) == {"transfers": [], "skipped": []}
