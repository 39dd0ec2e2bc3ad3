"""Runs our commands inside the test's process, as a person would at a terminal."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from django.core.management import CommandError, call_command

from tests.fakes.archive import Archive
from tests.peers.orthanc import Orthanc
from tests.peers.storescp import Storescp
from transfers.models import Destination, Transfer

AN_ARCHIVE = Archive | Orthanc | Storescp


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    exit_code: int
    output: str

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.output))

    @property
    def transfer(self) -> dict[str, Any]:
        """The one transfer of the document."""
        (transfer,) = self.document["transfers"]
        return dict(transfer)

    @property
    def verdicts(self) -> dict[str, str]:
        """SOP Instance UID → verdict."""
        return {each["sop_instance_uid"]: each["verdict"] for each in self.transfer["instances"]}

    @property
    def kind_counts(self) -> Counter[str]:
        """How much evidence there is of each kind, in the whole transfer."""
        return Counter(each["kind"] for instance in self.transfer["instances"] for each in instance["evidence"])

    def kinds(self, sop_instance_uid: str) -> list[str]:
        """The kinds of evidence about one instance, in order."""
        (instance,) = (each for each in self.transfer["instances"] if each["sop_instance_uid"] == sop_instance_uid)
        return [evidence["kind"] for evidence in instance["evidence"]]


def destination_for(archive: AN_ARCHIVE, **fields: Any) -> Destination:
    """A destination for this archive, patient for a moment only."""
    quick = {"presence_settle_seconds": 0.3, "probe_retry_seconds": 0.5, "associations": 2}
    address = {"host": archive.host, "port": archive.port, "called_ae_title": archive.ae_title}
    name = f"archive-{archive.port}"
    return Destination.objects.create(name=name, **(quick | address | fields))


def run(*arguments: str | Path) -> Outcome:
    """Run a command; the exit status is what the shell would see."""
    name, *rest = [str(argument) for argument in arguments]
    output = io.StringIO()
    try:
        call_command(name, *rest, stdout=output, stderr=output)
    except SystemExit as stop:
        return Outcome(int(stop.code or 0), output.getvalue())
    except CommandError as error:
        return Outcome(error.returncode, str(error))
    return Outcome(0, output.getvalue())


def send(destination: Destination, *arguments: str | Path) -> Outcome:
    return run("send", *arguments, "--to", destination.name, "--json")


def uids_of(paths: Iterable[Path]) -> list[str]:
    return [str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID) for path in paths]


def sent(archive: AN_ARCHIVE, folder: Path, *options: str) -> Transfer:
    """The transfer of all that is in the folder, once it is finished."""
    send(destination_for(archive), folder, *options)
    return Transfer.objects.get()
