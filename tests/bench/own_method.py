"""One method of ours in a process of its own: `python -m tests.bench.own_method KEY ENDPOINT FOLDER`.

ENDPOINT is JSON: {"url": …} or {"host": …, "port": …, "ae_title": …}. Prints the seconds of sending, those until all of
it was found at the destination, and the peak of the resident set in megabytes.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

from audit.manifest import read_input
from audit.observations import EvidenceKind, Observation
from tests.bench.peak import peak_megabytes
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.methods import METHODS
from transfers.methods.base import SendContext
from transfers.probes import DEFAULT_PROBES, PROBES
from transfers.probes.base import ProbeContext


def main(key: str, address: str, folder: str) -> None:
    (study,) = read_input([Path(folder)]).studies
    (kind,) = METHODS[key].kinds
    endpoint = _endpoint(kind, json.loads(address))
    began_at = time.perf_counter()
    sent = Counter(
        seen.kind for seen in METHODS[key].send(study.entries, SendContext(endpoint)) if isinstance(seen, Observation)
    )
    sending = time.perf_counter() - began_at
    assert sent[EvidenceKind.ACKNOWLEDGED] == len(study.entries), sent
    context = ProbeContext(endpoint, settle_seconds=0, retry_seconds=0, wants_sop_class=False)
    found = Counter(
        seen.kind
        for seen in PROBES[DEFAULT_PROBES[kind]].verify(study.entries, context)
        if isinstance(seen, Observation)
    )
    assert found == Counter({EvidenceKind.PRESENT: len(study.entries)}), found
    verified = time.perf_counter() - began_at
    print(sending, verified, peak_megabytes())


def _endpoint(kind: str, address: dict[str, str]) -> Endpoint:
    if kind == "dicom":
        return DicomEndpoint(address["host"], int(address["port"]), address["ae_title"], "TALLYMAN")
    return OrthancEndpoint(address["url"]) if kind == "orthanc" else DicomWebEndpoint(address["url"])


if __name__ == "__main__":
    main(*sys.argv[1:])
