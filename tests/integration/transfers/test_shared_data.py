"""Real studies and odd files, where they lie beside the project: no traceback, and every row true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Outcome, destination_for, run, send
from tests.peers.orthanc import Orthanc

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
BROKEN = sorted((DATA / "derived" / "broken").glob("*"))

pytestmark = [
    pytest.mark.django_db(transaction=True),  # the lease is renewed over a connection of its own
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside this checkout"),
]


@pytest.fixture(scope="module")
def empty_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("shared-data"), ae_title="SHARED") as peer:
        yield peer


def false_rows(outcome: Outcome, peer: Orthanc) -> dict[str, str]:
    """The instances of which the report says what Orthanc's own list denies."""
    there = peer.instances()
    return {
        instance["sop_instance_uid"]: instance["verdict"]
        for transfer in outcome.document["transfers"]
        for instance in transfer["instances"]
        if (instance["verdict"] == "confirmed" and instance["sop_instance_uid"] not in there)
        or (instance["verdict"] == "refuted" and instance["sop_instance_uid"] in there)
    }


def conflicting(outcome: Outcome) -> set[str]:
    """Instances that were held back for a conflict, whose UID another study may have brought to the archive."""
    return {
        instance["sop_instance_uid"]
        for transfer in outcome.document["transfers"]
        for instance in transfer["instances"]
        if any(evidence["detail"].get("code") == "conflict" for evidence in instance["evidence"])
    }


@pytest.mark.parametrize("folder", ["studies", "odd", "derived"])
def test_every_row_about_real_files_is_true(empty_orthanc: Orthanc, folder: str) -> None:
    empty_orthanc.delete_everything()

    outcome = send(destination_for(empty_orthanc), DATA / folder)

    assert outcome.document["transfers"]
    assert {each["state"] for each in outcome.document["transfers"]} == {"finished"}
    assert set(false_rows(outcome, empty_orthanc)) <= conflicting(outcome)


def test_the_real_studies_are_committed_whole(empty_orthanc: Orthanc) -> None:
    empty_orthanc.delete_everything()

    outcome = send(destination_for(empty_orthanc), DATA / "studies")

    assert outcome.exit_code == 0
    assert sum(each["counts"]["confirmed"] for each in outcome.document["transfers"]) == 608 + 342 + 286


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_a_broken_file_alone_is_refused_or_judged_truly(empty_orthanc: Orthanc, path: Path) -> None:
    empty_orthanc.delete_everything()

    outcome = send(destination_for(empty_orthanc), path)

    assert outcome.exit_code in {0, 2, 3, 4, 5}
    assert false_rows(outcome, empty_orthanc) == {}
    assert len(outcome.document["transfers"]) + len(outcome.document["skipped"]) == 1


def test_asking_about_real_files_that_are_not_there_refutes_them_all(empty_orthanc: Orthanc) -> None:
    empty_orthanc.delete_everything()
    destination = destination_for(empty_orthanc)

    outcome = run("verify", DATA / "studies" / "mirp_sts_small", "--to", destination.name, "--json")

    assert outcome.exit_code == 4
