"""Nothing is removed where the way to remove leads to another archive than when the transfer was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import destination_for, send, uids_of
from tests.datasets import write_study
from tests.fakes.archive import Archive
from tests.fakes.fixtures import MakeArchive, MakeWeb
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.script import Script
from tests.fakes.web import Asked, Reply, Web
from transfers import services
from transfers.models import Destination, Transfer
from transfers.queue import this_process
from transfers.rollback import CannotRollBack
from transfers.runner import run_transfer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def peer(archive: MakeArchive) -> Archive:
    return archive(Script(without_sop_classes=[STUDY_ROOT_GET]))


@pytest.fixture
def stranger(web: MakeWeb) -> Web:
    """Another archive, that takes every DELETE."""
    return web(lambda asked: Reply(200, b"") if asked.method == "DELETE" else Reply(204, b""))


def side(name: str, url: str) -> Destination:
    return Destination.objects.create(name=name, kind="dicomweb", url=url)


def sent_to(destination: Destination, folder: Path) -> Transfer:
    write_study(folder, 2)
    send(destination, folder)
    return Transfer.objects.get()


def deleted(there: Web) -> list[Asked]:
    return [asked for asked in there.asked if asked.method == "DELETE"]


def test_a_side_that_was_repointed_since_is_not_used(peer: Archive, stranger: Web, folder: Path) -> None:
    destination = destination_for(peer)
    transfer = sent_to(destination, folder)
    own = side("own", "http://127.0.0.1:9/dicom-web")
    destination.ask_at.add(own)
    Transfer.objects.filter(pk=transfer.pk).update(created_at=own.history.latest().history_date)
    own.url = stranger.url
    own.save()
    transfer.refresh_from_db()

    with pytest.raises(CannotRollBack, match="nobody knows"):
        services.preview_roll_back(transfer)
    with pytest.raises(CannotRollBack):
        services.roll_back(transfer)


def test_a_side_that_took_the_place_of_another_is_not_used(peer: Archive, stranger: Web, folder: Path) -> None:
    destination = destination_for(peer)
    transfer = sent_to(destination, folder)
    destination.ask_at.add(side("own", "http://127.0.0.1:9/dicom-web"))
    Transfer.objects.filter(pk=transfer.pk).update(created_at=destination.history.latest().history_date)
    destination.ask_at.set([side("other", stranger.url)])
    transfer.refresh_from_db()

    with pytest.raises(CannotRollBack, match="another one stood for it"):
        services.roll_back(transfer)


def test_nothing_is_removed_where_a_side_is_repointed_before_its_turn(
    peer: Archive, stranger: Web, folder: Path
) -> None:
    destination = destination_for(peer)
    transfer = sent_to(destination, folder)
    own = side("own", "http://127.0.0.1:9/dicom-web")
    destination.ask_at.add(own)
    Transfer.objects.filter(pk=transfer.pk).update(created_at=own.history.latest().history_date)
    transfer.refresh_from_db()
    services.roll_back(transfer, worker=this_process())
    own.url = stranger.url
    own.save()

    run_transfer(transfer)

    assert deleted(stranger) == []
    assert transfer.events.filter(name="roll_back_not_possible").exists()


def test_a_side_that_was_added_since_is_used(peer: Archive, stranger: Web, folder: Path) -> None:
    destination = destination_for(peer)
    transfer = sent_to(destination, folder)
    destination.ask_at.add(side("own", stranger.url))
    services.roll_back(transfer, worker=this_process())

    run_transfer(transfer)

    assert {asked.path.rpartition("/")[2] for asked in deleted(stranger)} == set(uids_of(folder.iterdir()))
