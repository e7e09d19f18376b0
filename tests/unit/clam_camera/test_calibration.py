"""Calibration files: what is written is what is read, and what cannot be right is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clam_camera.calibration import Calibration, check_size, load_calibration, pinhole, save_calibration
from clam_core.errors import ClamError

SOUND = pinhole(640, 480, (601.5, 602.25), (319.5, 240.125), (0.1, -0.2, 0.001, 0.002, 0.03), "plumb_bob")

#: As camera_calibration writes it.
WRITTEN = """\
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [438.78, 0., 305.59, 0., 437.35, 243.26, 0., 0., 1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.3615, 0.1095, 0.00137, -0.00211, 0.]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0., 0., 1., 0., 0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [393.66, 0., 322.80, 0., 0., 241.09, 288.94, 0., 0., 0., 1., 0.]
"""


def refusal(path: Path) -> str:
    with pytest.raises(ClamError) as caught:
        load_calibration(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump(yaml.safe_load(WRITTEN) | changes))
    return path


@pytest.mark.parametrize(("model", "count"), [("plumb_bob", 5), ("rational_polynomial", 8), ("equidistant", 4)])
def test_a_calibration_survives_its_file(tmp_path: Path, model: str, count: int) -> None:
    calibration = pinhole(640, 480, (601.5, 602.25), (319.5, 240.1), [0.01 * i for i in range(count)], model)
    save_calibration(tmp_path / "c.yaml", calibration, "front")
    assert load_calibration(tmp_path / "c.yaml") == calibration


def test_the_file_of_camera_calibration_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(WRITTEN)
    calibration = load_calibration(tmp_path / "c.yaml")
    assert (calibration.width, calibration.height, calibration.model) == (640, 480, "plumb_bob")
    assert calibration.k[0] == 438.78 and calibration.d[0] == -0.3615
    assert calibration.p[:3] == (393.66, 0.0, 322.80) and calibration.r[4] == 1.0


def test_a_missing_file_is_named_with_the_mend(tmp_path: Path) -> None:
    message = refusal(tmp_path / "none.yaml")
    assert "none.yaml" in message and "camera_calibration" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"camera_matrix": {"data": [float("nan")] + [1.0] * 8}}, "camera_matrix is not finite"),
        ({"distortion_coefficients": {"data": [float("inf")] * 5}}, "distortion_coefficients is not finite"),
        ({"camera_matrix": {"data": [1.0] * 8}}, "must have 9 numbers under 'data', has 8"),
        ({"projection_matrix": {"rows": 3}}, "projection_matrix must have 12 numbers"),
        ({"camera_matrix": {"data": [0.0] * 9}}, "focal lengths"),
        ({"camera_matrix": {"data": ["a"] * 9}}, "must hold numbers"),
        ({"distortion_model": "plum_bob"}, "did you mean 'plumb_bob'?"),
        ({"image_width": 0}, "image_width is 0"),
        ({"image_height": "tall"}, "image_height is 'tall'"),
    ],
)
def test_what_cannot_be_a_calibration_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert words in refusal(written(tmp_path / "c.yaml", **changes))


@pytest.mark.parametrize("key", list(yaml.safe_load(WRITTEN)))
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    content = yaml.safe_load(WRITTEN)
    del content[key]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    if key == "camera_name":
        assert load_calibration(tmp_path / "c.yaml")
    else:
        assert f"'{key}' is missing" in refusal(tmp_path / "c.yaml")


@pytest.mark.parametrize("text", ["a: [", "", "just words"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    assert "c.yaml" in refusal(tmp_path / "c.yaml")


def test_a_calibration_of_another_size_is_refused_with_both_sizes() -> None:
    check_size(SOUND, 640, 480, "c.yaml")
    with pytest.raises(ClamError, match=r"'c.yaml' is for 640x480 images, the camera gives 1280x720"):
        check_size(SOUND, 1280, 720, "c.yaml")


def test_matrices_are_those_of_a_pinhole() -> None:
    assert isinstance(SOUND, Calibration)
    assert SOUND.k == (601.5, 0, 319.5, 0, 602.25, 240.125, 0, 0, 1)
    assert SOUND.p == (601.5, 0, 319.5, 0, 0, 602.25, 240.125, 0, 0, 0, 1, 0)
