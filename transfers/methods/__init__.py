"""The registry: a new transfer method is one new module here and one line below."""

from __future__ import annotations

from collections.abc import Mapping

from transfers.methods.accelerator import Accelerator
from transfers.methods.base import Method
from transfers.methods.c_store import CStore
from transfers.methods.c_store_commitment import CStoreCommitment
from transfers.methods.orthanc_modality_store import OrthancModalityStore
from transfers.methods.orthanc_peer_store import OrthancPeerStore
from transfers.methods.orthanc_rest import OrthancRest
from transfers.methods.orthanc_stow import OrthancStow
from transfers.methods.orthanc_transfers import OrthancTransfers
from transfers.methods.stow_rs import StowRs

METHODS: Mapping[str, Method] = {
    CStore.key: CStore(),
    CStoreCommitment.key: CStoreCommitment(),
    StowRs.key: StowRs(),
    OrthancRest.key: OrthancRest(),
    OrthancModalityStore.key: OrthancModalityStore(),
    OrthancPeerStore.key: OrthancPeerStore(),
    OrthancStow.key: OrthancStow(),
    OrthancTransfers.key: OrthancTransfers(),
    Accelerator.key: Accelerator(),
}


_DEFAULTS = {"dicom": "c-store", "dicomweb": "stow-rs", "orthanc": "orthanc-rest"}


def default_method(kind: str, *, offers_commitment: bool) -> str:
    """The key of the method by which a kind of destination is sent to where nobody chose."""
    return CStoreCommitment.key if offers_commitment else _DEFAULTS[kind]
