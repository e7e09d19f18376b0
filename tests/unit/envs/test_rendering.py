"""Headless images, and how their contexts end."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mujoco")

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
