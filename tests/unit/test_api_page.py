"""docs/api.md against the code: every code of a problem, and no other."""

from __future__ import annotations

import re
from http import HTTPStatus

from rest_framework import exceptions

from project import bodies
from tests.acceptance.conftest import ROOT
from transfers.api import problems

ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \| .+ \|$", re.MULTILINE)
OF_THE_FRAMEWORK = (
    exceptions.NotAuthenticated,
    exceptions.AuthenticationFailed,
    exceptions.PermissionDenied,
    exceptions.NotFound,
    exceptions.MethodNotAllowed,
    exceptions.NotAcceptable,
    exceptions.UnsupportedMediaType,
    exceptions.ParseError,
    exceptions.ValidationError,
    exceptions.Throttled,
)


def test_every_code_of_a_problem_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    explained = {code: int(status_code) for code, status_code in ROW.findall(page)}

    ours = {error.code: answer.value for error, answer in problems.ANSWERS.items()}
    intents = dict.fromkeys(problems.INTENTS.values(), HTTPStatus.CONFLICT.value)
    framework = {str(error.default_code): error.status_code for error in OF_THE_FRAMEWORK}
    refused = {each.code: each.answer.value for each in (bodies.TOO_LARGE, bodies.STALLED, bodies.DISK_FULL)}
    others = {"bad_request": 400, "our_error": 500, "too_many_files": 400}
    assert explained == ours | intents | framework | refused | others
