"""Instances that come back as Part 10 files over HTTP: into a spool, and the data set found in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from threading import Event

from audit.content import NotComparable, locate_data_set
from transfers.errors import NoDataSet, TransferStopped
from transfers.probes.readers.base import Copy
from transfers.spools import Spool

_CHUNK_BYTES = 1 << 20


def receive(chunks: Iterable[bytes], spool: Spool, stop: Event) -> Copy:
    """Take a file to its end. The copy lasts as long as the spool.

    Raises NoDataSet where it is no instance, InstanceTooLarge, SpoolFailed, TransferStopped, and what the chunks do.
    """
    for chunk in chunks:
        spool.write(chunk)
    try:
        data_set = locate_data_set(spool.stream())
    except NotComparable as error:
        raise NoDataSet(f"{NoDataSet()} ({error})") from error
    sha256 = hashlib.sha256()
    data_set.stream.seek(data_set.start)
    while chunk := data_set.stream.read(_CHUNK_BYTES):
        if stop.is_set():
            raise TransferStopped
        sha256.update(chunk)
    return Copy(data_set, sha256.hexdigest())
