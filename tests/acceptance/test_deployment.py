"""`manage.py check --deploy`, as a person runs it before going live."""

from __future__ import annotations

import subprocess

import pytest

from tests.acceptance.conftest import Shell


def check(shell: Shell, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    shell.environment.update(environment)
    return shell.run("check", "--deploy", "--fail-level", "WARNING")


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="this-machine-only"),
        pytest.param(
            {"ALLOWED_HOSTS": "tallyman.example", "CSRF_TRUSTED_ORIGINS": "https://tallyman.example"}, id="https"
        ),
    ],
)
def test_the_check_before_going_live_finds_nothing(shell: Shell, environment: dict[str, str]) -> None:
    checked = check(shell, environment)

    assert checked.returncode == 0, checked.stderr


def test_serving_a_network_over_plain_http_is_warned_of(shell: Shell) -> None:
    checked = check(shell, {"ALLOWED_HOSTS": "tallyman.example"})

    assert checked.returncode == 1
    assert "SESSION_COOKIE_SECURE" in checked.stderr
