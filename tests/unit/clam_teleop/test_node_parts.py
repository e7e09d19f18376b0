from __future__ import annotations

import json
import re
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
pytest.importorskip("clam_teleop", reason="needs clam_teleop (make setup)")

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from clam_core.errors import ClamError
from clam_core.teleop.messages import DEVICES
from clam_core.teleop.sample import BUTTONS
from clam_core.teleop.settings import BOUNDS
from clam_teleop import measure_latency
from clam_teleop.addresses import checked_name, machine_addresses, machine_names
from clam_teleop.invitation import invitation
from clam_teleop.link_statistics import Answer, LinkStatistics
from clam_teleop.parameters import ABOUT
from clam_teleop.reports import OLD, SILENT, Report, read_diagnostic, read_recorder
from clam_teleop.teleop import Teleop

PAGE = Path(str(files("clam_teleop"))) / "page"


def test_page_and_node_know_the_same_devices_and_buttons() -> None:
    scripts = "".join(path.read_text() for path in PAGE.glob("*.js"))
    assert set(re.findall(r'device: "(\w+)"', scripts)) == set(DEVICES)
    assert set(re.findall(r'data-button="(\w+)"', (PAGE / "index.html").read_text())) == set(BUTTONS)
    for name in ("keyboard.js", "gamepad.js", "headset.js"):
        text = (PAGE / name).read_text()
        assert all(f'"{button}"' in text or f"{button}:" in text for button in BUTTONS), name


def test_every_setting_is_described() -> None:
    assert ABOUT.keys() == BOUNDS.keys()


def test_the_invitation_has_every_address_and_a_code_for_the_first() -> None:
    text = invitation("https", ["10.0.0.1", "127.0.0.1"], 8443, "abcdefghijkl")
    assert "https://10.0.0.1:8443/abcdefghijkl/" in text and "https://127.0.0.1:8443/abcdefghijkl/" in text
    assert "█" in text or "▄" in text or "\x1b[" in text


def test_this_machine_has_an_address() -> None:
    assert machine_addresses()[-1] == "127.0.0.1"


@pytest.mark.parametrize("host", ["Robot", "höst", "a b", "-x"])
def test_the_machines_own_names_are_sound_whatever_it_is_called(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert [checked_name(name) for name in machine_names()] == (["robot", "robot.local"] if host == "Robot" else [])


def test_names_are_written_as_browsers_write_them() -> None:
    assert checked_name("Robot.Local") == "robot.local" and checked_name("192.168.1.7") == "192.168.1.7"


@pytest.mark.parametrize("name", ["höst", "a host", "fe80::1", "[::1]", "-robot", "a..b", "http://robot", "x" * 64])
def test_a_name_that_no_address_can_hold_is_one_clear_line(name: str) -> None:
    with pytest.raises(ClamError, match=r"is no host name or IPv4|served over IPv4"):
        checked_name(name)


@pytest.mark.parametrize("seconds", ["-1", "0", "nan"])
def test_a_measurement_of_no_time_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        measure_latency.main(["--seconds", seconds])
    assert ended.value.code == 2 and "give a positive number" in capsys.readouterr().err


def test_a_diagnostic_becomes_a_report_that_grows_old() -> None:
    status = DiagnosticStatus(level=b"\x01", message="hold", values=[KeyValue(key="state", value="hold")])
    report = read_diagnostic(status)
    assert (report.level, report.message, report.facts) == (1, "hold", {"state": "hold"})
    assert report.as_json()["message"] == "hold"
    old = Report(0, "hold", heard=time.monotonic() - OLD - 1)
    assert old.as_json() == {"level": 2, "message": SILENT, "lines": []}


def test_a_recorders_status_becomes_lines_for_the_operator() -> None:
    status = {
        "state": "recording",
        "episode": "episode_0003",
        "seconds": 12.34,
        "kept": 3,
        "discarded": 1,
        "disk_left_bytes": 5 * 2**30,
        "minutes_left": 42.0,
        "topics": {
            "/joint_states": {"rate": 31.0, "expected": 50.0, "ok": False},
            "/x": {"rate": 1, "expected": None},
            "/a/camera/front/compressed": {"rate": 30.0, "expected": 30.0, "ok": True},
        },
        "warnings": ["/joint_states sags"],
        "refusals": ["not now"],
    }
    report = read_recorder(json.dumps(status))
    assert report.level == 1 and report.facts["state"] == "recording"
    assert ("episode", "episode_0003 12 s", 0) in report.lines
    assert ("disk", "5.0 GiB left, 42 min", 0) in report.lines
    assert ("joint_states", "31 of 50 Hz", 2) in report.lines
    assert ("front", "30 of 30 Hz", 0) in report.lines
    assert ("warning", "/joint_states sags", 1) in report.lines
    assert not any("not now" in line[1] for line in report.lines), "that is about the next one"
    assert read_recorder(json.dumps({**status, "state": "idle"})).level == 2
    assert read_recorder("{}").message == "?"
    assert read_recorder("nonsense").level == 2


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "3",
        '{"state": "idle", "topics": {"a": {"expected": 3}}}',
        '{"topics": {"a": {"expected": "many", "rate": 1}}}',
        '{"topics": {"a": 3}}',
        '{"topics": []}',
        '{"state": "recording", "seconds": "x"}',
        '{"warnings": 3}',
        '{"refusals": 3, "state": "idle"}',
        '{"disk_left_bytes": "much"}',
        '{"disk_left_bytes": 1, "minutes_left": []}',
        "[" * 100_000,
    ],
)
def test_a_recorder_that_cannot_be_understood_is_shown_as_one(text: str) -> None:
    report = read_recorder(text)
    assert (report.level, report.facts) == (2, {}) and "not understood" in report.message


def test_rates_are_of_the_last_second_and_ages_are_percentiles() -> None:
    link, now = LinkStatistics(), time.monotonic()
    for step in range(60):
        link.arrived(now - step / 60)
        link.arrived(now - 100 - step)
    assert 50 <= link.rate <= 61
    link.answers = []
    for step in range(60):
        answer = Answer(step, 0.0, time.monotonic() - 0.5 - 0.001 * step)
        link.commanded(answer)
        link.commanded(answer)  # the next command, without a new message
    median, worst = link.ages()
    assert median == pytest.approx(0.5295, abs=0.01) and worst == pytest.approx(0.559, abs=0.02)
    assert [item.command for item in link.answers] == list(range(60))


def test_what_the_servers_thread_begins_to_count_meanwhile_ends_no_diagnosis() -> None:
    class Growing(Counter[str]):
        """Each key that is taken over, the server counts something new."""

        def __setitem__(self, key: str, value: int) -> None:
            super().__setitem__(key, value)
            server.counters[f"after {key}"] += 1

    server = SimpleNamespace(counters=Counter({"messages refused": 2, "second operators": 1}))
    node: Any = SimpleNamespace(
        counters=Growing(),
        link=LinkStatistics(),
        _server=server,
        _teleoperator=SimpleNamespace(counts={"messages": 3}, clutch=SimpleNamespace(counts={})),
    )
    Teleop._count(node)
    assert node.counters["messages refused"] == 2 and node.counters["second operators"] == 1
