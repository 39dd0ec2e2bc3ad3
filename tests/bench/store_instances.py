"""dicomweb-client's `store_instances`, in a process of its own: `python -m tests.bench.store_instances URL FOLDER`.

Prints the seconds that it took from the first file read, and the peak of the resident set in megabytes.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import pydicom

from tests.bench.peak import peak_megabytes


def main(url: str, folder: str) -> None:
    client = importlib.import_module("dicomweb_client").DICOMwebClient(url)
    began_at = time.perf_counter()
    client.store_instances([pydicom.dcmread(path) for path in sorted(Path(folder).iterdir())])
    print(time.perf_counter() - began_at, peak_megabytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
