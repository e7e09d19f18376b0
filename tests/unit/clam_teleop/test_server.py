"""The server on a real port, asked by a real client; nothing of ROS."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("clam_teleop", reason="needs clam_teleop (make setup)")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")

import aiohttp

from clam_core.errors import ClamError
from clam_teleop.access import Access
from clam_teleop.mailbox import MOST, Closed, Mailbox, Opened, Received
from clam_teleop.server import MOST_BAD, REFUSED_MESSAGES, REFUSED_SEAT, VIEWERS, ServerSettings, TeleopServer

TOKEN = "a-token-for-tests"
GOOD = {
    "type": "input",
    "device": "keyboard",
    "sequence": 1,
    "stamp": 20.0,
    "squeeze": 0,
    "trigger": 0,
    "buttons": [],
    "twist": [0, 0, 0, 0, 0, 0],
}


class Rig:
    def __init__(self, **settings: Any) -> None:
        self.mailbox = Mailbox()
        access = Access(TOKEN, ["robot.local"])
        self.server = TeleopServer(ServerSettings("127.0.0.1", 0, access, **settings), self.mailbox)
        self.server.start()
        self.origin = f"http://127.0.0.1:{self.server.port}"

    def url(self, path: str = "", token: str = TOKEN) -> str:
        return f"{self.origin}/{token}/{path}"

    def run(self, work: Callable[[Any], Any]) -> Any:
        """Result of a coroutine function that gets a client."""

        async def inside() -> Any:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as client:
                return await work(client)

        return asyncio.run(inside())

    def get(self, path: str = "", token: str = TOKEN, **headers: str) -> tuple[int, bytes, Any]:
        async def work(client: Any) -> tuple[int, bytes, Any]:
            async with client.get(self.url(path, token), headers=headers) as answer:
                return answer.status, await answer.read(), answer.headers

        return self.run(work)  # type: ignore[no-any-return]

    def connect(self, client: Any, **headers: str) -> Any:
        return client.ws_connect(self.url("socket"), headers={"Origin": self.origin, **headers})

    def events(self, count: int) -> list[Any]:
        """The next events, as soon as there are so many."""
        events: list[Any] = []
        end = time.monotonic() + 30
        while len(events) < count and time.monotonic() < end:
            events += self.mailbox.take()
            time.sleep(0.01)
        return events

    def ended(self) -> bool:
        """Whether the end of a connection comes."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if any(isinstance(event, Closed) for event in self.mailbox.take()):
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(**settings: Any) -> Rig:
        rigs.append(Rig(**settings))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.server.stop()


def test_the_page_and_all_that_it_names_are_served(make_rig: Any) -> None:
    rig = make_rig()
    status, body, headers = rig.get()
    assert status == 200 and b"main.js" in body
    assert headers["Referrer-Policy"] == "no-referrer" and "default-src 'self'" in headers["Content-Security-Policy"]
    for name in (
        "main.js",
        "style.css",
        "connection.js",
        "headset.js",
        "panel.js",
        "keyboard.js",
        "gamepad.js",
        "view.js",
    ):
        assert rig.get(name)[0] == 200
    assert "javascript" in rig.get("main.js")[2]["Content-Type"]


@pytest.mark.parametrize("path", ["..%2fserver.py", "server.py", "%2e%2e/server.py", "__init__.py", "page", "a/b"])
def test_nothing_but_the_page_is_served(make_rig: Any, path: str) -> None:
    status, body, _ = make_rig().get(path)
    assert status == 404 and b"import" not in body


@pytest.mark.parametrize("path", ["", "main.js", "socket", "camera"])
@pytest.mark.parametrize("token", ["a-token-for-test", "A-token-for-tests", "x", "%00"])
def test_a_wrong_token_gets_nothing(make_rig: Any, path: str, token: str) -> None:
    rig = make_rig(camera=True)
    assert rig.get(path, token)[:2] == (404, b"")
    assert rig.server.counters["requests without the token"] == 1


def test_without_any_token_there_is_nothing(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> list[tuple[int, bytes]]:
        answers = []
        for path in ("/", "/socket", "/index.html", "/favicon.ico"):
            async with client.get(rig.origin + path) as answer:
                answers.append((answer.status, await answer.read()))
        return answers

    assert set(rig.run(work)) == {(404, b"")}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["", "socket"])
def test_another_host_or_origin_gets_nothing_though_it_knows_the_token(
    make_rig: Any, path: str, headers: dict[str, str]
) -> None:
    rig = make_rig()
    assert rig.get(path, **headers)[:2] == (404, b"")
    if path == "socket":

        async def work(client: Any) -> int:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await rig.connect(client, **headers)
            return int(refused.value.status)

        assert rig.run(work) == 404
    assert rig.mailbox.take() == []


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /\xff\xfe/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /" + TOKEN.encode() + b"/ HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://\xff\xfe\r\n\r\n",
    ],
)
def test_what_is_no_sound_request_is_refused_without_a_traceback(
    make_rig: Any, caplog: pytest.LogCaptureFixture, request_line: bytes
) -> None:
    rig = make_rig()
    with socket.create_connection(("127.0.0.1", rig.server.port), timeout=30) as client:
        client.sendall(request_line)
        answer = client.recv(4096)
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.0 400", b"HTTP/1.1 400")), answer
    assert "Traceback" not in caplog.text and not caplog.records
    assert rig.get()[0] == 200


def test_the_server_does_not_say_what_it_is(make_rig: Any) -> None:
    rig = make_rig()
    assert "Server" not in rig.get()[2] and "Server" not in rig.get(token="another-token-xyz")[2]


def test_a_server_that_does_not_start_in_time_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: TeleopServer) -> None:
        await asyncio.sleep(60.0)

    monkeypatch.setattr("clam_teleop.server.START", 0.1)
    monkeypatch.setattr(TeleopServer, "_start", never)
    with pytest.raises(ClamError, match=r"not within 0\.1 s"):
        TeleopServer(ServerSettings("127.0.0.1", 0, Access(TOKEN, [])), Mailbox()).start()


def test_a_socket_without_an_origin_is_no_page(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect(rig.url("socket"))

    rig.run(work)
    assert rig.mailbox.take() == []


def test_messages_come_in_their_order_between_the_begin_and_the_end_of_the_connection(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> None:
        async with rig.connect(client) as socket:
            for sequence in range(100):
                await socket.send_str(json.dumps({**GOOD, "sequence": sequence}))

    rig.run(work)
    first, *messages, last = rig.events(102)
    assert isinstance(first, Opened) and isinstance(last, Closed)
    assert [event.message.sequence for event in messages if isinstance(event, Received)] == list(range(100))
    assert first.arrived <= messages[0].arrived <= messages[-1].arrived <= last.arrived


def test_the_page_is_shown_the_newest_state_and_how_old_its_own_message_is(make_rig: Any) -> None:
    rig = make_rig()
    rig.server.show({"state": "old"})

    async def work(client: Any) -> Any:
        async with rig.connect(client) as socket:
            rig.server.show({"state": "new"})
            await socket.send_str(json.dumps(GOOD))
            while True:
                status = await socket.receive_json()
                if status.get("state") == "new" and "echo" in status:
                    return status

    status = rig.run(work)
    assert status["echo"] == 20.0 and 0.0 <= status["held"] < 10000.0


def test_a_second_operator_is_told_and_sent_away_and_the_seat_is_free_afterwards(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> tuple[Any, int, int]:
        async with rig.connect(client) as first:
            async with rig.connect(client) as second:
                answer = await second.receive_json()
                await second.receive()
                code = int(second.close_code or 0)
            await first.send_str(json.dumps(GOOD))
            await first.close()
        tries = 0
        while True:  # the server needs a moment to notice
            tries += 1
            async with rig.connect(client) as third:
                if (await third.receive_json())["type"] == "status":
                    return answer, code, tries

    answer, code, _ = rig.run(work)
    assert answer == {"type": "refused", "reason": "somebody else operates the arm"} and code == REFUSED_SEAT
    events = rig.events(5)
    assert [type(event) for event in events] == [Opened, Received, Closed, Opened, Closed]


def test_bad_messages_are_refused_and_counted_and_at_last_end_the_connection(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> tuple[int, str]:
        async with rig.connect(client) as socket:
            await socket.send_bytes(b"\x00")
            for _ in range(MOST_BAD):
                await socket.send_str('{"type": "input"}')
            reason = ""
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT and "refused" in message.data:
                    reason = json.loads(message.data)["reason"]
            return int(socket.close_code or 0), reason

    code, reason = rig.run(work)
    assert code == REFUSED_MESSAGES and "too many bad messages" in reason
    assert rig.server.counters["messages refused"] == MOST_BAD + 1
    assert [type(event) for event in rig.events(2)] == [Opened, Closed]


def test_a_huge_message_ends_the_connection_and_a_flood_is_thinned(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> None:
        async with rig.connect(client) as socket:
            for sequence in range(330):
                await socket.send_str(json.dumps({**GOOD, "sequence": sequence}))
            await socket.send_str("x" * 100_000)
            async for _ in socket:
                pass

    rig.run(work)
    assert rig.ended()
    assert rig.server.counters["messages refused"] >= 1


def test_a_mailbox_that_nobody_empties_does_not_grow_for_ever() -> None:
    from clam_core.teleop.messages import parse_input

    mailbox, message = Mailbox(), parse_input(json.dumps(GOOD))
    mailbox.opened()
    assert [mailbox.received(message) for _ in range(2 * MOST)].count(True) == MOST - 1
    mailbox.closed()
    assert isinstance(mailbox.take()[-1], Closed), "that the page is gone is never lost"


def test_the_camera_streams_the_newest_pictures(make_rig: Any) -> None:
    rig = make_rig(camera=True)
    rig.server.picture(b"first")

    async def work(client: Any) -> bytes:
        async with client.get(rig.url("camera")) as answer:
            assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            got = b""
            while b"second" not in got:
                got += await answer.content.readany()
                if b"first" in got:
                    rig.server.picture(b"second")
            return got

    got = rig.run(work)
    assert b"Content-Length: 5\r\n\r\nfirst\r\n" in got
    assert make_rig().get("camera")[0] == 404


def test_viewers_that_left_make_room_for_others_though_no_picture_comes(make_rig: Any) -> None:
    rig = make_rig(camera=True)
    rig.server.picture(b"first")

    async def work(client: Any) -> None:
        for _ in range(2 * VIEWERS):
            end = time.monotonic() + 30
            status = 404
            while status == 404 and time.monotonic() < end:
                async with client.get(rig.url("camera")) as answer:
                    status = answer.status
                    if status == 200:
                        await answer.content.readany()
                        answer.close()
                    else:
                        await asyncio.sleep(0.05)
            assert status == 200

    rig.run(work)


def test_a_port_that_is_taken_is_one_clear_line(make_rig: Any) -> None:
    rig = make_rig()
    second = TeleopServer(ServerSettings("127.0.0.1", rig.server.port, Access(TOKEN, [])), Mailbox())
    with pytest.raises(ClamError, match="choose another `port`"):
        second.start()


def test_stopping_hangs_up(make_rig: Any) -> None:
    rig = make_rig()

    async def work(client: Any) -> int:
        async with rig.connect(client) as socket:
            await socket.receive_json()
            stopping = asyncio.get_running_loop().run_in_executor(None, rig.server.stop)
            async for _ in socket:
                pass
            await stopping
            return int(socket.close_code or 0)

    assert rig.run(work) == 1001
    assert rig.ended()
