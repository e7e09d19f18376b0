"""Who is heard, and who has fallen silent."""

from clam_ros.attendance import Attendance, Presence

ARM, CAMERA = "/arm_driver", "/camera"


def attendance() -> Attendance:
    return Attendance([ARM, CAMERA], 100.0, silent_after=3.0, start_within=30.0)


def test_a_node_has_time_for_its_first_word_and_is_missing_after_that() -> None:
    expected = attendance()
    assert expected.presence(ARM, 129.9) is Presence.AWAITED
    assert expected.presence(ARM, 130.0) is Presence.MISSING and expected.silence(ARM, 130.0) == 30.0


def test_who_spoke_once_is_silent_sooner_and_only_he() -> None:
    expected = attendance()
    expected.hear(ARM, 101.0)
    expected.hear(CAMERA, 103.5)
    assert expected.presence(ARM, 103.9) is Presence.HEARD
    assert expected.presence(ARM, 104.0) is Presence.SILENT and expected.silence(ARM, 104.0) == 3.0
    assert expected.presence(CAMERA, 104.0) is Presence.HEARD


def test_who_comes_back_is_heard_again_and_strangers_do_not_count() -> None:
    expected = attendance()
    expected.hear(ARM, 101.0)
    expected.hear("/other/arm_driver", 109.0)
    assert expected.presence(ARM, 110.0) is Presence.SILENT
    expected.hear(ARM, 110.0)
    assert expected.presence(ARM, 110.0) is Presence.HEARD
    assert expected.names == (ARM, CAMERA)
