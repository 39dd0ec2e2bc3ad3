"""The registry: a new transfer method is one new module here and one line below."""

from __future__ import annotations

from collections.abc import Mapping

from transfers.methods.base import Method
from transfers.methods.c_store import CStore

METHODS: Mapping[str, Method] = {
    CStore.key: CStore(),
}

DEFAULT_METHODS: Mapping[str, str] = {"dicom": CStore.key}
"""By the kind of destination."""
