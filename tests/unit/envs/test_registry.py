import subprocess
import sys

import pytest

from clam_core.envs import make_env
from clam_core.errors import ClamError


def test_importing_the_registry_imports_no_simulator():
    code = "import sys, clam_core.envs; print(sorted({'mujoco', 'metaworld', 'gymnasium'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


@pytest.mark.parametrize(
    ("env", "task", "nearest"),
    [
        ("metawrld", "assembly", "metaworld"),
        ("metaworld", "asembly", "assembly"),
        ("gym", "Pendulum-v9", "Pendulum-v1"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest_valid_one(env, task, nearest):
    with pytest.raises(ClamError, match=f"did you mean '{nearest}'"):
        make_env(env, task)
