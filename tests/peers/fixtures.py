"""Fixtures for the real peers. They live as long as the session (with xdist, each worker has its own), so what a test
sends has UIDs of its own, and it asks only about those."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.dcmqrscp import Dcmqrscp
from tests.peers.orthanc import DROP_ONE_IN_FIVE, DROP_ONE_IN_FIVE_OF_FILTERED, Orthanc
from tests.peers.postgresql import Postgresql
from tests.peers.redis import Redis
from tests.peers.storescp import Storescp


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A stock Orthanc that takes everything."""
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as peer:
        yield peer


@pytest.fixture(scope="session")
def filtering_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that answers success and drops each instance whose InstanceNumber is a multiple of five."""
    with Orthanc(tmp_path_factory.mktemp("filtering-orthanc"), ae_title="FILTERING", lua=DROP_ONE_IN_FIVE) as peer:
        yield peer


@pytest.fixture(scope="session")
def web_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc with DICOMweb, which drops one in five instances of the patient FILTERED, answering success."""
    folder = tmp_path_factory.mktemp("web-orthanc")
    with Orthanc(folder, ae_title="WEB", dicom_web=True, lua=DROP_ONE_IN_FIVE_OF_FILTERED) as peer:
        yield peer


@pytest.fixture(scope="session")
def source_orthanc(tmp_path_factory: pytest.TempPathFactory, web_orthanc: Orthanc) -> Iterator[Orthanc]:
    """An Orthanc that studies are sent from; it knows `web_orthanc` as WEB by every way, and is known there."""
    with Orthanc(tmp_path_factory.mktemp("source-orthanc"), ae_title="SOURCE", dicom_web=True) as peer:
        peer.add_modality("WEB", web_orthanc.as_modality)
        peer.add_peer("WEB", f"{web_orthanc.url}/")
        peer.add_server("WEB", f"{web_orthanc.dicom_web_url}/")
        web_orthanc.add_modality("SOURCE", peer.as_modality)
        yield peer


@pytest.fixture(scope="session")
def storescp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storescp]:
    """A stock storescp that stores what it gets."""
    with Storescp(tmp_path_factory.mktemp("storescp") / "stored") as peer:
        yield peer


@pytest.fixture(scope="session")
def dcmqrscp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dcmqrscp]:
    """A stock dcmqrscp, which gives back what it was sent."""
    with Dcmqrscp(tmp_path_factory.mktemp("dcmqrscp")) as peer:
        yield peer


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The DATABASE_URL of a PostgreSQL cluster of our own."""
    with Postgresql() as peer:
        yield peer.url


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis server of the test's own, to be ended and started as it likes."""
    with Redis(tmp_path_factory.mktemp("redis")) as peer:
        yield peer


@pytest.fixture
def redis_url(redis: Redis) -> str:
    """The REDIS_URL of a server of the test's own."""
    return redis.url
