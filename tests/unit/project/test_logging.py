"""Log lines: what machines read, and what must never be in them."""

from __future__ import annotations

import json
import logging
import sys
from io import BytesIO
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory
from pydicom import dcmread

from project.logging import ConsoleFormatter, JsonFormatter, configuration


def logged(message: str = "Association opened", *, exc_info: Any = None, **extra: Any) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"name": "transfers.runner", "levelname": "WARNING", "msg": message, "exc_info": exc_info, **extra}
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def caught(work: Any) -> Any:
    try:
        work()
    except Exception:  # noqa: BLE001 - any will do
        return sys.exc_info()
    raise AssertionError("nothing was raised")


def test_a_line_is_one_json_object_with_time_level_logger_and_message() -> None:
    line = logged()

    assert line.pop("at").endswith("+00:00")
    assert line == {"level": "warning", "logger": "transfers.runner", "message": "Association opened"}


def test_what_is_passed_as_extra_is_in_the_line() -> None:
    line = logged(action="open_association", transfer="3f0c", attempts=2)

    assert (line["action"], line["transfer"], line["attempts"]) == ("open_association", "3f0c", 2)


def test_what_somebody_searched_for_is_not_logged() -> None:
    request = RequestFactory().get("/transfers/", {"q": "Doe^Jane"})

    line = logged("Internal Server Error: %s", args=("/transfers/",), request=request)

    assert "Doe" not in json.dumps(line)
    assert line["message"] == "Internal Server Error: /transfers/"


def test_an_exception_is_told_with_its_cause_and_where_it_came_from() -> None:
    def fail() -> None:
        try:
            int("seven")
        except ValueError as error:
            raise OSError("the disk is full") from error

    outer, inner = logged(exc_info=caught(fail))["exceptions"]

    assert (outer["type"], outer["message"]) == ("OSError", "the disk is full")
    assert inner["type"] == "ValueError"
    assert outer["frames"][-1].startswith("tests.unit.project.test_logging:")
    assert outer["frames"][-1].endswith(" fail")


def test_a_message_of_pydicoms_is_left_out_because_it_may_quote_a_data_set() -> None:
    (exception,) = logged(exc_info=caught(lambda: dcmread(BytesIO(b"Doe^Jane"))))["exceptions"]

    assert exception["type"] == "InvalidDicomError"
    assert exception["message"] == "(left out: it may quote a data set)"


@pytest.mark.parametrize("formatter", [JsonFormatter(), ConsoleFormatter()])
def test_the_path_of_a_file_is_left_out_because_it_may_name_a_patient(
    formatter: logging.Formatter, tmp_path: Path
) -> None:
    error = caught((tmp_path / "Doe^Jane").read_bytes)

    line = formatter.format(logging.makeLogRecord({"levelname": "ERROR", "msg": "It failed", "exc_info": error}))

    assert "Doe^Jane" not in line
    assert "[Errno 2] No such file or directory" in line


@pytest.mark.parametrize("name", ["pydicom", "pynetdicom.acse", "urllib3.connection"])
def test_what_libraries_log_that_quote_anything_does_not_reach_the_log(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = BufferingHandler(capacity=10)
    monkeypatch.setattr(logging.getLogger(), "handlers", [arrived])

    logging.getLogger("transfers.runner").error("The worker stopped")
    logging.getLogger(name).error("Doe^Jane")

    assert [record.name for record in arrived.buffer] == ["transfers.runner"]


def test_a_terminal_gets_plain_lines_and_everything_else_json() -> None:
    formatters = [configuration(on_terminal=terminal)["handlers"]["stderr"]["formatter"] for terminal in (True, False)]

    assert formatters == ["console", "json"]


def test_a_terminal_is_shown_no_traceback() -> None:
    record = logging.makeLogRecord({"levelname": "ERROR", "msg": "It failed", "exc_info": caught(lambda: 1 / 0)})

    first, second = ConsoleFormatter().format(record).splitlines()

    assert first == "ERROR: It failed"
    assert "ZeroDivisionError: division by zero" in second
