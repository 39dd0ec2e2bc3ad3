"""A source Orthanc sends to another one by its REST API: POST /peers/{alias}/store."""

from __future__ import annotations

from transfers.aliases import Alias, AliasKind
from transfers.methods.orthanc_job import OrthancJobMethod, alias_path


class OrthancPeerStore(OrthancJobMethod):
    """It stops at the first instance that is not taken, and says neither which that was nor what is there by then."""

    key = "orthanc-peer-store"
    label = "Orthanc peer, by the source"
    kinds: tuple[str, ...] = ("orthanc",)

    alias_kind = AliasKind.PEER
    job_types = frozenset({"OrthancPeerStore"})

    def path(self, alias: Alias) -> str:
        return alias_path("peers", alias, "store")
