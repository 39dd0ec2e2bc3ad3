"""A whole transfer is watched, from the first question to the verdict: what is told, and what never is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from audit.manifest import read_input
from audit.models import InstanceAudit
from tests.commands import destination_for
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script, StoreRequest
from tests.integration.transfers.live.conftest import Open, Socket, in_thread
from transfers import queue, services
from transfers.models import Destination, Transfer
from transfers.runner import run_transfer

pytestmark = pytest.mark.django_db(transaction=True)

INSTANCES = 40
COMMENT = "No room for Mustermann^Max"


def refuse_the_last(request: StoreRequest) -> Answer:
    if request.number == INSTANCES:
        return Answer(0xA700, error_comment=COMMENT, delay_seconds=0.1)
    return Answer(delay_seconds=0.1)


def send(destination: Destination, folder: Path) -> None:
    (study,) = read_input([folder]).studies
    asked_for = {"method": "c-store", "verify": "presence", "worker": queue.this_process()}
    run_transfer(services.create_transfer(study, destination=destination, **asked_for))  # type: ignore[arg-type]


async def watch(open_socket: Open, destination: Destination, folder: Path) -> tuple[Socket, Socket, Transfer]:
    """Both sockets, and the transfer as it ended."""
    of_list = await open_socket("/ws/transfers/")
    await of_list.event()
    sending = asyncio.ensure_future(in_thread(send, destination, folder))
    created = await of_list.until(lambda event: bool(event["created"]))
    of_transfer = await open_socket(f"/ws/transfers/{created['created'][0]}/")
    await of_transfer.until(lambda event: event["state"] == "finished")
    await of_list.until(lambda event: any(each["state"] == "finished" for each in event["transfers"]))
    await sending
    return of_list, of_transfer, await in_thread(Transfer.objects.select_related("audit").get)


@pytest.fixture
def study_folder(folder: Path) -> Path:
    write_study(folder, INSTANCES, series=2)
    return folder


@pytest.fixture
def reluctant(db: None, archive: MakeArchive) -> Destination:
    """It takes its time, and refuses the last instance with a comment."""
    return destination_for(archive(Script(on_store=refuse_the_last)))


async def test_what_was_told_last_is_what_was_judged(
    open_socket: Open, reluctant: Destination, study_folder: Path
) -> None:
    _, socket, transfer = await watch(open_socket, reluctant, study_folder)

    told = [json.loads(text) for text in socket.heard]
    cells = told[0]["cells"]
    for event in told[1:]:
        for first, run in event["cells"]:
            cells = cells[:first] + run + cells[first + len(run) :]

    tally = transfer.audit.tally
    assert told[-1]["revision"] == transfer.live_revision
    assert told[-1]["verdict"] == transfer.verdict == "partial"
    assert told[-1]["counts"] == {name: tally[name] for name in told[-1]["counts"]}
    assert told[-1]["funnel"] == {
        "expected": INSTANCES,
        "sent": tally["sent"],
        "acknowledged": tally["acknowledged"],
        "committed": 0,
        "present": tally["present"],
        "compared": 0,
    }
    assert sorted(cells) == ["c"] * (INSTANCES - 1) + ["r"]


async def test_the_way_there_is_told_step_by_step(
    open_socket: Open, reluctant: Destination, study_folder: Path
) -> None:
    _, socket, _ = await watch(open_socket, reluctant, study_folder)

    told = [json.loads(text) for text in socket.heard]
    done = [event["progress"]["done"] for event in told if event["state"] == "sending"]
    assert done == sorted(done)
    assert len(set(done)) > 1
    assert all(event["counts"]["confirmed"] == 0 for event in told if event["state"] != "finished")


async def test_no_message_names_the_patient_a_uid_a_path_or_what_the_archive_said(
    open_socket: Open, reluctant: Destination, study_folder: Path
) -> None:
    of_list, of_transfer, transfer = await watch(open_socket, reluctant, study_folder)

    told = "".join(of_list.heard + of_transfer.heard)
    uids = await in_thread(lambda: list(InstanceAudit.objects.values_list("sop_instance_uid", "series_instance_uid")))
    assert len(uids) == INSTANCES
    never = {uid for pair in uids for uid in pair} | {
        transfer.study_instance_uid,
        str(study_folder),
        study_folder.name,
        "Phantom",
        "Mustermann",
        "No room",
        "0xA700",
        reluctant.name,
        reluctant.called_ae_title,
        reluctant.host,
    }
    assert [text for text in never if text in told] == []
