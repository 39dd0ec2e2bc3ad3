"""Who may open a websocket, from where, and until when."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from knox.models import AuthToken

from tests.integration.transfers.live.conftest import HOST, ORIGIN, Open, Socket, browser_headers, in_thread
from transfers import consumers

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/ws/transfers/"


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a login still holds."""
    monkeypatch.setattr(consumers, "LOGIN_SECONDS", 0.1)


async def test_a_browser_that_is_logged_in_may_look(open_socket: Open, browser: Client) -> None:
    socket = await open_socket(LIST, browser_headers(browser))

    assert (await socket.event())["type"] == "transfers.snapshot"


async def test_a_program_with_a_token_may_look(open_socket: Open, token: str) -> None:
    socket = await open_socket(LIST, {"Authorization": f"token {token}", "host": HOST})

    assert (await socket.event())["type"] == "transfers.snapshot"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": ORIGIN, "host": HOST},
        {"origin": ORIGIN, "host": HOST, "cookie": "sessionid=guessed"},
        {"origin": ORIGIN, "host": HOST, "cookie": 'sessionid="; ;=\x01'},
        {"authorization": "Token guessed"},
        {"authorization": "Token "},
        {"authorization": "Token \xff\xfe"},
        {"authorization": "Basic b3BlcmF0b3I6cGFzc3dvcmQ="},
    ],
    ids=["nothing", "no cookie", "cookie", "broken cookie", "token", "no token", "broken token", "password"],
)
@pytest.mark.parametrize("address", [LIST, "/ws/transfers/1b4e28ba-2fa1-11d2-883f-0016d3cca427/", "/ws/elsewhere/"])
async def test_nobody_else_is_told_anything(open_socket: Open, address: str, headers: dict[str, str]) -> None:
    socket = Socket(address, headers)

    assert await socket.connect()
    assert await socket.close_code() == 4401
    assert socket.heard == []
    await socket.leave()


async def test_a_token_that_does_not_hold_is_not_made_up_for_by_a_session(open_socket: Open, browser: Client) -> None:
    socket = await open_socket(LIST, browser_headers(browser, authorization="Token guessed"))

    assert await socket.close_code() == 4401


@pytest.mark.parametrize(
    "origin", ["http://elsewhere.example", "http://localhost:3000", "null", ""], ids=lambda origin: origin or "empty"
)
async def test_a_page_of_another_site_is_refused_whoever_looks_at_it(browser: Client, origin: str) -> None:
    socket = Socket(LIST, browser_headers(browser, origin=origin))

    assert not await socket.connect()


async def test_a_session_without_a_page_is_refused(browser: Client) -> None:
    headers = browser_headers(browser)
    del headers["origin"]

    assert not await Socket(LIST, headers).connect()


async def test_a_login_that_ends_closes_the_socket(open_socket: Open, browser: Client, looking_often: None) -> None:
    socket = await open_socket(LIST, browser_headers(browser))
    await socket.event()  # the snapshot: it is let in

    await in_thread(browser.logout)

    assert await socket.close_code() == 4401
    assert '"type":"ended"' in socket.heard[-1]


async def test_so_does_a_session_that_expires(open_socket: Open, browser: Client, looking_often: None) -> None:
    socket = await open_socket(LIST, browser_headers(browser))

    await in_thread(expire, browser)

    assert await socket.close_code() == 4401


def expire(browser: Client) -> None:
    session = browser.session
    session.set_expiry(-1)
    session.save()


@pytest.mark.usefixtures("looking_often")
@pytest.mark.parametrize("kind", ["session", "token"])
async def test_so_does_an_account_that_is_deactivated(
    open_socket: Open, browser: Client, token: str, user: User, kind: str
) -> None:
    headers = browser_headers(browser) if kind == "session" else {"authorization": f"Token {token}"}
    socket = await open_socket(LIST, headers)

    await in_thread(User.objects.filter(pk=user.pk).update, is_active=False)

    assert await socket.close_code() == 4401


async def test_so_does_another_password(open_socket: Open, browser: Client, user: User, looking_often: None) -> None:
    socket = await open_socket(LIST, browser_headers(browser))

    await in_thread(change_password, user)

    assert await socket.close_code() == 4401


def change_password(user: User) -> None:
    user.set_password("quite another password")
    user.save()


async def test_so_does_a_token_that_is_deleted(open_socket: Open, looking_often: None) -> None:
    socket = await open_socket(LIST)

    await in_thread(AuthToken.objects.all().delete)

    assert await socket.close_code() == 4401


async def test_a_login_that_holds_closes_nothing(open_socket: Open, browser: Client, looking_often: None) -> None:
    socket = await open_socket(LIST, browser_headers(browser))
    await socket.event()

    assert await socket.is_silent_for(0.5)


async def test_what_a_client_says_is_not_heard(open_socket: Open) -> None:
    socket = await open_socket(LIST)
    await socket.event()

    await socket.say('{"type": "cancel"}')

    assert await socket.is_silent_for(0.2)


async def test_who_says_too_much_is_sent_away(open_socket: Open) -> None:
    socket = await open_socket(LIST)

    await socket.say("x" * consumers.RECEIVED_MAXIMUM)

    assert await socket.close_code() == 1008
