"""The sidecar of a bag: what it catches, and that an importer asks it."""

import json

import pytest
import yaml

from clam_core.data.bag_integrity import FileDigest, check_files, seal
from clam_core.data.rosbag import import_rosbag
from clam_core.errors import ClamError

COUNTS = {"/observation/state": 11, "/command": 10, "/episode/status": 11}


@pytest.fixture
def sealed(tmp_path, tiny, make_bag):
    """A folder with two bags; only the second one is tampered with."""
    folder = tmp_path / "bags"
    for index in range(2):
        bag = make_bag(tiny.episode(index)).write(folder / f"episode_{index}")
        seal(bag, COUNTS)
    return folder


def truncate(bag):
    file = bag / f"{bag.name}.mcap"
    file.write_bytes(file.read_bytes()[:-100])


def grow(bag):
    with (bag / f"{bag.name}.mcap").open("ab") as file:
        file.write(b"more")


def flip(bag):
    """One bit of a value: the bag still opens, and the episode would import with a wrong number."""
    file = bag / f"{bag.name}.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(bytes(data))


def remove(bag):
    (bag / "metadata.yaml").unlink()


def edit(bag):
    file = bag / "metadata.yaml"
    file.write_text(file.read_text().replace("message_count: 11", "message_count: 12"))


def add(bag):
    (bag / "more.mcap").write_bytes((bag / f"{bag.name}.mcap").read_bytes())


def recount(bag):
    """What a recorder would write that lost a message on its way to the file."""
    seal(bag, {**COUNTS, "/command": 11})


def spoil_sidecar(bag):
    (bag / "integrity.json").write_text("{")


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (truncate, "episode_1.mcap is cut off"),
        (grow, "episode_1.mcap is longer than recorded"),
        (flip, "episode_1.mcap is damaged or edited"),
        (remove, "metadata.yaml is missing"),
        (edit, "metadata.yaml is damaged or edited"),
        (add, "more.mcap was not written by the recorder"),
        (recount, "'/command' has 10 messages, recorded were 11"),
        (spoil_sidecar, "integrity.json cannot be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bag_that_is_not_what_was_recorded_is_rejected_in_one_line(sealed, tmp_path, tamper, why):
    tamper(sealed / "episode_1")
    report = import_rosbag(sealed, tmp_path / "out")
    assert report.kept == ("episode_0",)
    assert why in report.rejected[0][1]
    assert "\n" not in report.rejected[0][1]


def test_sound_bags_pass_and_episode_yaml_may_be_corrected(sealed, tmp_path):
    (sealed / "episode_1/episode.yaml").write_text(yaml.safe_dump({"task": "t", "success": False}))
    assert import_rosbag(sealed, tmp_path / "out").kept == ("episode_0", "episode_1")


def test_without_the_sidecar_a_bag_is_taken_as_it_is(sealed, tmp_path):
    flip(sealed / "episode_1")
    (sealed / "episode_1/integrity.json").unlink()
    assert check_files(sealed / "episode_1") is None


def test_a_digest_kept_up_while_a_file_grows_is_that_of_the_whole_file(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    growing = FileDigest(file)
    for part in (b"a" * 3_000_000, b"", b"b"):
        with file.open("ab") as stream:
            stream.write(part)
        growing.update()
    assert growing.facts() == FileDigest(file).facts()
    assert growing.facts()["bytes"] == 3_000_001
    file.write_bytes(b"new")
    growing.restart()
    assert growing.facts() == FileDigest(file).facts()


def test_a_sidecar_is_never_half_written(sealed, monkeypatch):
    bag = sealed / "episode_1"
    before = json.loads((bag / "integrity.json").read_text())

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clam_core.data.bag_integrity.os.replace", fail)
    with pytest.raises(OSError, match="No space"):
        seal(bag, {})
    assert json.loads((bag / "integrity.json").read_text()) == before
    truncate(bag)
    with pytest.raises(ClamError, match="cut off"):
        check_files(bag)
