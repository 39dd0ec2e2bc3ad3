"""Links that somebody puts into an import folder after it was read lead nothing out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from audit.manifest import read_input
from audit.models import Evidence
from tests.commands import destination_for, uids_of
from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive
from transfers import services
from transfers.import_roots import PathNotAllowed
from transfers.models import Batch, Destination, Transfer
from transfers.queue import this_process
from transfers.runner import run_transfer

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    root = tmp_path / "import"
    root.mkdir()
    settings.IMPORT_ROOTS = [str(root)]
    return root


def claimed(destination: Destination, root: Path) -> Transfer:
    """A transfer of the one study in an import folder, of a batch that was read."""
    (study,) = read_input([root], within=root).studies
    batch = Batch.objects.create(
        created_by=User.objects.create_user("operator"),
        destination=destination,
        method="c-store",
        verify="presence",
        path=str(root),
        created_at=timezone.now(),
    )
    return services.create_transfer(
        study, destination=destination, method="c-store", verify="presence", batch=batch, worker=this_process()
    )


def test_a_link_out_in_place_of_a_file_is_not_sent_and_the_rest_is(archive: MakeArchive, root: Path) -> None:
    first, second = write_study(root, 2)
    uid, other = uids_of([first, second])
    peer = archive()
    transfer = claimed(destination_for(peer), root)
    # The same file, so neither its size nor its time tells.
    first.rename(root.parent / "secret")
    first.symlink_to(root.parent / "secret")

    run_transfer(transfer)

    transfer.audit.refresh_from_db()
    assert transfer.audit.verdict == "partial"
    detail = Evidence.objects.get(instance__sop_instance_uid=uid, kind="not-sent").detail
    assert "it leads out of the folder that may be read" in str(detail)
    assert peer.log.instances == [other]


def test_what_is_no_import_folder_any_more_is_not_sent_from(
    archive: MakeArchive, root: Path, settings: Settings
) -> None:
    write_study(root, 2)
    peer = archive()
    transfer = claimed(destination_for(peer), root)
    settings.IMPORT_ROOTS = []

    with pytest.raises(PathNotAllowed):
        run_transfer(transfer)

    assert (transfer.state, peer.log.requests) == ("failed", [])
