"""Options of `destination add` and `source add` for what both have: how an archive is reached over HTTP and TLS."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import OutputWrapper

from transfers.header_fields import checked_headers
from transfers.management.base import wrong_usage
from transfers.passwords import encrypt_password
from transfers.peer import Peer


class Check(Protocol):
    """What came of asking one over the network."""

    @property
    def is_ok(self) -> bool: ...

    def describe(self) -> Iterator[str]:
        """In plain words, line by line."""
        ...


_FILE_OPTIONS = {"tls_ca": "tls_ca_file", "tls_certificate": "tls_certificate_file", "tls_key": "tls_key_file"}
_SECRETS = {
    "password_env": "password_encrypted",
    "bearer_token_env": "bearer_token_encrypted",
    "oauth2_client_secret_env": "oauth2_client_secret_encrypted",
}
"""Option → field, encrypted."""
_PLAIN = ("url", "username", "oauth2_token_url", "oauth2_client_id", "oauth2_scope")
_SECONDS = ("connect_timeout_seconds", "dimse_timeout_seconds", "network_timeout_seconds")


def add_actions(parser: ArgumentParser, word: str, check: str) -> ArgumentParser:
    """`add`, whose parser is returned, and what else can be done to one; `check`: what its check tells."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="add|list|show|remove|check")
    add: ArgumentParser = actions.add_parser("add", help=f"add a {word}")
    add.add_argument("name", metavar="NAME")
    actions.add_parser("list", help=f"list the {word}s")
    for action, meaning in (
        ("show", "show everything that is set for one"),
        ("remove", "remove one that no transfer has used"),
        ("check", f"{check} exit 0 or 1"),
    ):
        actions.add_parser(action, help=meaning).add_argument("name", metavar="NAME")
    return add


def print_check(output: OutputWrapper, check: Check) -> None:
    """Ends the process with status 1 where it is not as it should be."""
    for line in check.describe():
        output.write(line)
    if not check.is_ok:
        output.flush()
        sys.exit(1)


def add_peer_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--url", default="", help="of a DICOMweb service, or of an Orthanc")
    parser.add_argument("--username", default="", help="over HTTP")
    parser.add_argument(
        "--password-env", metavar="VAR", default="", help="the password is read once from this variable, and encrypted"
    )
    parser.add_argument("--bearer-token-env", metavar="VAR", default="", help="in place of user name and password")
    parser.add_argument("--oauth2-token-url", metavar="URL", default="", help="where access tokens are asked for")
    parser.add_argument("--oauth2-client-id", metavar="ID", default="")
    parser.add_argument("--oauth2-client-secret-env", metavar="VAR", default="")
    parser.add_argument("--oauth2-scope", metavar="SCOPE", default="")
    parser.add_argument(
        "--header",
        action="append",
        metavar="NAME=VAR",
        default=[],
        help="of every request; its value is read from this variable; repeatable",
    )
    parser.add_argument("--tls", action="store_true", help="speak TLS (also by any option that begins with --tls-)")
    for option in _FILE_OPTIONS:
        parser.add_argument(f"--{option.replace('_', '-')}", metavar="FILE", default="")
    parser.add_argument("--tls-minimum-version", choices=["1.2", "1.3"])
    parser.add_argument("--tls-no-hostname-check", action="store_true")
    for option in _SECONDS:
        parser.add_argument(f"--{option.replace('_', '-')}", type=float)


def peer_fields(options: dict[str, Any]) -> dict[str, Any]:
    """The model's fields; what is not given keeps the model's default. Raises CommandError."""
    files = {field: str(Path(options[option]).absolute()) for option, field in _FILE_OPTIONS.items() if options[option]}
    version = {"tls_minimum_version": options["tls_minimum_version"]} if options["tls_minimum_version"] else {}
    return {
        "name": options["name"],
        "kind": options["kind"],
        **{name: options[name] for name in _PLAIN},
        **{field: encrypt_password(_read(options[option])) for option, field in _SECRETS.items()},
        "headers_encrypted": _headers(options["header"]),
        "tls_enabled": bool(options["tls"] or files or version or options["tls_no_hostname_check"]),
        "tls_check_hostname": not options["tls_no_hostname_check"],
        **files,
        **version,
        **{option: options[option] for option in _SECONDS if options[option] is not None},
    }


def clean(peer: Peer) -> None:
    """Raises CommandError, with every fault and the option it is about."""
    try:
        peer.full_clean()
    except ValidationError as error:
        raise wrong_usage(_in_words(error)) from error


def secrets_set(peer: Peer) -> list[str]:
    """Which there are, never what they are, line by line."""
    headers = ", ".join(peer.header_names)
    return [
        f"password: {_is_set(peer.password_encrypted)}",
        f"bearer_token: {_is_set(peer.bearer_token_encrypted)}",
        f"oauth2_client_secret: {_is_set(peer.oauth2_client_secret_encrypted)}",
        f"headers: {headers}",
    ]


def _is_set(encrypted: str) -> str:
    return "(set)" if encrypted else ""


def _headers(options: list[str]) -> str:
    """Encrypted, since such headers are mostly keys."""
    headers = {}
    for option in options:
        name, equals, variable = option.partition("=")
        if not (equals and variable):
            raise wrong_usage("Give a header as NAME=VAR, where VAR is the environment variable that has its value.")
        headers[name] = _read(variable)
    try:
        return encrypt_password(json.dumps(checked_headers(headers))) if headers else ""
    except ValueError as error:
        raise wrong_usage(str(error)) from error


def _read(variable: str) -> str:
    if not variable:
        return ""
    try:
        return os.environ[variable]  # noqa: TID251  whoever gives the command names it: it is no setting of ours
    except KeyError:
        message = f"There is no environment variable {variable}: set it to the secret, for this one command."
        raise wrong_usage(message) from None


def _in_words(error: ValidationError) -> str:
    return " ".join(
        " ".join(messages) if field == NON_FIELD_ERRORS else f"{field.replace('_', ' ')}: {' '.join(messages)}"
        for field, messages in error.message_dict.items()
    )
