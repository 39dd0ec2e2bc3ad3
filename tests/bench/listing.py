"""How long it takes to ask for a study: `python -m tests.bench.listing`."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from pydicom import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.dsutils import encode

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation
from tests.bench.prepared_scp import PreparedScp
from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.finding import STUDY_ROOT_FIND
from tests.manifests import study
from tests.peers.orthanc import Orthanc
from transfers.endpoints import DicomEndpoint
from transfers.methods.base import SendContext
from transfers.methods.c_store import CStore
from transfers.probes.base import ProbeContext
from transfers.probes.c_find import CFindProbe

PREPARED_INSTANCES = 10_000
STORED_INSTANCES = 500
RUNS = 3


def main() -> None:
    print(f"{'asked':<44}{'instances':>10}{'seconds':>10}")
    entries = list(study(PREPARED_INSTANCES).entries)
    with PreparedScp([_identifier(entry) for entry in entries]) as scp:
        _report("the probe, an SCP with its answers ready", entries, lambda: _ask(entries, scp.endpoint))
    with tempfile.TemporaryDirectory() as folder, Orthanc(Path(folder) / "orthanc") as peer:
        endpoint = DicomEndpoint(peer.host, peer.port, peer.ae_title, "TALLYMAN")
        stored = entries_of(write_study(Path(folder), instances=STORED_INSTANCES))
        for _ in CStore().send(stored, SendContext(endpoint)):
            pass
        _report("the probe, Orthanc", stored, lambda: _ask(stored, endpoint))
        _report("findscu, Orthanc", stored, lambda: _ask_by_findscu(stored[0], endpoint))
        _report("pynetdicom, Orthanc", stored, lambda: _ask_by_pynetdicom(stored[0], endpoint))


def _report(what: str, entries: list[ManifestEntry], ask: Callable[[], int]) -> None:
    """Print the median time; an answer that misses an instance ends the run."""
    seconds = []
    for _ in range(RUNS):
        began_at = time.perf_counter()
        found = ask()
        seconds.append(time.perf_counter() - began_at)
        assert found == len(entries), f"{what}: {found} of {len(entries)}"
    print(f"{what:<44}{len(entries):>10,}{median(seconds):>10.3f}")


def _ask(entries: list[ManifestEntry], endpoint: DicomEndpoint) -> int:
    seen: Iterable[object] = CFindProbe().verify(entries, ProbeContext(endpoint, settle_seconds=0, retry_seconds=0))
    return sum(isinstance(each, Observation) and each.kind is EvidenceKind.PRESENT for each in seen)


def _ask_by_findscu(entry: ManifestEntry, endpoint: DicomEndpoint) -> int:
    keys = ["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={entry.study_instance_uid}"]
    keys += [f"SeriesInstanceUID={entry.series_instance_uid}", "SOPInstanceUID", "SOPClassUID"]
    options = [option for key in keys for option in ("-k", key)]
    command = ["findscu", "-v", "-S", "-aec", endpoint.called_ae_title, *options, endpoint.host, str(endpoint.port)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return (finished.stdout + finished.stderr).count("Find Response:")


def _ask_by_pynetdicom(entry: ManifestEntry, endpoint: DicomEndpoint) -> int:
    entity = AE()
    entity.add_requested_context(STUDY_ROOT_FIND)
    association = entity.associate(endpoint.host, endpoint.port, ae_title=endpoint.called_ae_title)
    rows = [row for _, row in association.send_c_find(_question(entry), STUDY_ROOT_FIND) if row is not None]
    association.release()
    return len({row.SOPInstanceUID for row in rows})


def _question(entry: ManifestEntry) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = entry.study_instance_uid
    identifier.SeriesInstanceUID = entry.series_instance_uid
    identifier.SOPInstanceUID = identifier.SOPClassUID = ""
    return identifier


def _identifier(entry: ManifestEntry) -> bytes:
    answer = _question(entry)
    answer.SOPInstanceUID, answer.SOPClassUID = entry.sop_instance_uid, CTImageStorage
    answer.RetrieveAETitle = "PREPARED"
    return encode(answer, False, True) or b""


if __name__ == "__main__":
    main()
