"""`send --from SOURCE --study UID`: whole transfers out of a real Orthanc, by every method that streams through us."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Outcome, destination_for, run
from tests.datasets import unique_uid, write_study
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Asked, Reply
from tests.peers.orthanc import Orthanc
from tests.source_entries import stored_at
from transfers import source_studies
from transfers.models import Destination, Source, Transfer
from transfers.sources import orthanc_studies

STUDY = "f689ddd2-662f8fd3-7f4b3fe3-5c7b0c8e-6ed3a2f1"

pytestmark = pytest.mark.django_db(transaction=True)


def at(peer: Orthanc) -> Source:
    return Source.objects.create(name="research", url=peer.url)


def send_from(source: Source, study: str, destination: Destination, *more: str) -> Outcome:
    return run("send", "--from", source.name, "--study", study, "--to", destination.name, "--json", *more)


def destinations(peer: Orthanc) -> list[Destination]:
    fields: dict[str, Any] = {"presence_settle_seconds": 0.3, "probe_retry_seconds": 0.5}
    return [
        destination_for(peer),
        Destination.objects.create(name="rest", kind="orthanc", url=peer.url, **fields),
        Destination.objects.create(name="web", kind="dicomweb", url=peer.dicom_web_url, **fields),
    ]


@pytest.mark.parametrize("number", range(3), ids=["c-store", "orthanc-rest", "stow-rs"])
def test_a_study_of_a_source_is_sent_and_proved(
    source_orthanc: Orthanc, web_orthanc: Orthanc, folder: Path, number: int
) -> None:
    study = unique_uid()
    stored_at(source_orthanc, write_study(folder, 7, series=2, study_instance_uid=study))

    outcome = send_from(at(source_orthanc), study, destinations(web_orthanc)[number], "--verify", "content")

    assert outcome.exit_code == 0, outcome.output
    assert outcome.transfer["verdict"] == "committed"
    assert outcome.transfer["proof"] in {"identical", "equivalent"}
    transfer = Transfer.objects.get()
    assert (transfer.instances, transfer.series, transfer.modalities) == (7, 2, "CT")
    assert transfer.source is not None
    assert transfer.source_study_id


def test_what_was_deleted_at_the_source_is_not_sent(
    source_orthanc: Orthanc, web_orthanc: Orthanc, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = unique_uid()
    entries = stored_at(source_orthanc, write_study(folder, 4, study_instance_uid=study))
    taken = orthanc_studies.take_manifest

    def take(*arguments: Any) -> Any:
        held = taken(*arguments)
        source_orthanc.rest(f"/instances/{entries[1].source_id}", method="DELETE")
        return held

    monkeypatch.setattr(source_studies, "take_manifest", take)

    outcome = send_from(at(source_orthanc), study, destinations(web_orthanc)[1])

    assert outcome.transfer["verdict"] == "partial"
    assert Counter(outcome.verdicts.values()) == Counter(confirmed=3, refuted=1)
    assert outcome.kinds(entries[1].sop_instance_uid) == ["not-sent", "absent"]


def test_what_is_not_there_is_said(source_orthanc: Orthanc, web_orthanc: Orthanc) -> None:
    source, destination = at(source_orthanc), destinations(web_orthanc)[1]

    outcome = send_from(source, "1.2.3.4", destination)

    assert outcome.exit_code == 2
    assert "holds no such study" in outcome.output
    assert run("send", "--from", "nobody", "--study", "1", "--to", destination.name).exit_code == 2
    assert "belong together" in run("send", "--from", source.name, "--to", destination.name).output


def test_two_patients_with_the_same_study_are_told_apart(
    source_orthanc: Orthanc, web_orthanc: Orthanc, tmp_path: Path
) -> None:
    study = unique_uid()
    for patient in ("ONE", "TWO"):
        (tmp_path / patient).mkdir()
        stored_at(source_orthanc, write_study(tmp_path / patient, 2, study_instance_uid=study, patient_id=patient))
    source, destination = at(source_orthanc), destinations(web_orthanc)[1]
    (first, second) = source_orthanc.rest("/tools/find", body={"Level": "Study", "Query": {"StudyInstanceUID": study}})

    ambiguous = send_from(source, study, destination)
    chosen = send_from(source, first, destination)

    assert ambiguous.exit_code == 2
    assert first in ambiguous.output
    assert second in ambiguous.output
    assert chosen.transfer["verdict"] == "committed"


def test_who_stops_it_while_the_study_is_waited_for_is_told_so(web: MakeWeb, orthanc: Orthanc) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/tools/find":
            return Reply(200, f'["{STUDY}"]'.encode(), "application/json")
        os.kill(os.getpid(), signal.SIGTERM)
        return Reply(200, b'{"IsStable": false}', "application/json")

    source = Source.objects.create(name="receiving", url=web(answer).url)

    outcome = send_from(source, "1.2.3", destination_for(orthanc), "--wait-until-stable")

    assert outcome.exit_code == 130
    assert not Transfer.objects.exists()
