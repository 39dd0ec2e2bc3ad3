"""The real peers start, do what the tests rely on, and end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from pydicom import dcmread

from tests.certificates import CertificateAuthority
from tests.datasets import data_set_bytes, write_study
from tests.peers import programs
from tests.peers.orthanc import Orthanc
from tests.peers.process import PeerFailed, Process, is_listening
from tests.peers.programs import program
from tests.peers.storescp import NO_DELAY, Storescp


def send(peer: Orthanc | Storescp, paths: Sequence[Path]) -> None:
    storescu = program("storescu", package="dcmtk")
    subprocess.run([storescu, peer.host, str(peer.port), *paths], check=True, timeout=30, env=NO_DELAY)


def uids(paths: Sequence[Path]) -> set[str]:
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths}


def test_orthanc_stores_and_lists(orthanc: Orthanc, tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=5)

    send(orthanc, paths)

    assert uids(paths) <= orthanc.instances()


def test_orthanc_is_found_by_any_ae(orthanc: Orthanc, tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=2)
    study = dcmread(paths[0]).StudyInstanceUID
    send(orthanc, paths)
    findscu = program("findscu", package="dcmtk")
    keys = ["-k", "QueryRetrieveLevel=IMAGE", "-k", f"StudyInstanceUID={study}", "-k", "SOPInstanceUID"]

    found = subprocess.run(
        [findscu, "-v", "-S", "-aet", "NOBODY", *keys, orthanc.host, str(orthanc.port)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert all(uid in found.stdout + found.stderr for uid in uids(paths))


def test_a_filtering_orthanc_answers_success_and_drops_one_in_five(filtering_orthanc: Orthanc, tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=10)

    send(filtering_orthanc, paths)

    dropped = [paths[4], paths[9]]
    assert filtering_orthanc.instances() & uids(paths) == uids(paths) - uids(dropped)


def test_an_orthanc_that_was_killed_comes_back_with_what_it_stored(tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=1)
    with Orthanc(tmp_path / "orthanc") as peer:
        send(peer, paths)
        peer.kill()
        assert not is_listening(peer.port)

        peer.start()

        assert peer.instances() == uids(paths)
    assert not is_listening(peer.port)


def test_storescp_writes_what_it_gets_bit_by_bit(storescp: Storescp, tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=2)

    send(storescp, paths)

    stored = {path.name.partition(".")[2]: path for path in storescp.files()}
    for path in paths:
        assert data_set_bytes(stored[str(dcmread(path).SOPInstanceUID)]) == data_set_bytes(path)


def test_storescp_can_ignore_what_it_gets(tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=2)

    with Storescp(tmp_path / "stored", ignore=True, environment=NO_DELAY) as peer:
        send(peer, paths)

        assert peer.files() == []
    assert not is_listening(peer.port)


def test_storescp_speaks_tls_with_those_who_have_a_certificate(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    echoscu = [program("echoscu", package="dcmtk"), "+cf", str(authority.certificate)]

    with Storescp(tmp_path / "stored", tls=server, ca=authority.certificate) as peer:
        address = [peer.host, str(peer.port)]
        known = subprocess.run([*echoscu, "+tls", client.key, client.certificate, *address], check=False, timeout=20)
        unknown = subprocess.run([*echoscu, "+tla", *address], check=False, timeout=20)

    assert known.returncode == 0
    assert unknown.returncode != 0


def test_postgresql_takes_connections(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()

    assert version is not None
    assert int(version[0]) >= 130000


def test_a_peer_that_ends_at_once_is_reported_with_what_it_wrote(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "echo no licence; exit 3"], log=tmp_path / "log")

    with pytest.raises(PeerFailed, match=r"ended with 3 before it was ready; it wrote last:\s+no licence"):
        process.wait_until_ready(lambda: False)


def test_a_missing_peer_skips_and_where_peers_are_required_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(programs.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install nothing-like-it"):
        program("no-such-program", package="nothing-like-it")

    monkeypatch.setenv(programs.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install nothing-like-it"):
        program("no-such-program", package="nothing-like-it")
