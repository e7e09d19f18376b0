"""Headless images, and how their contexts end."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from clam_core.errors import ClamError

mujoco = pytest.importorskip("mujoco")

from clam_core.envs.rendering import OffscreenRenderer  # noqa: E402  # needs MuJoCo

PROGRAM = """
import weakref
class Thing: pass
early = Thing()
weakref.finalize(early, print, "others are finalized too")
import mujoco
from clam_core.envs.rendering import OffscreenRenderer
model = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><camera name='eye' pos='0 0 1'/><light pos='0 0 2'/><geom size='0.1'/></worldbody></mujoco>"
)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
left_open, closed = OffscreenRenderer(model), OffscreenRenderer(model)
for renderer in (left_open, closed):
    assert renderer.render(data, 8, 12, "eye").shape == (8, 12, 3)
    assert renderer.render(data, 16, 24, "eye").any()
closed.close()
"""


def test_a_process_that_closes_nothing_ends_without_a_word() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    if "no OpenGL for headless rendering" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert (done.returncode, done.stdout, done.stderr) == (0, "others are finalized too\n", "")


SCENE = """<mujoco>
  <asset><texture name="squares" type="2d" builtin="checker" width="64" height="64" rgb1="{color}" rgb2="1 1 1"/>
    <material name="squares" texture="squares"/></asset>
  <worldbody><camera name="eye" pos="0 0 1"/><light pos="0 0 2"/><geom type="{shape}" size="0.2 0.2 0.2"
    material="squares"/></worldbody>
</mujoco>"""


class Drawn:
    """A model of its own, and the renderer of it."""

    def __init__(self, shape: str, color: str) -> None:
        self.model = mujoco.MjModel.from_xml_string(SCENE.format(shape=shape, color=color))
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        self.renderer = OffscreenRenderer(self.model)

    def picture(self, size: int = 32) -> np.ndarray:
        try:
            return self.renderer.render(self.data, size, size, "eye")
        except ClamError as error:
            pytest.skip(str(error))


@pytest.mark.parametrize("how", ["grows", "is closed", "is forgotten"])
def test_a_picture_does_not_change_because_another_renderer(how: str) -> None:
    """Its textures and lists have the same numbers in another graphics context."""
    kept, other = Drawn("box", "1 0 0"), Drawn("sphere", "0 0 1")
    before, others = kept.picture(), other.picture()
    assert before.std() > 5 and not np.array_equal(before, others)
    kept.picture()  # its context is the current one
    if how == "grows":
        other.picture(64)
        np.testing.assert_array_equal(other.picture(), others)
        kept.picture()
        other.picture(128)
    elif how == "is closed":
        other.renderer.close()
    else:
        other.renderer = OffscreenRenderer(other.model)
    np.testing.assert_array_equal(kept.picture(), before)
    kept.renderer.close()
    other.renderer.close()
