"""The key that signs sessions, made once and kept in the data folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def load_or_create(path: Path) -> str:
    """Return the key in `path`; the first caller makes it, readable by its owner only.

    Several processes may start at once: whoever links its key first wins, and all return that one, whole.
    """
    if not path.exists():
        _link_new_key(path)
    return path.read_text(encoding="ascii").strip()


def _link_new_key(path: Path) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(get_random_secret_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
