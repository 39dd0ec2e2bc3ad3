"""The examples of docs/api.md, run as they stand against the product as shipped."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.browser.site import Site
from tests.acceptance.conftest import ROOT
from tests.datasets import write_study
from tests.fakes.fixtures import MakeArchive
from tests.peers.programs import program

PAGE = ROOT / "docs" / "api.md"
RUNNABLE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
A_MINUTE = 60


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    import_root = tmp_path / "import"
    import_root.mkdir()
    site = Site(tmp_path / "data", import_root)
    site.create_people()
    site.start()
    yield site
    site.stop()
    site.shell.end()


def zip_of(folder: Path) -> Path:
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    return packed


def test_the_examples_of_the_page_run_one_after_another(site: Site, archive: MakeArchive, tmp_path: Path) -> None:
    for name in ("curl", "jq"):
        program(name, package=name)
    peer = archive()
    site.shell.add_destination("archive", peer.port, peer.ae_title)
    folder, uploaded = site.import_root / "study", tmp_path / "uploaded"
    for each in (folder, uploaded):
        each.mkdir()
        write_study(each, 3)
    token = site.shell.run("create_api_token", "operator").stdout.strip()
    environment = site.shell.environment | {
        "TALLYMAN": site.address,
        "TOKEN": token,
        "DESTINATION": "archive",
        "FOLDER": str(folder),
        "FILE": str(zip_of(uploaded)),
    }
    examples = RUNNABLE.findall(PAGE.read_text(encoding="utf-8"))

    ran = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(examples)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=A_MINUTE,
        check=False,
    )

    assert len(examples) >= 6
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    for expected in ('"committed": 1', '"sendable": 3', "C-ECHO answered", "state_changed"):
        assert expected in ran.stdout
