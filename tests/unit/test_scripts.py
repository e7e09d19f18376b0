"""Console scripts of all packages: `make setup` puts them into one folder, where the last of two of a name wins."""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_two_packages_install_a_script_of_the_same_name() -> None:
    found = defaultdict(list)
    for file in [*ROOT.glob("*/setup.py"), *(path / "setup.py" for path in (ROOT / "ros2_ws/src").glob("clam_*"))]:
        for script in re.findall(r'"([\w-]+) = \w[\w.]*:\w+"', file.read_text()):
            found[script].append(file.resolve().relative_to(ROOT).parent.as_posix())
    assert {"clam", "clam-launch", "policy"} <= set(found)
    assert not {script: sorted(set(files)) for script, files in found.items() if len(set(files)) > 1}
