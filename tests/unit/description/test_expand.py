"""From xacro to URDF text, and what the package may import for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from clam_description import arguments, names, read_joints, rviz_config, urdf
from clam_description.__main__ import main


def reachable(text: str) -> set[str]:
    """Links that joints connect with `world`."""
    found, count = {"world"}, 0
    while len(found) > count:
        count = len(found)
        found |= {joint.child for joint in read_joints(text) if joint.parent in found}
    return found


@pytest.mark.parametrize("name", names())
def test_every_link_hangs_on_world_by_one_joint(name: str) -> None:
    text = urdf(name)
    links = [link.attrib["name"] for link in ElementTree.fromstring(text).findall("link")]
    assert set(links) == reachable(text)
    assert len(links) == len(set(links)) == len(read_joints(text)) + 1


@pytest.mark.parametrize("name", names())
def test_the_text_is_plain_urdf_without_any_path_or_xacro_left(name: str) -> None:
    text = urdf(name)
    assert not re.search(r"xacro|\$[{(]|<!--|package:|/clam_description", text)
    assert ElementTree.fromstring(text).attrib["name"] == name


@pytest.mark.parametrize("name", names())
def test_shapes_have_names_of_their_own_and_known_materials(name: str) -> None:
    robot = ElementTree.fromstring(urdf(name))
    shapes = [shape.attrib["name"] for kind in ("visual", "collision") for shape in robot.iter(kind)]
    assert [shape for shape, count in Counter(shapes).items() if count > 1] == []
    known = {material.attrib["name"] for material in robot.findall("material")}
    assert {material.attrib["name"] for material in robot.iter("material")} == known


def test_a_prefix_goes_before_every_link_and_joint_of_the_arm() -> None:
    plain, prefixed = read_joints(urdf()), read_joints(urdf(prefix="left_"))
    assert [joint.name for joint in prefixed] == [f"left_{joint.name}" for joint in plain]
    assert [joint.child for joint in prefixed] == [f"left_{joint.child}" for joint in plain]
    assert {joint.mimic.joint for joint in prefixed if joint.mimic} == {"left_left_finger"}


def test_a_camera_pose_can_be_given_from_outside() -> None:
    (joint,) = (j for j in read_joints(urdf("workcell", external_xyz="1 2 3")) if j.name == "external_camera_joint")
    assert joint.xyz == (1, 2, 3)
    assert "external_xyz" in arguments("workcell")
    assert list(arguments("wx250s")) == ["prefix"]


def test_unknown_names_are_errors_that_list_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"no description 'wx250'; valid: workcell, wx250s"):
        urdf("wx250")
    with pytest.raises(ValueError, match=r"has no argument 'prefx'; valid: prefix"):
        urdf("wx250s", prefx="left_")


def test_the_command_line_prints_the_same_text_and_one_line_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workcell", "external_xyz:=1 2 3"]) == 0
    assert capsys.readouterr().out == urdf("workcell", external_xyz="1 2 3")
    for wrong in (["workcel"], ["wx250s", "prefx:=a"], ["wx250s", "prefix"]):
        assert main(wrong) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1


def test_importing_and_expanding_needs_no_ros() -> None:
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(('ament_index_python', 'rclpy', 'launch'))\n"  # importing them now fails
        "import clam_description as d\n"
        "print(len(d.urdf('workcell')) > 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "True", done.stderr


def test_the_rviz_configuration_shows_frames_that_the_workcell_has() -> None:
    shown = yaml.safe_load(rviz_config().read_text())["Visualization Manager"]
    assert shown["Global Options"]["Fixed Frame"] in reachable(urdf("workcell"))
    topics = [display["Topic"]["Value"] for display in shown["Displays"] if "Topic" in display]
    assert topics == ["camera/external/image_raw", "camera/over_shoulder/image_raw"]


def test_a_wheel_holds_the_files_for_python_and_for_ros_tools(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "urdf"
    copy = shutil.copytree(source, tmp_path / "urdf", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    wheel = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(copy)]
    subprocess.run([sys.executable, "-m", "pip", *wheel], check=True, timeout=120)
    (built,) = tmp_path.glob("clam_description-*.whl")
    held = zipfile.ZipFile(built).namelist()
    share = "clam_description-0.1.0.data/data/share/clam_description"
    files = [*source.glob("clam_description/urdf/*.xacro"), rviz_config()]
    assert len(files) > 5
    for path in files:
        assert f"clam_description/{path.parent.name}/{path.name}" in held
        assert f"{share}/{path.parent.name}/{path.name}" in held
