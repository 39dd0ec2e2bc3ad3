"""Each method of ours beside the best peer that does the same, to one stock Orthanc: `python -m tests.bench.methods`.

Wanted: ahead of every one of them, the time until all of it was found at the destination included, under 150 MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.accelerator_peer import ROOT, accelerator_before
from tests.bench.studies import Study, create_study
from tests.peers.orthanc import Orthanc
from tests.peers.programs import program

RUNS = 3
STUDIES = [("512 KB", 500, 524_288), ("8 KB", 2_000, 8_192)]
MEASURED = ROOT / ".venv" / "measured"
"""Where `make bench` puts what is measured beside us."""


class Took(NamedTuple):
    """Of one study, in seconds; peers do not verify anything."""

    sending: float
    verified: float | None = None
    megabytes: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A destination, and a source that holds the study and knows the destination."""

    destination: Orthanc
    source: Orthanc
    counterpart: str
    """Of the accelerator, in front of the destination."""


Run = Callable[[Study, Place], Took]


@dataclass(frozen=True, slots=True)
class Contender:
    label: str
    run: Run
    is_slow: bool = False
    """Whether it takes minutes, and is measured once."""


def _ours(key: str, address: Callable[[Place], dict[str, Any]]) -> Run:
    def run(study: Study, place: Place) -> Took:
        command = [sys.executable, "-m", "tests.bench.own_method", key, json.dumps(address(place)), str(study.folder)]
        return Took(*_numbers(command))

    return run


def _dicomweb_client(study: Study, place: Place) -> Took:
    command = [
        sys.executable,
        "-m",
        "tests.bench.store_instances",
        place.destination.dicom_web_url,
        str(study.folder),
    ]
    seconds, megabytes = _numbers(command, PYTHONPATH=str(MEASURED))
    return Took(seconds, megabytes=megabytes)


def _curl(study: Study, place: Place) -> Took:
    """One process, one connection, a request a file."""
    lines = []
    for path in study.paths:
        lines += [f'url = "{place.destination.url}/instances"', f'data-binary = "@{path}"', 'output = "/dev/null"']
        lines.append("next")
    configuration = study.folder.with_suffix(".curl")
    configuration.write_text("\n".join(lines[:-1]) + "\n")
    command = [program("curl", package="curl"), "--silent", "--fail", "--config", str(configuration)]
    began_at = time.perf_counter()
    subprocess.run(command, check=True)
    return Took(time.perf_counter() - began_at)


def _job(path: str, **more: Any) -> Run:
    """By the source itself, which answers once its job has ended."""

    def run(study: Study, place: Place) -> Took:
        (found,) = place.source.rest(
            "/tools/find", body={"Level": "Study", "Query": {"StudyInstanceUID": study.entries[0].study_instance_uid}}
        )
        body = {"Resources": [found], "Synchronous": False, **more}
        began_at = time.perf_counter()
        job = place.source.rest(path, body=body)["ID"]
        while (state := place.source.rest(f"/jobs/{job}")["State"]) in {"Pending", "Running"}:
            time.sleep(0.02)
        took = time.perf_counter() - began_at
        assert state == "Success", state
        return Took(took)

    return run


STOW = Contender("stow-rs", _ours("stow-rs", lambda place: {"url": place.destination.dicom_web_url}))
REST = Contender("orthanc-rest", _ours("orthanc-rest", lambda place: {"url": place.destination.url}))
C_STORE = Contender(
    "c-store",
    _ours(
        "c-store",
        lambda place: {
            "host": place.destination.host,
            "port": place.destination.port,
            "ae_title": place.destination.ae_title,
        },
    ),
)
ACCELERATOR = Contender("accelerator", _ours("accelerator", lambda place: {"url": place.counterpart}))
REST_BEFORE_IT = Contender("orthanc-rest, likewise", _ours("orthanc-rest", lambda place: {"url": place.counterpart}))
"""Through the same counterpart, which passes on what it does not answer: it costs both of them its time, and that of
the requests by which it stores; the plug-in would store within the destination."""
STORE_INSTANCES = Contender("dicomweb-client", _dicomweb_client)
STOW_JOB = Contender("a source's STOW job", _job("/dicom-web/servers/destination/stow"))
CURL = Contender("a loop of curl", _curl)
PEER_STORE = Contender("a source's /peers/store", _job("/peers/destination/store"))
MODALITY_STORE = Contender("a source's /modalities/store", _job("/modalities/destination/store"), is_slow=True)

BESIDE: list[tuple[Contender, list[Contender]]] = [
    (STOW, [STORE_INSTANCES, STOW_JOB]),
    (REST, [CURL, PEER_STORE]),
    (C_STORE, [MODALITY_STORE]),
    (ACCELERATOR, [REST_BEFORE_IT, REST]),
]


def main() -> None:
    print("Instances per second to a stock Orthanc, medians of 3; ours verified included, then sending alone.")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        studies = [create_study(folder / label.replace(" ", ""), label, count, size) for label, count, size in STUDIES]
        destination = stack.enter_context(Orthanc(folder / "destination", ae_title="DESTINATION", dicom_web=True))
        source = stack.enter_context(Orthanc(folder / "source", ae_title="SOURCE", dicom_web=True))
        source.add_modality("destination", destination.as_modality)
        source.add_peer("destination", destination.url)
        source.add_server("destination", destination.dicom_web_url)
        place = Place(destination, source, stack.enter_context(accelerator_before(destination)))
        for study in studies:
            _fill(source, study)
            _print(study, _measure(study, place))


def _measure(study: Study, place: Place) -> dict[str, Took]:
    """Round by round, so that whatever else the machine does meets all programs alike."""
    contenders = {each.label: each for ours, others in BESIDE for each in (ours, *others)}
    took: defaultdict[str, list[Took]] = defaultdict(list)
    for _ in range(RUNS):
        for contender in contenders.values():
            if contender.is_slow and took[contender.label]:
                continue
            place.destination.delete_everything()
            took[contender.label].append(contender.run(study, place))
    return {
        label: sorted(each, key=lambda one: one.verified or one.sending)[len(each) // 2] for label, each in took.items()
    }


def _print(study: Study, took: dict[str, Took]) -> None:
    count = len(study.entries)
    print(f"\n{count:,} of {study.label}")
    for ours, others in BESIDE:
        own = took[ours.label]
        assert own.verified is not None
        print(
            f"  {ours.label:<30}{count / own.verified:>7,.0f}/s  ({count / own.sending:,.0f}/s sending alone, "
            f"{own.megabytes:.0f} MB)"
        )
        for other in others:
            theirs = took[other.label]
            seconds = theirs.verified or theirs.sending
            memory = f", {theirs.megabytes:.0f} MB" if theirs.megabytes else ""
            ratio = f"ours {seconds / own.verified:.2f} times as fast"
            print(f"    {other.label:<28}{count / seconds:>7,.0f}/s  ({ratio}{memory})")
    sys.stdout.flush()


def _fill(source: Orthanc, study: Study) -> None:
    request = [program("curl", package="curl"), "--silent", "--fail", "--output", "/dev/null"]
    for path in study.paths:
        subprocess.run([*request, "--data-binary", f"@{path}", f"{source.url}/instances"], check=True)


def _numbers(command: list[str], **environment: str) -> list[float]:
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    return [float(number) for number in finished.stdout.split()]


if __name__ == "__main__":
    main()
