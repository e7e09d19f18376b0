"""`make demo` in small: every stage, over real DDS, to a report that needs no other file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

SMALL = [
    "--episodes", "10", "--bulk", "4", "--evaluations", "2",
    "lam_training.updates=60", "policy_training.updates=60", "evaluate_every=20", "log_every=20",
]  # fmt: skip


def run_demo(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clam_training.demo", "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_the_demo_goes_from_recording_to_report(tmp_path: Path) -> None:
    done = run_demo(tmp_path / "demo", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "demo/results.json").read_text())
    assert set(results["methods"]) == {"clam", "vpt", "bc-al", "bc-expert"}
    assert all(method["episodes"] == 2 for method in results["methods"].values())
    assert results["datasets"]["play"] == {"episodes": 10, "transitions": 1000, "successes": 0}
    assert results["datasets"]["expert"]["successes"] == 10
    assert set(results["seconds"]) == {"record", "import", "train", "run", "report"}

    page = (tmp_path / "demo/report.html").read_text()
    assert "BC-Expert (privileged)" in page
    assert page.count("<svg") == 2
    assert 'src="http' not in page
    assert "report.html" in done.stdout
    assert "try next" in done.stdout

    for name in ("mixed", "expert"):
        assert not (tmp_path / "demo/data" / name / "data/action").exists()
    bag = next((tmp_path / "demo/bags/play").glob("episode_*"))
    assert list(bag.glob("*.mcap"))
    assert (bag / "episode.yaml").exists()


def test_a_failing_stage_ends_the_demo_and_names_its_log(tmp_path: Path) -> None:
    done = run_demo(tmp_path / "demo", *SMALL, "--task", "asembly")
    assert done.returncode == 1
    assert "did you mean 'assembly'" in done.stdout
    assert "logs/record-play.log" in done.stdout.replace("\n", "")


def test_an_earlier_demo_is_kept(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/precious").touch()
    run_demo(tmp_path / "demo", *SMALL, "--task", "asembly")
    assert len(list(tmp_path.glob("demo-*/precious"))) == 1


def test_too_few_episodes_are_refused(tmp_path: Path) -> None:
    done = run_demo(tmp_path / "demo", "--episodes", "3")
    assert done.returncode == 2
    assert "at least 10" in done.stderr
    assert not (tmp_path / "demo").exists()
