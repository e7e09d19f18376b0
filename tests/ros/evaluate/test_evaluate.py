"""The graph `evaluate` on the simulated kitchen: killed in the middle and continued; and with a person who scores."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("mujoco")
pytest.importorskip("aiohttp", reason="needs aiohttp (make setup)")
pytest.importorskip("clam_eval", reason="needs clam_eval (make setup)")

from std_srvs.srv import SetBool, Trigger

from clam_core.envs.kitchen_spec import ACTION
from clam_eval.plan import make_plan
from clam_eval.results_file import read_results, scored

from ...conftest import nodes_of

PATIENCE = 300.0  # [s] generous: the machine may be busy
TOKEN = "a-token-for-tests"
#: A workspace that an arm does not leave when it sags without torque, however long a busy machine takes to see it.
WIDE = {"workspace_lower": "[-2.0, -2.0, -2.0]", "workspace_upper": "[2.0, 2.0, 2.0]"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_evaluation_goes_on_where_it_stopped_and_repeats_or_loses_nothing(
    make_graph: Callable[..., Any], bundles: tuple[Path, Path], launch: Any, display: Any, tmp_path: Path
) -> None:
    graph, out = make_graph(), tmp_path / "evaluation"
    arguments = {"bundles": f"[{bundles[0]}, {bundles[1]}]", "task": "push-button", "rollouts": 2, "steps": 30}
    arguments |= {"width": 64, "height": 48, "rate": 10.0, "device": "cpu"}
    process, log = launch(out, **arguments)

    seen = display(graph, lambda: "" if process.poll() is None else log.read_text())
    seen.until("running", "rollout 2 of 4")
    os.kill(nodes_of(process.pid)["evaluator"], signal.SIGKILL)
    graph.spin_until(lambda: process.poll() is not None, PATIENCE, "the end of the graph")
    assert process.returncode == 128 + signal.SIGKILL
    before = (out / "results.jsonl").read_bytes()
    assert set(scored(read_results(out)[2])) == {0}, before.decode()
    (out / "results.jsonl").write_bytes(before + b'{"type": "rollout", "index": 1, "sco')  # a worse moment

    process, log = launch(out, **(arguments | {"seed": 5}))
    graph.spin_until(lambda: process.poll() is not None, PATIENCE, "the refusal")
    assert process.returncode == 1 and "of another evaluation (its seed is 1000000, not 5)" in log.read_text()

    process, log = launch(out, **arguments)
    graph.spin_until(lambda: process.poll() is not None, PATIENCE, "the end of the evaluation")
    assert process.returncode == 0 and "Traceback" not in log.read_text(), log.read_text()
    assert (out / "results.jsonl").read_bytes().startswith(before)
    identity, _, lines = read_results(out)
    done = [line for line in lines if line["type"] == "rollout"]
    assert [line["index"] for line in done] == [0, 1, 2, 3]
    for line, trial in zip(done, make_plan(2, 2, 1_000_000), strict=True):
        assert (line["layout"], line["seed"]) == (trial.layout, trial.seed)
        assert line["bundle"] == identity.bundles[trial.contender].digest
        assert line["steps"] == 30 and line["commands"] > 0 and line["score"] in (0.0, 0.5)
    assert [line["type"] for line in lines].count("session") == 2
    report = json.loads((out / "report.json").read_text())
    assert [len(bundle["scores"]) for bundle in report["bundles"]] == [2, 2]
    assert report["differences"][0]["layouts"] == 2
    assert {"wall.mp4", "report.md"} <= {path.name for path in out.iterdir()}
    assert len(list((out / "videos").glob("rollout_*.mp4"))) >= 3
    said = " ".join(message.data for message in seen.statuses) + log.read_text().split("# push-button")[0]
    for secret in (*(str(bundle) for bundle in bundles), *(bundle.digest for bundle in identity.bundles)):
        assert secret not in said, "an operator may not see which bundle runs"


class Operator:
    """A page that is a Python client: it presses buttons, and reads what is shown."""

    def __init__(self, url: str) -> None:
        self.status: dict[str, Any] = {}
        self._url, self._pressed = url, list[tuple[str, str]]()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def press(self, button: str, place: str) -> None:
        """Press it once the page shows this place."""
        self._pressed.append((button, place))

    async def _run(self) -> None:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            async with session.get(self._url) as response:
                assert response.status == 200 and "CLAM evaluation" in await response.text()
            origin = {"Origin": "/".join(self._url.split("/", 3)[:3])}
            async with session.ws_connect(f"{self._url}socket", headers=origin) as web:
                async for message in web:
                    self.status = json.loads(message.data)
                    if self._pressed and self._pressed[0][1] in self.status["place"]:
                        button = {"type": "input", "sequence": 1, "stamp": 1.0, "button": self._pressed.pop(0)[0]}
                        button["number"] = self.status["number"]
                        await web.send_str(json.dumps(button))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_person_scores_by_page_and_service_and_what_the_robot_spoils_is_repeated(
    make_graph: Callable[..., Any], start: Any, make_bundle: Any, display: Any, tmp_path: Path
) -> None:
    """As with a real robot: nothing but an arm, which no simulator resets or scores."""
    graph, out = make_graph(), tmp_path / "evaluation"
    start("clam_arm.arm_driver", backend="mujoco_arm", on_fast="scale", measurement_timeout=1.0, **WIDE)
    start("clam_policy.policy", autostart=False, enabled=False, device="cpu")
    evaluator = start(
        "clam_eval.evaluator",
        task="push-button",
        robot="interbotix",
        bundle=make_bundle("kitchen", "push-button", sees=ACTION.names),
        rollouts=2,
        steps=40,
        out=out,
        camera='""',
        operator="somebody",
        secure=False,
        port=0,
        token=TOKEN,
    )

    until = display(graph, lambda: "" if evaluator.popen.poll() is None else evaluator.output()).until
    until("scene", "rollout 1 of 2")
    assert not graph.call(Trigger, "evaluation/score_1").success, "nothing has run yet"
    (url,) = set(re.findall(rf"http://localhost:\d+/{TOKEN}/", evaluator.output()))
    operator = Operator(url)
    operator.press("scene_ready", "rollout 1 of 2")
    until("running", "rollout 1 of 2")
    assert graph.call(SetBool, "torque", SetBool.Request(data=False)).success  # the arm fails, not the policy
    until("barred", "attempt 2")
    graph.spin_until(lambda: "no torque" in operator.status.get("message", ""), PATIENCE, "the reason on the page")
    assert not graph.call(Trigger, "evaluation/clear").success
    assert graph.call(SetBool, "torque", SetBool.Request(data=True)).success  # does not move it: somebody may be there

    def is_clear() -> bool:
        return bool(graph.call(Trigger, "evaluation/clear").success)

    graph.spin_until(is_clear, PATIENCE, "the end of the bar")
    until("scene", "attempt 2")
    assert graph.call(Trigger, "evaluation/scene_ready").success
    until("scoring", "attempt 2")
    graph.spin_until(lambda: operator.status["state"] == "scoring", PATIENCE, "the same on the page")
    assert operator.status["remaining"] == 0 and "score_half" in operator.status["buttons"]
    operator.press("score_half", "attempt 2")
    until("scene", "rollout 2 of 2")
    assert graph.call(Trigger, "evaluation/correct_1").success
    operator.press("scene_ready", "rollout 2 of 2")
    until("running", "rollout 2 of 2")
    operator.press("estop", "rollout 2 of 2")
    until("scoring", "rollout 2 of 2")
    assert not graph.call(Trigger, "home").success, "the driver has latched it"
    assert graph.call(Trigger, "evaluation/score_0").success
    assert evaluator.wait(PATIENCE) == 0, evaluator.output()
    lines = read_results(out)[2]
    first, second = scored(lines).values()
    assert (first["score"], first["attempt"], first["scored_by"]) == (1.0, 2, "person"), "corrected from a half"
    assert (second["score"], second["ended"]) == (0.0, "stopped by the operator's e-stop")
    assert first["simulator_score"] is None and "video" not in first
    (invalid,) = (line for line in lines if line["type"] == "invalid")
    assert "no torque" in invalid["reason"] and "score" not in invalid and invalid["index"] == 0
    assert next(line for line in lines if line["type"] == "session")["operator"] == "somebody"
