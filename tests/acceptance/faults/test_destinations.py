"""The fault table of destinations: what one drops, loses or cannot store is found, whatever the method was told.

Each verdict is held against what the destination really has, asked directly by its REST API: what is confirmed must be
there with the same content, what is refuted must not, and committed means all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.faults.cases import SOON, Case, MakeRoute, once, study
from tests.peers.orthanc import Orthanc
from tests.settings import TEST_DATABASE
from transfers import run
from transfers.methods.base import ReconnectPolicy

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(TEST_DATABASE != "sqlite", reason="the faults are the destination's"),
]

PATIENT = ReconnectPolicy(attempts=60, first_wait_seconds=0.1, factor=1.3, maximum_wait_seconds=0.5)
"""Until an Orthanc has been started again."""


def test_a_filter_that_drops_one_in_five_is_found(routes: MakeRoute, tmp_path: Path) -> None:
    case = Case(routes(), study(tmp_path, 5, patient_id="FILTERED")).send()

    case.assert_true()
    assert case.transfer.verdict == "partial"
    assert list(case.verdicts.values()) == ["confirmed"] * 4 + ["refuted"]


def test_a_filter_is_never_taken_for_a_commitment_where_nobody_is_asked(routes: MakeRoute, tmp_path: Path) -> None:
    case = Case(routes(), study(tmp_path, 5, patient_id="FILTERED")).send(verify="none")

    case.assert_true()
    says_so_itself = case.transfer.asks_commitment or "refused" in case.kinds(case.entries[4])
    assert case.transfer.verdict == ("partial" if says_so_itself else "unverifiable")


@pytest.mark.parametrize("key", ["c-store"], indirect=True)
def test_what_was_wrongly_declared_of_a_destination_is_found_false_here(routes: MakeRoute, tmp_path: Path) -> None:
    """So these tests would find a false verdict, if there were one."""
    case = Case(routes(), study(tmp_path, 5, patient_id="FILTERED"))

    case.send(verify="none", acknowledgement_means_stored=True).look()

    assert case.false_verdicts().keys() == {case.entries[4].sop_instance_uid}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that may be killed."""
    with Orthanc(tmp_path_factory.mktemp("mortal"), ae_title="MORTAL", dicom_web=True) as peer:
        yield peer


def test_a_destination_that_is_killed_and_comes_back_gets_the_rest(
    routes: MakeRoute, mortal: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RECONNECT", PATIENT)
    route = routes(mortal)
    case = Case(route, study(tmp_path, 8))
    deaths: list[set[str]] = []

    def die_and_come_back() -> None:
        mortal.kill()
        mortal.start()
        deaths.append(mortal.instances())

    route.chaos.watch = once(die_and_come_back, 80_000)
    case.send()

    assert len(deaths) == 1
    case.assert_true()
    assert case.transfer.verdict == "committed"


def test_a_destination_that_stays_away_is_not_said_to_hold_anything_and_tells_the_right_list_later(
    routes: MakeRoute, mortal: Orthanc, tmp_path: Path
) -> None:
    route = routes(mortal)
    case = Case(route, study(tmp_path, 8))
    route.chaos.watch = once(mortal.kill, 80_000)

    case.send(probe_retry_seconds=0)

    mortal.start()
    assert "confirmed" not in case.verdicts.values()
    case.assert_true()
    case.ask_again().assert_true()
    assert case.transfer.verdict != "unverifiable"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc with room for one megabyte; for another patient it makes room."""
    folder = tmp_path_factory.mktemp("full")
    with Orthanc(folder, ae_title="FULL", dicom_web=True, settings={"MaximumStorageSize": 1}) as peer:
        yield peer


@pytest.fixture(scope="module")
def unwritable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that cannot write to half of its storage: where its folders are to be, there are files."""
    folder = tmp_path_factory.mktemp("unwritable")
    storage = folder / "storage"
    storage.mkdir()
    for number in range(0, 256, 2):
        (storage / f"{number:02x}").touch()
    with Orthanc(folder, ae_title="UNWRITABLE", dicom_web=True) as peer:
        yield peer


def test_a_full_destination_holds_a_part_with_the_right_list(
    routes: MakeRoute, full: Orthanc, tmp_path: Path, key: str
) -> None:
    case = Case(routes(full), study(tmp_path, 6, size_bytes=250_000, patient_id=key)).send()

    case.assert_true()
    assert case.transfer.verdict in {"partial", "nothing-stored"}
    assert len(case.there) < 6


def test_a_storage_that_cannot_be_written_to_holds_a_part_with_the_right_list(
    routes: MakeRoute, unwritable: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By DICOM such an Orthanc does not even answer."""
    monkeypatch.setattr(run, "RECONNECT", ReconnectPolicy(attempts=2, first_wait_seconds=0.05))
    case = Case(routes(unwritable), study(tmp_path, 5, size_bytes=500)).send(source=SOON, **SOON)

    case.assert_true()
