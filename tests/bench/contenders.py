"""The programs that are measured; each sends a study to a destination that runs, and says how long that took."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pynetdicom import AE, _config

from audit.observations import EvidenceKind, Observation
from tests.bench.peers import Destination, Running
from tests.bench.studies import Study
from tests.peers.programs import program
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.wire.digests import Digest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Contender:
    label: str
    seconds: Callable[[Study, Destination, Running], float]
    wants_sample: Callable[[Destination], bool] = lambda _: False


def _sending(study: Study, _: Destination, running: Running) -> float:
    """The method alone: from the entries of a manifest to the last observation, nothing of it stored."""
    began = time.perf_counter()
    seen: Counter[EvidenceKind] = Counter()
    for each in CStore().send(study.entries, SendContext(running.endpoint)):
        if isinstance(each, Observation):
            seen[each.kind] += 1
    took = time.perf_counter() - began
    assert seen[EvidenceKind.ACKNOWLEDGED] == len(study.entries), seen
    return took


def _sending_without_sha256(study: Study, destination: Destination, running: Running) -> float:
    with patch.object(Digest, "add", lambda *_: None):
        return _sending(study, destination, running)


def _manage_send(study: Study, _: Destination, running: Running) -> float:
    """All of `manage.py send`, from the start of Python to the report."""
    return _manage_send_seconds(study, running)[0]


def _sending_with_rows(study: Study, _: Destination, running: Running) -> float:
    """Of `manage.py send` the sending alone, with every row written, as its attempt has it."""
    return _manage_send_seconds(study, running)[1]


def _manage_send_seconds(study: Study, running: Running) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as data_folder:
        environment = {"TALLYMAN_DATA_DIR": data_folder, "DJANGO_SETTINGS_MODULE": "project.settings"}
        endpoint = running.endpoint
        address = ["--host", endpoint.host, "--port", endpoint.port, "--ae-title", endpoint.called_ae_title]
        _manage(environment, "destination", "add", "peer", "--kind", "dicom", *address)
        began = time.perf_counter()
        document = _manage(environment, "send", study.folder, "--to", "peer", "--verify", running.probe, "--json")
        took = time.perf_counter() - began
        sending = _attempt_seconds(Path(data_folder))
    (transfer,) = json.loads(document)["transfers"]
    kinds = Counter(each["kind"] for instance in transfer["instances"] for each in instance["evidence"])
    assert kinds["acknowledged"] == len(study.entries), kinds
    return took, sending


def _attempt_seconds(data_folder: Path) -> float:
    with closing(sqlite3.connect(data_folder / "tallyman.sqlite3")) as database:
        ((started_at, ended_at),) = database.execute("SELECT started_at, ended_at FROM transfers_attempt")
    return (datetime.fromisoformat(ended_at) - datetime.fromisoformat(started_at)).total_seconds()


def _manage(environment: Mapping[str, str], *arguments: Any) -> str:
    command = [sys.executable, "manage.py", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode in {0, 5}, f"{command} ended with {done.returncode}: {done.stdout[-2000:]}"
    return done.stdout


def _dcmsend(study: Study, destination: Destination, running: Running) -> float:
    return _dcmsend_seconds(study, destination, running.endpoint.port, expected=0)


def _dcmsend_alone(study: Study, destination: Destination, running: Running) -> float:
    """Less the time that it needs to start and to read its input: it does both before it connects (to nobody)."""
    whole = _dcmsend_seconds(study, destination, running.endpoint.port, expected=0)
    return whole - _dcmsend_seconds(study, destination, port=1, expected=None)


def _dcmsend_seconds(study: Study, destination: Destination, port: int, expected: int | None) -> float:
    command = [program("dcmsend", package="dcmtk"), "--scan-directories", "--no-uid-checks", "127.0.0.1", str(port)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, str(study.folder)],
        env=os.environ | dict(destination.sender_environment),
        capture_output=True,
        check=False,
    )
    took = time.perf_counter() - began
    assert expected is None or done.returncode == expected, done.stderr
    return took


def _pynetdicom(study: Study, _: Destination, running: Running) -> float:
    """Association.send_c_store of files, unread and unchanged."""
    entity = AE("PYNETDICOM")
    first = study.entries[0]
    entity.add_requested_context(first.sop_class_uid, first.transfer_syntax_uid)
    began = time.perf_counter()
    with patch.object(_config, "STORE_SEND_CHUNKED_DATASET", new=True):
        association = entity.associate(
            running.endpoint.host, running.endpoint.port, ae_title=running.endpoint.called_ae_title
        )
        for path in study.paths:
            assert association.send_c_store(path).Status == 0
        association.release()
    return time.perf_counter() - began


US = Contender("us, sending alone", _sending)
US_WITHOUT_SHA256 = Contender("us, without SHA-256", _sending_without_sha256)
US_WITH_ROWS = Contender("us, every row written", _sending_with_rows)
MANAGE_SEND = Contender("manage.py send, all", _manage_send)
DCMSEND = Contender("dcmsend, all", _dcmsend, lambda destination: destination.stalls_dcmsend)
DCMSEND_ALONE = Contender("dcmsend, sending alone", _dcmsend_alone, lambda destination: destination.stalls_dcmsend)
PYNETDICOM = Contender("pynetdicom", _pynetdicom, lambda _: True)
CONTENDERS = [US, US_WITHOUT_SHA256, US_WITH_ROWS, MANAGE_SEND, DCMSEND_ALONE, DCMSEND, PYNETDICOM]
