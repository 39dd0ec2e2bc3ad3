"""What a scripted archive can do when something arrives, instead of the right thing, at any point of an association.

Each act is a value; a script says when it is done. `stores` says whether an instance that has arrived is kept, whatever
is said about it afterwards. `early` does the act as soon as the command set is there, before its data set is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

GARBAGE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
"""What a web server answers: its first byte is no PDU type."""
HUGE_PDU = struct.pack(">BxL", 0x04, 0xFFFFFFFF) + b"\0" * 64
"""A P-DATA-TF that says it is 4 GB long."""
TRUNCATED_PDU = struct.pack(">BxL", 0x04, 100) + struct.pack(">LBB", 96, 1, 3) + b"\0" * 20
"""A P-DATA-TF of which most is missing; send it with `closes=True`."""
UNKNOWN_PDU = struct.pack(">BxL", 0x09, 4) + b"\0" * 4
"""A PDU of a type that PS3.8 9.3.1 does not know."""
EMPTY_PDU = struct.pack(">BxL", 0x04, 0)
"""A P-DATA-TF without any presentation data value."""
OVERLONG_ITEM = struct.pack(">BxLLBB", 0x04, 10, 0x7FFFFFFF, 1, 3) + b"\0" * 4
"""A presentation data value that says it is longer than its PDU."""
NO_COMMAND_SET = struct.pack(">BxLLBB", 0x04, 26, 22, 1, 3) + b"\xa5" * 20
"""A well-formed P-DATA-TF whose command set is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the request; with what is given here in place of what is right."""

    status_code: int | None = 0x0000
    """None leaves the Status element out."""
    error_comment: str | None = None
    stores: bool | None = None
    """None: where the status code is a success or a warning."""
    early: bool = False
    delay_seconds: float = 0.0
    message_id: int | None = None
    sop_instance_uid: str | None = None
    sop_class_uid: str | None = None
    command_field: int | None = None
    context_id: int | None = None
    fragment_length: int | None = None
    """Cut the command set into presentation data values of this length, each in a PDU of its own."""
    dribbles: bool = False
    """Write the bytes of the answer one by one."""

    @property
    def keeps_the_instance(self) -> bool:
        if self.stores is not None:
            return self.stores
        return self.status_code is not None and (self.status_code in {0x0000, 0x0001} or self.status_code >> 12 == 0xB)


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8), by default by the service user."""

    source: int = 0
    reason: int = 0
    stores: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket without a word; `resets` makes it a TCP reset."""

    resets: bool = False
    stores: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Close the archive's half of the connection only, and go on reading."""

    stores: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """Never answer. With `early` the archive stops reading too, so that the sender's buffers fill up."""

    stores: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """Write these bytes instead of an answer, then be silent, or close."""

    data: bytes = GARBAGE
    closes: bool = False
    stores: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4); only where an association is asked for."""

    result: int = 1
    source: int = 1
    reason: int = 1
    stores: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Die:
    """The archive's process dies: every connection breaks and the port is free; what was stored stays.

    Comes back on the same port after the time given; None leaves that to `Archive.come_back`.
    """

    returns_after_seconds: float | None = None
    stores: bool = False
    early: bool = False


Act = Answer | Abort | Close | HalfClose | Silence | Raw | Reject | Die
