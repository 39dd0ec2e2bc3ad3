"""Requests to one HTTP service: what is asked, what is understood, and what every fault becomes."""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread, Timer

import pytest
from urllib3.exceptions import SSLError

from tests.certificates import CertificateAuthority
from tests.fakes.fixtures import MakeWeb
from tests.fakes.web import Answer, Reply, Web
from tests.fakes.web_archives import always, at_first
from tests.peers.process import free_port
from transfers.endpoints import HttpEndpoint, Timeouts, TlsSettings
from transfers.errors import (
    AnswerCut,
    AnswerTooLarge,
    CredentialsRefused,
    MalformedAnswer,
    NotTheService,
    RedirectRefused,
    RequestError,
    RequestInterrupted,
    RequestRefused,
    RequestTimedOut,
    RequestTlsFailed,
    ResourceNotFound,
    ServiceAddressUnknown,
    ServiceBusy,
    ServiceFailed,
    ServiceUnreachable,
)
from transfers.wire.http import HttpSession, path_of
from transfers.wire.http_faults import fault_of_request

FINE = Reply(body=b'{"a": 1}')
PASSWORD = "s3cr\u00e9t:x"


def endpoint_of(service: Web, **changes: object) -> HttpEndpoint:
    endpoint = HttpEndpoint(service.url, timeouts=Timeouts(connect_seconds=2, dimse_seconds=0.4))
    return replace(endpoint, **changes)  # type: ignore[arg-type]


def asking(service: Web) -> object:
    with HttpSession(endpoint_of(service)) as session:
        return session.get_json("/a")


def test_an_answer_is_read(web: MakeWeb) -> None:
    service = web(always(FINE))

    assert asking(service) == {"a": 1}
    assert service.asked[0].path == "/a"


def test_the_prefix_of_the_url_is_kept(web: MakeWeb) -> None:
    service = web(always(FINE))
    with HttpSession(endpoint_of(service, url=service.url + "/proxy/dicom-web")) as session:
        session.get_json("/studies", parameters={"limit": 1})

    assert (service.asked[0].path, service.asked[0].query) == ("/proxy/dicom-web/studies", {"limit": "1"})


def test_credentials_are_sent_with_every_request(web: MakeWeb) -> None:
    service = web(always(FINE))
    with HttpSession(endpoint_of(service, username="carol", password=PASSWORD)) as session:
        session.get_json("/a")

    expected = b64encode(f"carol:{PASSWORD}".encode()).decode()
    assert service.asked[0].headers["Authorization"] == f"Basic {expected}"


def test_the_environment_is_not_asked(web: MakeWeb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login carol password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    service = web(always(FINE))

    assert asking(service) == {"a": 1}
    assert "Authorization" not in service.asked[0].headers


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(400), RequestRefused),
        (Reply(401), CredentialsRefused),
        (Reply(403), CredentialsRefused),
        (Reply(404), ResourceNotFound),
        (Reply(405), RequestRefused),
        (Reply(429), ServiceBusy),
        (Reply(500), ServiceFailed),
        (Reply(502), ServiceFailed),
        (Reply(503), ServiceBusy),
        (Reply(504), RequestTimedOut),
        (Reply(599), ServiceFailed),
        (Reply(300), RedirectRefused),
        (Reply(206, body=b"[]"), MalformedAnswer),
        (Reply(body=b"<html>Log in</html>", content_type="text/html; charset=utf-8"), NotTheService),
        (Reply(body=b"<a/>", content_type="application/dicom+xml"), NotTheService),
        (Reply(body=b'[{"a":'), MalformedAnswer),
        (Reply(body=b""), MalformedAnswer),
        (Reply(body=b"[" * 100_000), MalformedAnswer),
        (Reply(body=b"9" * 10_000), MalformedAnswer),
        (Reply(body=b'{"a": 1}', cut_after=4), AnswerCut),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status}-{value.body[:6].decode()}",
)
def test_every_other_answer_is_an_error(web: MakeWeb, reply: Reply, error: type[RequestError]) -> None:
    service = web(always(reply))

    with pytest.raises(error) as caught:
        asking(service)

    assert type(caught.value) is error
    assert caught.value.status_code == (reply.status if reply.status >= 300 else None)


@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("999999", 3600.0), ("soon", None), ("", None)])
def test_a_service_that_is_busy_says_for_how_long(web: MakeWeb, value: str, seconds: float | None) -> None:
    service = web(always(Reply(503, headers={"Retry-After": value} if value else {})))

    with pytest.raises(ServiceBusy) as caught:
        asking(service)

    assert caught.value.retry_after_seconds == seconds


def test_a_date_that_is_over_means_no_more_waiting(web: MakeWeb) -> None:
    service = web(always(Reply(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})))

    with pytest.raises(ServiceBusy) as caught:
        asking(service)

    assert caught.value.retry_after_seconds == 0.0


def test_a_service_that_is_not_there_is_unreachable() -> None:
    endpoint = HttpEndpoint(f"http://127.0.0.1:{free_port()}")

    with HttpSession(endpoint) as session, pytest.raises(ServiceUnreachable, match="No connection to"):
        session.get_json("/a")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "archive", "http://", "http://a..b"])
def test_a_url_that_cannot_be_used_is_an_unknown_address(url: str) -> None:
    with HttpSession(HttpEndpoint(url)) as session, pytest.raises(ServiceAddressUnknown):
        session.get_json("/a")


def test_silence_ends_with_the_time_out(web: MakeWeb) -> None:
    service = web(always(Reply(body=b"[1]", seconds_a_byte=30)))

    with pytest.raises(RequestTimedOut):
        asking(service)


@pytest.mark.parametrize("of_its_head", [True, False], ids=["head", "body"])
def test_a_service_that_trickles_is_ended_as_a_whole(web: MakeWeb, of_its_head: bool) -> None:
    slow = Reply(body=b"[" + b" " * 1000 + b"]", seconds_a_byte=0.1, trickles_its_head=of_its_head)
    service = web(always(slow))
    began_at = time.monotonic()

    with HttpSession(endpoint_of(service)) as session, pytest.raises(RequestTimedOut):
        session.get_json("/a")

    assert time.monotonic() - began_at < 30


@pytest.mark.parametrize("reply", [Reply(body=b"[1]", seconds_a_byte=30), Reply(body=b" " * 9999, seconds_a_byte=0.05)])
def test_a_stop_ends_a_request_that_waits(web: MakeWeb, reply: Reply) -> None:
    service = web(always(reply))
    stop = Event()
    endpoint = endpoint_of(service, timeouts=Timeouts(dimse_seconds=60))
    timer = Timer(0.2, stop.set)
    timer.start()

    with HttpSession(endpoint, stop) as session, pytest.raises(RequestInterrupted):
        session.get_json("/a")

    timer.join()


def test_nothing_is_asked_after_a_stop(web: MakeWeb) -> None:
    service = web(always(FINE))
    stop = Event()
    stop.set()

    with HttpSession(endpoint_of(service), stop) as session, pytest.raises(RequestInterrupted):
        session.get_json("/a")

    assert service.asked == []


def test_an_answer_that_is_too_large_is_not_read(web: MakeWeb) -> None:
    service = web(always(Reply(body=b" " * 100_000)))

    with (
        HttpSession(endpoint_of(service)) as session,
        session.open("GET", "/") as answer,
        pytest.raises(AnswerTooLarge),
    ):
        answer.read(10_000)


def test_no_content_is_no_error(web: MakeWeb) -> None:
    assert asking(web(always(Reply(204)))) is None


def redirecting(location: str) -> Answer:
    return lambda asked: FINE if asked.path == "/b" else Reply(302, headers={"Location": location})


@pytest.mark.parametrize("location", ["/b", "b", "?x=1"])
def test_a_redirect_on_the_same_origin_is_followed(web: MakeWeb, location: str) -> None:
    service = web(
        lambda asked: FINE if asked.path == "/b" or asked.query else Reply(307, headers={"Location": location})
    )

    assert asking(service) == {"a": 1}


def test_a_redirect_to_elsewhere_is_not_followed(web: MakeWeb) -> None:
    elsewhere = web(always(FINE))
    service = web(redirecting(elsewhere.url + "/b"))

    with (
        HttpSession(endpoint_of(service, username="carol", password="secret")) as session,
        pytest.raises(RedirectRefused),
    ):
        session.get_json("/a")

    assert elsewhere.asked == []


def test_a_redirect_in_a_circle_ends(web: MakeWeb) -> None:
    with pytest.raises(RequestRefused):
        asking(web(redirecting("/a")))


def test_what_changes_something_is_not_redirected(web: MakeWeb) -> None:
    service = web(redirecting("/b"))

    with HttpSession(endpoint_of(service)) as session, pytest.raises(RedirectRefused):
        session.post_json("/a", {})

    assert len(service.asked) == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_no_error(web: MakeWeb) -> None:
    service = web(at_first([FINE, Reply(is_dropped=True)], always(FINE)))

    with HttpSession(endpoint_of(service)) as session:
        assert [session.get_json("/a"), session.get_json("/b")] == [{"a": 1}] * 2

    assert service.paths() == ["/a", "/b", "/b"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_changes_something_is_not_sent_twice(web: MakeWeb, method: str) -> None:
    service = web(at_first([FINE, Reply(is_dropped=True)], always(FINE)))

    with HttpSession(endpoint_of(service)) as session:
        session.get_json("/a")
        with pytest.raises(AnswerCut), session.open(method, "/b"):
            pass

    assert service.paths() == ["/a", "/b"]


def test_what_may_be_repeated_is(web: MakeWeb) -> None:
    service = web(at_first([FINE, Reply(is_dropped=True)], always(FINE)))

    with HttpSession(endpoint_of(service)) as session:
        session.get_json("/a")
        assert session.post_json("/find", {}, is_repeatable=True) == {"a": 1}

    assert service.paths() == ["/a", "/find", "/find"]


def test_a_kept_connection_is_not_ended_for_an_answer_that_was_read_before(web: MakeWeb) -> None:
    service = web(always(FINE))
    slow = Reply(body=b" " * 20 + b"2", seconds_a_byte=0.05)

    with HttpSession(endpoint_of(service, connections=1)) as session, session.open("GET", "/a", seconds=0.3) as answer:
        answer.read()
        service.answer = always(slow)
        assert session.get_json("/b") == 2


def test_a_new_connection_that_is_closed_without_an_answer_is_a_fault(web: MakeWeb) -> None:
    service = web(always(Reply(is_dropped=True)))

    with pytest.raises(AnswerCut):
        asking(service)

    assert len(service.asked) == 1


@pytest.mark.parametrize("fault", [Reply(401), Reply(500), Reply(body=b"<a>", content_type="text/html")])
def test_no_message_names_the_url_or_the_password(web: MakeWeb, fault: Reply) -> None:
    service = web(always(fault))
    url = service.url.replace("http://", "http://carol:s3cret@")

    with HttpSession(endpoint_of(service, url=url)) as session, pytest.raises(RequestError) as caught:
        session.get_json("/studies/1.2.3")

    assert "s3cret" not in str(caught.value)
    assert "1.2.3" not in str(caught.value)


@pytest.mark.parametrize("uid", ["1.2/..", "..", ".", "a%2fb"])
def test_a_uid_that_leads_elsewhere_is_put_into_no_path(uid: str) -> None:
    with pytest.raises(RequestRefused):
        path_of("studies", uid)


def test_odd_characters_are_encoded_in_a_path() -> None:
    assert path_of("studies", "1.2#?&;+a") == "/studies/1.2%23%3F%26%3B%2Ba"


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def secured(service: Web, **settings: object) -> HttpEndpoint:
    return endpoint_of(service, tls=TlsSettings(**settings))  # type: ignore[arg-type]


def test_https_with_the_right_ca_is_trusted(web: MakeWeb, authority: CertificateAuthority) -> None:
    service = web(always(FINE), tls=authority.server_context(authority.issue("server")))

    with HttpSession(secured(service, ca_file=str(authority.certificate))) as session:
        assert session.get_json("/a") == {"a": 1}


def test_https_with_another_ca_is_not(web: MakeWeb, authority: CertificateAuthority) -> None:
    service = web(always(FINE), tls=authority.server_context(authority.issue("server")))

    with HttpSession(endpoint_of(service)) as session, pytest.raises(RequestTlsFailed):
        session.get_json("/a")

    assert service.asked == []


@pytest.mark.parametrize("checks", [True, False])
def test_the_host_name_is_checked_unless_told_otherwise(
    web: MakeWeb, authority: CertificateAuthority, checks: bool
) -> None:
    service = web(always(FINE), tls=authority.server_context(authority.issue("server", address="10.0.0.1")))
    endpoint = secured(service, ca_file=str(authority.certificate), check_hostname=checks)

    with HttpSession(endpoint) as session:
        if checks:
            with pytest.raises(RequestTlsFailed):
                session.get_json("/a")
        else:
            assert session.get_json("/a") == {"a": 1}


def test_a_client_certificate_is_shown(web: MakeWeb, authority: CertificateAuthority) -> None:
    ours = authority.issue("client")
    context = authority.server_context(authority.issue("server"), asks_for_certificate=True)
    service = web(always(FINE), tls=context)
    endpoint = secured(
        service, ca_file=str(authority.certificate), certificate_file=str(ours.certificate), key_file=str(ours.key)
    )

    with HttpSession(endpoint) as session:
        assert session.get_json("/a") == {"a": 1}


def test_a_ca_file_that_is_none_is_named(web: MakeWeb, tmp_path: Path) -> None:
    with pytest.raises(RequestTlsFailed, match=r"nothing\.pem"):
        HttpSession(HttpEndpoint("https://127.0.0.1", tls=TlsSettings(ca_file=str(tmp_path / "nothing.pem"))))


def test_what_speaks_no_tls_is_told(web: MakeWeb) -> None:
    service = web(at_first([], always(FINE)))
    endpoint = endpoint_of(service, url=service.url.replace("http:", "https:"))

    with HttpSession(endpoint) as session, pytest.raises(RequestTlsFailed):
        session.get_json("/a")


def test_a_secured_connection_that_breaks_in_a_request_is_cut_and_not_one_that_was_never_made(
    authority: CertificateAuthority,
) -> None:
    context = authority.server_context(authority.issue("server"))

    def break_off() -> None:
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True) as peer:
            for _ in range(3):
                peer.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        breaking = Thread(target=break_off)
        breaking.start()
        endpoint = HttpEndpoint(
            f"https://127.0.0.1:{listening.getsockname()[1]}", tls=TlsSettings(ca_file=str(authority.certificate))
        )
        body = (b"x" * 65_536 for _ in range(200))
        with HttpSession(endpoint) as session, pytest.raises(AnswerCut), session.open("POST", "/a", body=body):
            pass
        breaking.join()


@pytest.mark.parametrize(
    ("reason", "is_connected", "expected"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True, RequestTlsFailed),
        ("TLSV1_ALERT_UNKNOWN_CA", True, RequestTlsFailed),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True, RequestTlsFailed),
        ("SSLV3_ALERT_BAD_RECORD_MAC", True, AnswerCut),
        ("TLSV1_ALERT_INTERNAL_ERROR", True, AnswerCut),
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", True, AnswerCut),
        ("CERTIFICATE_VERIFY_FAILED", False, RequestTlsFailed),
        ("TLSV1_ALERT_INTERNAL_ERROR", False, RequestTlsFailed),
    ],
)
def test_only_what_ends_a_handshake_is_a_failure_of_tls(
    reason: str, is_connected: bool, expected: type[RequestError]
) -> None:
    error = ssl.SSLError(1, "as OpenSSL has it")
    error.reason = reason

    fault = fault_of_request(SSLError(error), HttpEndpoint("https://archive.example"), is_connected=is_connected)

    assert type(fault) is expected
