"""The Fast DDS profile: large enough for images, and never in the way of one that the user has chosen."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from clam_camera.transport_profile import VARIABLES, profile_path, use_profile, variable

FRAME = 640 * 480 * 3
SPACE = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


def test_the_segment_holds_several_frames_and_a_message_a_whole_one() -> None:
    root = ElementTree.parse(profile_path()).getroot()
    sizes = {tag: int(root.find(f".//{SPACE}{tag}").text) for tag in ("segment_size", "maxMessageSize")}  # type: ignore[union-attr,arg-type]
    assert sizes["segment_size"] > 10 * FRAME and FRAME < sizes["maxMessageSize"] < sizes["segment_size"]


@pytest.mark.parametrize(
    ("distribution", "name"), [("jazzy", VARIABLES[1]), ("kilted", VARIABLES[0]), ("", VARIABLES[0])]
)
def test_the_variable_is_that_of_the_ros_distribution(
    monkeypatch: pytest.MonkeyPatch, distribution: str, name: str
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distribution)
    environment: dict[str, str] = {}
    assert use_profile(environment) and environment == {name: str(profile_path())}
    assert variable() == name


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("chosen", ["mine.xml", ""])
def test_a_profile_that_the_user_has_chosen_stays(name: str, chosen: str) -> None:
    environment = {name: chosen}
    assert not use_profile(environment) and environment == {name: chosen}
