"""Decoding and resizing of camera images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from clam_core.data.images import decode, encode_png, resize

NOISE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def test_png_is_lossless_and_red_stays_red() -> None:
    np.testing.assert_array_equal(decode(encode_png(NOISE)), NOISE)
    red = np.zeros((16, 16, 3), dtype=np.uint8)
    red[..., 0] = 255
    jpeg = cv2.imencode(".jpg", red[..., ::-1])[1].tobytes()
    assert decode(jpeg)[8, 8, 0] > 240 and decode(jpeg)[8, 8, 1:].max() < 15


def test_gray_and_transparent_images_become_rgb() -> None:
    gray = cv2.imencode(".png", NOISE[..., 0])[1].tobytes()
    np.testing.assert_array_equal(decode(gray), np.repeat(NOISE[..., :1], 3, axis=2))
    transparent = cv2.imencode(".png", np.dstack([NOISE, NOISE[..., 0]]))[1].tobytes()
    assert decode(transparent).shape == NOISE.shape


@pytest.mark.parametrize("data", [b"", b"not an image", encode_png(NOISE)[:300]])
def test_damaged_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        decode(data)


def test_shrinking_averages_the_area() -> None:
    blocks = NOISE.reshape(20, 2, 30, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(resize(NOISE, 20, 30) - blocks).max() <= 1


def test_a_resized_image_is_a_copy_of_its_own() -> None:
    same = resize(NOISE, 40, 60)
    same[0] = 0
    assert NOISE[0].any() and resize(NOISE, 80, 90).shape == (80, 90, 3)


@pytest.mark.parametrize("image", [NOISE[..., 0], NOISE.astype(float), NOISE[..., :2], NOISE[:0]])
def test_what_is_no_rgb_image_is_a_value_error(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        resize(image, 8, 8)


@pytest.mark.parametrize(("size", "part"), [((20, 20), NOISE[:, 10:50]), ((10, 30), NOISE[10:30])])
def test_another_aspect_ratio_is_cut_out_of_the_middle(size: tuple[int, int], part: np.ndarray) -> None:
    blocks = part.reshape(size[0], 2, size[1], 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(resize(NOISE, *size) - blocks).max() <= 1
