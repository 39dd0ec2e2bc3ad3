"""How Tallyman logs: plain lines on a terminal, one JSON object a line elsewhere.

A record's message is constant; its data is in `extra`, with a stable `action`. Logs explain, evidence proves: no
patient data is logged, and UIDs at debug level only.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
LEFT_OUT = frozenset({"request"})
"""What Django passes along that shows a whole URL: what somebody searched for is nobody else's to read."""

QUOTES_DATA_SETS = ("pydicom", "pynetdicom")
"""Libraries whose messages may quote the values of a data set, and so name a patient."""
NOT_LOGGED = (*QUOTES_DATA_SETS, "urllib3")
"""Libraries whose own lines are not logged; urllib3 quotes addresses with UIDs in them, and what peers answer."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then what was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD_ATTRIBUTES | LEFT_OUT}
        if record.exc_info and record.exc_info[1] is not None:
            line["exceptions"] = [describe(exception) for exception in chain(record.exc_info[1])]
        return json.dumps(line, default=str, ensure_ascii=False)


class ConsoleFormatter(logging.Formatter):
    """A line for people: what happened, and of an exception its name and where, never a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        lines = [f"{record.levelname}: {record.getMessage()}"]
        if record.exc_info and record.exc_info[1] is not None:
            for exception in map(describe, chain(record.exc_info[1])):
                frames = exception.get("frames") or ["?"]
                lines.append(f"  {exception['type']}: {exception.get('message', '')} ({frames[-1]})")
        return "\n".join(lines)


def chain(exception: BaseException) -> Iterator[BaseException]:
    """The exception, then what caused it, and so on down."""
    seen: set[int] = set()
    current: BaseException | None = exception
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def describe(exception: BaseException) -> dict[str, Any]:
    """Type, message and frames; no message where it came through a library that quotes data sets."""
    frames = list(traceback.walk_tb(exception.__traceback__))
    quotes = any(frame.f_globals.get("__name__", "").startswith(QUOTES_DATA_SETS) for frame, _ in frames)
    return {
        "type": type(exception).__qualname__,
        "message": "(left out: it may quote a data set)" if quotes else _message(exception),
        "frames": [f"{frame.f_globals.get('__name__')}:{line} {frame.f_code.co_name}" for frame, line in frames],
    }


def _message(exception: BaseException) -> str:
    """Without the path of a file: folders are often called after patients."""
    if isinstance(exception, OSError) and exception.filename is not None:
        return f"[Errno {exception.errno}] {exception.strerror}"
    return str(exception)


def configuration(*, on_terminal: bool) -> Mapping[str, Any]:
    """The LOGGING setting."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {"()": ConsoleFormatter},
            "json": {"()": JsonFormatter},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "console" if on_terminal else "json"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            # What they have to say reaches us as exceptions and status codes.
            **{name: {"handlers": ["nowhere"], "propagate": False} for name in NOT_LOGGED},
        },
    }
