"""The web server: the page, its WebSocket and the camera's picture on one port, in a thread of its own. No ROS here."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout  # Python 3.10: not the builtin one
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from clam_core.errors import ClamError
from clam_core.teleop.messages import MAX_BYTES, MessageRefused, parse_input
from clam_teleop.access import Access
from clam_teleop.mailbox import Mailbox

STATUS_PERIOD = 0.1  # [s] between two states sent to the page
PICTURE_PERIOD = 0.08  # [s] between two pictures of the camera
HEARTBEAT = 2.0  # [s] an operator that does not answer pings is gone, and the seat is free
MOST_BAD, MOST_PER_SECOND = 50, 300  # messages of one connection
REFUSED_SEAT, REFUSED_MESSAGES = 4409, 4400  # close codes of the WebSocket
VIEWERS = 4
START = 10.0  # [s] to start or to stop
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
}


LOG = logging.getLogger("clam_teleop.server")

PAGE = Path(str(files("clam_teleop"))) / "page"


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a line of the log is about us, and not about somebody who does not speak HTTP."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


LOG.addFilter(_is_ours)


@dataclass(frozen=True)
class ServerSettings:
    """`port` 0 takes a free one. Without `tls` it is plain HTTP, which browsers allow WebXR on localhost only.

    `pages` are the folders of the page's files, the first that has a file counts. `parse` checks a message of the page:
    it returns what has a `stamp` [s], or raises `MessageRefused`.
    """

    host: str
    port: int
    access: Access
    tls: ssl.SSLContext | None = None
    camera: bool = False
    pages: tuple[Path, ...] = (PAGE,)
    parse: Callable[[str], Any] = parse_input


class TeleopServer:
    """Fills `mailbox`; shows what `show` and `picture` were given last. Counters count what was refused."""

    def __init__(self, settings: ServerSettings, mailbox: Mailbox) -> None:
        self.counters: Counter[str] = Counter()
        self.port = settings.port
        self._settings, self._access, self._mailbox = settings, settings.access, mailbox
        self._status: dict[str, Any] = {}
        self._picture = b""
        self._shown: dict[str, tuple[str, bytes]] = {}
        self._pictured = 0
        self._operator: web.WebSocketResponse | None = None
        self._viewers = 0
        self._newest: tuple[float, float] | None = None  # stamp [ms] of the operator's newest message, its arrival [s]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="teleop server", daemon=True)
        self._runner: web.AppRunner | None = None

    # From other threads -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve from now on.

        Raises:
            ClamError: the port is taken, or may not be used.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(START)
        except (OSError, FutureTimeout) as error:
            self.stop()
            where = f"{self._settings.host}:{self._settings.port}"
            why = (error.strerror or error) if isinstance(error, OSError) and str(error) else f"not within {START:g} s"
            raise ClamError(f"cannot serve on {where} ({why}): choose another `port`") from error

    def stop(self) -> None:
        """Close all connections and end the thread."""
        if self._runner is not None:
            cleaning = asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop)
            with suppress(FutureTimeout):  # the thread ends all the same, and its connections with it
                cleaning.result(START)
            self._runner = None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)
        if not self._loop.is_running():
            self._loop.close()

    def show(self, status: dict[str, Any]) -> None:
        """What the page shall show: plain values, never changed afterwards."""
        self._status = status

    def picture(self, jpeg: bytes) -> None:
        """The newest picture of the camera."""
        self._picture, self._pictured = jpeg, self._pictured + 1

    def put(self, name: str, kind: str, data: bytes) -> None:
        """A file beside those of the page, of media type `kind`."""
        self._shown[name] = kind, data

    # In the server's thread ---------------------------------------------------------------------------------

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/{token}/", self._index)
        app.router.add_get("/{token}/socket", self._socket)
        app.router.add_get("/{token}/camera", self._camera)
        app.router.add_get("/{token}/{name}", self._file)
        app.on_shutdown.append(self._hang_up)
        app.on_response_prepare.append(_say_no_server)
        self._runner = web.AppRunner(app, access_log=None, logger=LOG, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port, ssl_context=self._settings.tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """A wrong token, host or origin gets nothing: not even to know what is here."""
        origin = request.headers.get("Origin")
        token = request.match_info.get("token", "")
        refusal = ""
        if not self._access.knows(token):
            refusal = "requests without the token"
        elif not self._access.is_ours(request.host):
            refusal = "requests for another host"
        elif origin is not None and not self._access.is_same_origin(origin, request.scheme, request.host):
            refusal = "requests of another origin"
        if refusal:
            self.counters[refusal] += 1
            return web.Response(status=404)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status)
        return response

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return self._page("index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._page(request.match_info["name"])

    def _page(self, name: str) -> web.StreamResponse:
        if name in self._shown:
            kind, data = self._shown[name]
            return web.Response(body=data, headers={**HEADERS, "Content-Type": kind})
        for folder in self._settings.pages:
            if name in {path.name for path in folder.iterdir() if path.is_file()}:
                return web.FileResponse(folder / name, headers=HEADERS)
        return web.Response(status=404)

    # The operator -------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Origin") is None:  # browsers always send it
            self.counters["requests of another origin"] += 1
            return web.Response(status=404)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=2 * MAX_BYTES, compress=False)
        await socket.prepare(request)
        if self._operator is not None:
            self.counters["second operators"] += 1
            await socket.send_json({"type": "refused", "reason": "somebody else operates the arm"})
            await socket.close(code=REFUSED_SEAT, message=b"taken")
            return socket
        self._operator, self._newest = socket, None
        self._mailbox.opened()
        sender = asyncio.create_task(self._send_status(socket))
        try:
            await self._listen(socket)
        finally:
            self._operator = None
            self._mailbox.closed()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        bad, window, count = 0, time.monotonic(), 0
        async for message in socket:
            now = time.monotonic()
            if now - window > 1.0:
                window, count = now, 0
            count += 1
            try:
                if message.type is not WSMsgType.TEXT:
                    raise MessageRefused("not a text")
                if count > MOST_PER_SECOND:
                    raise MessageRefused(f"more than {MOST_PER_SECOND} messages in a second")
                parsed = self._settings.parse(message.data)
            except MessageRefused as refusal:
                bad += 1
                self.counters["messages refused"] += 1
                if bad > MOST_BAD:
                    await socket.send_json({"type": "refused", "reason": f"too many bad messages, the last: {refusal}"})
                    await socket.close(code=REFUSED_MESSAGES, message=b"bad messages")
                continue
            if not self._mailbox.received(parsed):
                self.counters["messages that nobody took"] += 1
            self._newest = (1000.0 * parsed.stamp, now)

    async def _send_status(self, socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            status = {"type": "status", **self._status}
            if self._newest is not None:
                stamp, arrived = self._newest
                status |= {"echo": stamp, "held": 1000.0 * (time.monotonic() - arrived)}
            try:
                await asyncio.wait_for(socket.send_str(json.dumps(status)), HEARTBEAT)
            except (ConnectionError, asyncio.TimeoutError):
                await socket.close()
                return
            await asyncio.sleep(STATUS_PERIOD)

    async def _hang_up(self, _: web.Application) -> None:
        if self._operator is not None:
            await self._operator.close(code=1001, message=b"the node stops")

    # The camera ---------------------------------------------------------------------------------------------

    async def _camera(self, request: web.Request) -> web.StreamResponse:
        """Motion JPEG, which an <img> shows: the newest picture each time, whatever the network can take."""
        if not self._settings.camera or self._viewers >= VIEWERS:
            return web.Response(status=404)
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "multipart/x-mixed-replace; boundary=picture"}
        )
        await response.prepare(request)
        self._viewers += 1
        seen = 0
        try:
            while request.transport is not None and not request.transport.is_closing():
                if self._pictured != seen:
                    seen, jpeg = self._pictured, self._picture
                    head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    await asyncio.wait_for(response.write(head.encode() + jpeg + b"\r\n"), HEARTBEAT)
                await asyncio.sleep(PICTURE_PERIOD)
            return response
        except (ConnectionError, asyncio.TimeoutError):
            return response
        finally:
            self._viewers -= 1


async def _say_no_server(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)  # who has no token shall not even learn what is here
