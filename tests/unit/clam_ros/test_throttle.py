"""Lines that come again and again are said by their cause, with a count."""

import pytest

from clam_ros.throttle import Throttle


class Log:
    """What was said, and the time [s]."""

    def __init__(self) -> None:
        self.now = 100.0
        self.lines: list[str] = []
        self.throttle = Throttle(10.0, lambda: self.now)

    def say(self, text: str, details: str = "") -> None:
        self.throttle.say(self.lines.append, text, details)


def test_a_cause_is_said_at_once_then_every_ten_seconds_with_what_was_held_back() -> None:
    log = Log()
    for step in range(121):
        log.now = 100.0 + step / 10.0
        log.say(f"observation refused: it is {0.5 + step / 1000.0:.3f} s old, at most 0.5 s is allowed")
    assert log.lines == [
        "observation refused: it is 0.500 s old, at most 0.5 s is allowed",
        "observation refused: it is 0.600 s old, at most 0.5 s is allowed (99 more like this were not logged)",
    ]
    log.now = 500.0
    log.say("observation refused: it is 0.7 s old, at most 0.5 s is allowed")
    assert log.lines[2].endswith("(20 more like this were not logged)")
    log.now = 600.0
    log.say("observation refused: it is 0.7 s old, at most 0.5 s is allowed")
    assert log.lines[3].endswith("is allowed"), "nothing was held back since"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("3 of 9 state values are not finite", "4 of 9 state values are not finite", True),
        ("-0.5 s", "1e-07 s", True),
        ("camera_1 is silent", "camera_2 is silent", False),
        ("shape (3, 7) instead of (5, 7)", "shape (2, 7) instead of (5, 7)", True),
        ("it is 0.6 s old", "its stamp lies 0.6 s in the future", False),
    ],
)
def test_numbers_are_no_part_of_the_cause_and_names_are(first: str, second: str, same: bool) -> None:
    log = Log()
    log.say(first)
    log.say(second)
    assert len(log.lines) == (1 if same else 2)


def test_details_are_said_and_make_no_cause_of_their_own() -> None:
    log = Log()
    log.say("no command: no", "\ntrace of one")
    log.say("no command: no", "\ntrace of another")
    assert log.lines == ["no command: no\ntrace of one"]
