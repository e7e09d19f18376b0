"""A Quest 2 that nobody wears: the page in a headless Chromium, with IWER as its WebXR runtime.

For tests, measurements and pictures. Needs `make browser` and a Chromium of the system.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from clam_core.errors import ClamError
from clam_teleop.fetch_iwer import iwer_path

#: WebGL without a GPU; and frames at 60 Hz although nobody looks.
FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
)
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WITHOUT_PASSTHROUGH = '["inline", "immersive-vr"]'
SCRIPT = """
const quest = IWER.metaQuest2;
const device = new IWER.XRDevice({...quest, supportedSessionModes: MODES ?? quest.supportedSessionModes});
device.installRuntime({forceInstall: true});  // over Chromium's own navigator.xr
device.position.set(0, 1.6, 0);
const controllers = device.controllers;
window.emulated = {
  device,
  estimated: false,  // tracking was lost, and places are a guess
  place(hand, position) { controllers[hand].position.set(...position); },
  turn(hand, quaternion) { controllers[hand].quaternion.set(...quaternion); },
  button(hand, name, value) { controllers[hand].updateButtonValue(name, value); },
  push(hand, axis, value) { controllers[hand].updateAxis("thumbstick", axis, value); },
  connect(hand, connected) { controllers[hand].connected = connected; },
  move(hand, to, seconds) {  // in a straight line, at a steady pace
    const {x, y, z} = controllers[hand].position;
    const from = [x, y, z], begin = performance.now();
    return new Promise((done) => {
      const step = () => {
        const part = Math.min(1, (performance.now() - begin) / (1000 * seconds));
        controllers[hand].position.set(...from.map((value, index) => value + part * (to[index] - value)));
        if (part < 1) setTimeout(step, 4);
        else done();
      };
      step();
    });
  },
};
// IWER calls every place a guess.
Object.defineProperty(XRPose.prototype, "emulatedPosition", {get: () => emulated.estimated});
emulated.place("right", [0.2, 1.3, -0.4]);
emulated.place("left", [-0.2, 1.3, -0.4]);
"""


def chromium() -> str | None:
    """Path of the system's Chromium; environment variable CLAM_CHROMIUM names another."""
    return os.environ.get("CLAM_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)


def missing() -> str:
    """What is missing here, and the mend; empty if nothing is."""
    if importlib.util.find_spec("playwright") is None:
        return "needs playwright: make browser"
    if chromium() is None:
        return "needs a Chromium: apt-get install chromium"
    return "" if iwer_path().is_file() else "needs iwer: make browser"


class Browser:
    """A headless Chromium as a context manager.

    Raises:
        ClamError: something is missing.
    """

    def __enter__(self) -> Browser:
        """Start it."""
        if missing():
            raise ClamError(missing())
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self.chromium = self._playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.chromium.close()
        self._playwright.stop()

    def page(self, *, emulated: bool = True, passthrough: bool = True, size: tuple[int, int] = (320, 240)) -> Any:
        """A new page of its own, not opened anywhere yet; `emulated` gives it a headset.

        Large pages are slow: every pixel is drawn by the processor, 60 times a second.
        """
        width, height = size
        context = self.chromium.new_context(ignore_https_errors=True, viewport={"width": width, "height": height})
        page = context.new_page()
        if emulated:
            page.add_init_script(path=iwer_path())
            modes = "undefined" if passthrough else WITHOUT_PASSTHROUGH
            page.add_init_script(f"{{ const MODES = {modes}; {SCRIPT} }}")
        return page


class Controller:
    """One hand's controller on an open page; positions [m] are in WebXR's axes, y up."""

    def __init__(self, page: Any, hand: str = "right") -> None:
        self.page, self.hand = page, hand

    def move(self, position: Sequence[float], seconds: float) -> None:
        """Move there in `seconds`; returns when it is there."""
        self._call("move", list(position), seconds)

    def place(self, position: Sequence[float]) -> None:
        """Be there at once."""
        self._call("place", list(position))

    def turn(self, quaternion: Sequence[float]) -> None:
        """Be turned like this, x, y, z, w, at once."""
        self._call("turn", list(quaternion))

    def button(self, name: str, value: float) -> None:
        """`name` is ``squeeze``, ``trigger``, ``thumbstick``, ``a-button``, …"""
        self._call("button", name, value)

    def push(self, axis: str, value: float) -> None:
        """Push the stick: ``x-axis``, ``y-axis``."""
        self._call("push", axis, value)

    def lose(self, lost: bool) -> None:
        """Whether the headset has lost sight of the controllers."""
        self.page.evaluate("(lost) => { window.emulated.estimated = lost; }", lost)

    def connect(self, connected: bool) -> None:
        """Whether it is there at all."""
        self._call("connect", connected)

    def _call(self, name: str, *values: Any) -> None:
        script = "([name, hand, values]) => window.emulated[name](hand, ...values)"
        self.page.evaluate(script, [name, self.hand, list(values)])


def start_session(page: Any) -> None:
    """Put the emulated headset on: the page's button starts its session."""
    page.locator("#headset").click()
    page.wait_for_function("() => window.emulated.device.activeSession != null")


def wait_for_banner(page: Any, text: str, seconds: float = 60.0) -> None:
    """Until the page's first line holds `text`.

    Raises:
        ClamError: it does not in time.
    """
    from playwright.sync_api import TimeoutError as TooLate

    script = "(text) => document.getElementById('banner').textContent.includes(text)"
    try:
        page.wait_for_function(script, arg=text, timeout=1000 * seconds)
    except TooLate as error:
        shown = page.locator("#banner").text_content()
        raise ClamError(f"the page does not say '{text}' within {seconds:g} s, but '{shown}'") from error
