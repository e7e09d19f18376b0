"""Keyboard, mouse, gamepad and headset on the page in a real browser: what the server hears. No node, no arm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("clam_teleop", reason="needs clam_teleop (make setup)")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")

from clam_core.teleop.messages import InputMessage
from clam_teleop.access import Access
from clam_teleop.emulated_headset import Browser, Controller, missing, start_session
from clam_teleop.mailbox import Mailbox, Received
from clam_teleop.server import ServerSettings, TeleopServer

if missing():
    pytest.skip(f"the browser's tests: {missing()}", allow_module_level=True)

TOKEN = "a-token-for-tests"
PATIENCE = 60.0  # [s]
STATUS = {"state": "released", "reason": "", "warning": "", "device": "", "rate": 60, "refused": 0}
PAD = """() => {
  const buttons = Array.from({length: 17}, () => ({pressed: false, value: 0}));
  window.pad = {connected: true, mapping: "standard", axes: [0, 0, 0, 0], buttons};
  navigator.getGamepads = () => [window.pad];
}"""


class Desk:
    """A laptop with the page open, and the server behind it."""

    def __init__(self, server: TeleopServer, mailbox: Mailbox, page: Any) -> None:
        self.server, self._mailbox, self.page = server, mailbox, page
        self.keyboard, self.mouse = page.keyboard, page.mouse
        self.heard: list[InputMessage] = []
        self._seen = 0  # of them were looked at

    def listen(self) -> list[InputMessage]:
        """Everything heard so far."""
        self.heard += [event.message for event in self._mailbox.take() if isinstance(event, Received)]
        return self.heard

    def hears(self, condition: Callable[[InputMessage], bool], what: str) -> InputMessage:
        """The first message that was not looked at before and for which `condition` holds."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for message in self.listen()[self._seen :]:
                self._seen += 1
                if condition(message):
                    return message
            self.page.wait_for_timeout(10)
        pytest.fail(f"not heard within {PATIENCE} s: {what}; the last: {self.heard[-1:]}")

    def next(self, count: int = 8) -> list[InputMessage]:
        """The next messages that the page makes, without those under way."""
        stamp = self.page.evaluate("() => performance.now()") / 1000.0
        self.hears(lambda message: message.stamp > stamp + 0.05, "the page")
        begin, end = self._seen, time.monotonic() + PATIENCE
        while len(self.listen()) < begin + count:
            assert time.monotonic() < end, "the page is silent"
            self.page.wait_for_timeout(10)
        self._seen = len(self.heard)
        return self.heard[begin:]

    def over(self, selector: str) -> None:
        """Move the mouse into the middle of an element."""
        box = self.page.locator(selector).bounding_box()
        self.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def pad(self, script: str) -> None:
        """Change the gamepad."""
        self.page.evaluate(f"() => {{ {script}; }}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture
def desk(browser: Browser) -> Iterator[Desk]:
    yield from sit_down(browser.page(emulated=False, size=(900, 700)))


@pytest.fixture
def headset(browser: Browser) -> Iterator[Desk]:
    yield from sit_down(browser.page())


def sit_down(page: Any) -> Iterator[Desk]:
    """`page` with a server of its own, which ends with the test."""
    mailbox = Mailbox()
    server = TeleopServer(ServerSettings("127.0.0.1", 0, Access(TOKEN, [])), mailbox)
    server.start()
    server.show(dict(STATUS))
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"http://localhost:{server.port}/{TOKEN}/")
    desk = Desk(server, mailbox, page)
    desk.hears(lambda message: True, "the page")
    yield desk
    page.context.close()
    server.stop()
    assert not problems, problems


def still(message: InputMessage) -> bool:
    """Nothing is held, nothing moves."""
    return message.squeeze == 0.0 and message.motion == (0.0,) * 6 and not message.buttons


@pytest.mark.parametrize("modifier", ["Control", "Alt", "Meta"])
def test_keys_that_are_released_with_a_modifier_down_are_released(desk: Desk, modifier: str) -> None:
    desk.keyboard.down("Space")
    desk.keyboard.down("KeyW")
    desk.hears(lambda message: message.squeeze == 1.0 and message.motion[0] == 1.0, "Space and W")
    desk.keyboard.down(modifier)
    assert all(message.squeeze == 0.0 for message in desk.next())
    desk.keyboard.up("KeyW")
    desk.keyboard.up("Space")
    desk.keyboard.up(modifier)
    assert all(map(still, desk.next()))
    desk.keyboard.down("Space")
    desk.hears(lambda message: message.squeeze == 1.0, "Space again")
    desk.keyboard.up("Space")


def test_escape_is_heard_while_a_gamepad_leads_and_however_short(desk: Desk) -> None:
    desk.page.evaluate(PAD)
    desk.pad("pad.buttons[4] = {pressed: true, value: 1}")
    desk.hears(lambda message: message.device == "gamepad" and message.squeeze == 1.0, "the left bumper")
    desk.keyboard.press("Escape")
    desk.hears(lambda message: "estop" in message.buttons, "Esc")
    assert not any("estop" in message.buttons for message in desk.next()), "it asks once"
    desk.keyboard.down("Control")
    desk.keyboard.press("Escape")
    desk.hears(lambda message: "estop" in message.buttons, "Esc with a modifier")
    desk.keyboard.up("Control")


def test_the_gamepads_estop_is_heard_while_the_keyboard_leads(desk: Desk) -> None:
    desk.page.evaluate(PAD)
    desk.keyboard.down("Space")
    desk.hears(lambda message: message.device == "keyboard" and message.squeeze == 1.0, "Space")
    desk.pad("pad.buttons[8] = {pressed: true, value: 1}")
    desk.hears(lambda message: "estop" in message.buttons, "Back")
    desk.keyboard.up("Space")


def test_the_left_button_is_the_dead_man_and_the_right_one_the_gripper_whatever_the_order(desk: Desk) -> None:
    desk.over("#pad")
    desk.mouse.down()
    assert all(message.squeeze == 1.0 and message.trigger == 0.0 for message in desk.next())
    desk.mouse.down(button="right")
    assert all(message.squeeze == 1.0 and message.trigger == 1.0 for message in desk.next())
    desk.mouse.up(button="left")
    assert all(message.squeeze == 0.0 and message.trigger == 1.0 for message in desk.next())
    desk.mouse.move(200, 300)
    assert all(map(still, desk.next()))
    desk.mouse.up(button="right")
    desk.mouse.click(200, 300, button="right")
    assert all(message.squeeze == 0.0 and message.trigger == 0.0 for message in desk.next())


def test_only_the_left_button_presses_the_pages_buttons(desk: Desk) -> None:
    desk.over("[data-button=home]")
    desk.mouse.down(button="right")
    assert all(map(still, desk.next()))
    desk.mouse.up(button="right")
    desk.mouse.down()
    assert all("home" in message.buttons for message in desk.next())
    desk.over("#banner")
    desk.mouse.up()
    assert all(map(still, desk.next()))


def test_a_key_that_repeats_after_the_window_was_away_holds_nothing(desk: Desk) -> None:
    desk.keyboard.down("Space")
    desk.hears(lambda message: message.squeeze == 1.0, "Space")
    desk.page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    assert all(message.squeeze == 0.0 and message.motion is None for message in desk.next())
    desk.keyboard.down("Space")  # Playwright repeats a key that is down
    assert all(message.squeeze == 0.0 and message.motion is None for message in desk.next())
    desk.keyboard.up("Space")
    assert all(map(still, desk.next()))
    desk.keyboard.down("Space")
    desk.hears(lambda message: message.squeeze == 1.0, "Space again")
    desk.keyboard.up("Space")


def test_a_stick_that_goes_beyond_its_range_is_at_its_end(desk: Desk) -> None:
    desk.page.evaluate(PAD)
    desk.pad("pad.axes = [1.0000001, -1.1, 0, 0]; pad.buttons[7] = {pressed: true, value: 1.00001}")
    message = desk.hears(lambda message: message.device == "gamepad", "the gamepad")
    assert message.motion[:2] == (1.0, -1.0) and message.trigger == 1.0  # type: ignore[index]
    assert desk.server.counters["messages refused"] == 0


def test_the_help_can_be_opened_by_the_keyboard(desk: Desk) -> None:
    desk.page.locator("summary").focus()
    desk.keyboard.press("Enter")
    assert desk.page.locator("details").get_attribute("open") is not None
    assert not any(message.buttons for message in desk.next())
    desk.over("#pad")
    desk.mouse.click(200, 300)
    desk.keyboard.down("Enter")
    desk.hears(lambda message: "record" in message.buttons, "Enter elsewhere")
    desk.keyboard.up("Enter")


@pytest.mark.parametrize("leading", ["right", "left"])
def test_any_button_of_the_other_hand_is_the_estop_and_none_of_the_leading_one(headset: Desk, leading: str) -> None:
    headset.page.locator("#hand").select_option(leading)
    start_session(headset.page)
    headset.hears(lambda message: message.device == "headset", "the headset")
    faces = {"right": ("a-button", "b-button"), "left": ("x-button", "y-button")}
    other = "left" if leading == "right" else "right"
    for hand in (other, leading):
        controller = Controller(headset.page, hand)
        for name in ("trigger", "squeeze", "thumbstick", *faces[hand]):
            controller.button(name, 1)
            pressed = [("estop" in message.buttons) for message in headset.next()]
            assert all(pressed) if hand == other else not any(pressed), (hand, name)
            controller.button(name, 0)
            assert not any(message.buttons for message in headset.next()), (hand, name)
