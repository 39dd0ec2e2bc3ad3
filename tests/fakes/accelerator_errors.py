"""How Orthanc answers what it refuses: an HTTP status, and its own number for the reason."""

from __future__ import annotations

from typing import Any

from tests.fakes.gateway import Answered, Call

_MESSAGES = {
    -1: "Internal error",
    1: "Error encountered within the plugin engine",
    3: "Parameter out of range",
    5: "Badly formatted",
    9: "Error in the network protocol",
    15: "Bad file format",
    17: "Unknown resource",
    20: "Corrupted file (inconsistent MD5 hash)",
    37: "This job was canceled",
}


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, http_status: int, orthanc_status: int, details: str = "") -> None:
        super().__init__(details)
        self.http_status = http_status
        self.orthanc_status = orthanc_status
        self.details = details

    def answer_to(self, call: Call) -> Answered:
        document: dict[str, Any] = {
            "HttpStatus": self.http_status,
            "Message": message_of(self.orthanc_status),
            "Method": call.method,
            "OrthancError": message_of(self.orthanc_status),
            "OrthancStatus": self.orthanc_status,
            "Uri": call.path,
        }
        if self.details:
            document["Details"] = self.details
        return Answered.of(document, self.http_status)


def message_of(orthanc_status: int) -> str:
    return _MESSAGES.get(orthanc_status, "Error")


def unknown() -> Refused:
    return Refused(404, 17)


def out_of_range() -> Refused:
    return Refused(400, 3)


def badly_formed() -> Refused:
    return Refused(400, 15)
