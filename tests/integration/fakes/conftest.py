"""pynetdicom's SCU, to try the scripted archive with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from tests.fakes.archive import Archive
from tests.fakes.finding import STUDY_ROOT_FIND

VERIFICATION = "1.2.840.10008.1.1"

Associate = Callable[[Archive], Association]


@pytest.fixture
def associate() -> Iterator[Associate]:
    """Ask an archive for an association by pynetdicom; it is aborted at the end where it still stands."""
    opened: list[Association] = []

    def ask(archive: Archive) -> Association:
        entity = AE(ae_title="PYNETDICOM")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 5
        for sop_class_uid in (VERIFICATION, CTImageStorage, STUDY_ROOT_FIND):
            entity.add_requested_context(sop_class_uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        opened.append(entity.associate(archive.host, archive.port, ae_title=archive.ae_title))
        return opened[-1]

    yield ask
    for association in opened:
        if association.is_established:
            association.abort()
