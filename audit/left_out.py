"""Why a file is not read as an instance."""

from __future__ import annotations

from audit.entries import SkippedKind


class LeftOut(Exception):
    """A file, or a member of a ZIP file, that is no instance to send; the reason is for people."""

    def __init__(self, kind: SkippedKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def broken(reason: str) -> LeftOut:
    """Something of the input that cannot be read whole."""
    return LeftOut(SkippedKind.BROKEN, reason)


def cut(element: str, missing: int) -> LeftOut:
    """A file that lacks the last bytes of an element."""
    return broken(f"the file ends {in_bytes(missing)} before its element {element} does")


def in_bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
