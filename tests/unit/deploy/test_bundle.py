import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from clam_core.deploy import load_bundle
from clam_core.deploy.bundle import load_views, save_bundle
from clam_core.deploy.camera_view import CameraView
from clam_core.deploy.policy import Policy
from clam_core.errors import ClamError
from clam_core.models.actor import Actor, ActorConfig, ImageConfig
from clam_core.models.config import CnnConfig, DecoderConfig, PolicyConfig
from clam_core.spec import CameraSpec, EnvironmentSpec


@pytest.fixture(params=["latent", "direct"])
def actor(request: pytest.FixtureRequest) -> Actor:
    torch.manual_seed(0)
    policy = PolicyConfig(encoder="none", hidden=(16, 16), activation="gelu", chunk=4)
    latent = 3 if request.param == "latent" else None
    decoder = DecoderConfig(hidden=(8,), squash=False)
    actor = Actor(ActorConfig((0, 1, 3), (-1, -1, 2), True, 2, policy, latent_dim=latent, decoder=decoder))
    actor.features.fit([torch.randn(30, 4)])
    actor.low.fill_(-2.0)
    actor.high.fill_(2.0)
    return actor


@pytest.fixture
def bundle(actor: Actor, point_spec: EnvironmentSpec, tmp_path: Path) -> Path:
    save_bundle(tmp_path / "bundle", actor, point_spec, 0.5, {"seed": 1})
    return tmp_path / "bundle"


def test_a_loaded_bundle_acts_as_the_saved_policy(actor: Actor, bundle: Path, point_spec: EnvironmentSpec) -> None:
    saved = Policy(actor, point_spec, torch.device("cpu"), 0.5, {})
    loaded = load_bundle(bundle, "cpu")
    rng = np.random.default_rng(0)
    for _ in range(6):
        observation = {"state": rng.normal(size=4)}
        assert np.array_equal(saved.act(observation), loaded.act(observation))
    assert loaded.spec == point_spec
    assert loaded.provenance == {"seed": 1}


def test_reset_forgets_the_episode(bundle: Path) -> None:
    policy = load_bundle(bundle, "cpu")
    observation = {"state": np.ones(4)}
    first = policy.act(observation)
    policy.act({"state": np.zeros(4)})
    policy.reset()
    assert np.array_equal(policy.act(observation), first)


def test_actions_stay_inside_the_limits(bundle: Path) -> None:
    policy = load_bundle(bundle, "cpu")
    chunk = policy.predict_chunk({"state": np.full(4, 1e4)})
    assert chunk.shape == (4, 2)
    assert np.abs(chunk).max() <= 2.0


def test_overrides_shorten_the_chunk_and_change_m(bundle: Path) -> None:
    policy = load_bundle(bundle, "cpu", ensembling_m=0.1, chunk=2)
    assert policy.predict_chunk({"state": np.ones(4)}).shape == (2, 2)
    assert (policy.ensembler.m, policy.ensembler.chunk) == (0.1, 2)
    with pytest.raises(ClamError, match="chunk 5 asked for, this bundle predicts 4"):
        load_bundle(bundle, "cpu", chunk=5)


def test_missing_bundle_and_wrong_state_are_one_line(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ClamError, match="no bundle at"):
        load_bundle(tmp_path / "nowhere")
    with pytest.raises(ClamError, match=r"state has shape \(3,\), this policy takes \(4,\)"):
        load_bundle(bundle, "cpu").act({"state": np.zeros(3)})
    with pytest.raises(ClamError, match="no 'state', it has: images"):
        load_bundle(bundle, "cpu").act({"images": np.zeros(3)})
    with pytest.raises(ClamError, match="is not finite"):
        load_bundle(bundle, "cpu").act({"state": np.full(4, np.nan)})


def test_another_format_version_is_refused(bundle: Path) -> None:
    description = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(description | {"format_version": 7}))
    with pytest.raises(ClamError, match="format version 7"):
        load_bundle(bundle, "cpu")


def test_damaged_weights_are_one_clear_line(bundle: Path) -> None:
    weights = bundle / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ClamError, match="weights of bundle") as caught:
        load_bundle(bundle, "cpu")
    assert "\n" not in str(caught.value)


def test_a_saved_bundle_replaces_an_older_one_whole(actor: Actor, bundle: Path, point_spec: EnvironmentSpec) -> None:
    (bundle / "stale").touch()
    save_bundle(bundle, actor, point_spec, None, {})
    assert sorted(path.name for path in bundle.iterdir()) == ["bundle.json", "weights.safetensors"]


def test_views_of_cameras_come_back_as_they_were(actor: Actor, point_spec: EnvironmentSpec, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    view = CameraView(pictures, 0.4, 0.9, 0.2)
    save_bundle(tmp_path / "bundle", actor, point_spec, None, {}, {"top": view})
    (loaded,) = load_views(tmp_path / "bundle").values()
    np.testing.assert_array_equal(loaded.pictures, pictures)
    assert (loaded.threshold, loaded.right, loaded.wrong) == (0.4, 0.9, 0.2)
    assert load_bundle(tmp_path / "bundle", "cpu").spec == point_spec


def test_a_bundle_of_before_has_no_views_and_still_loads(bundle: Path) -> None:
    description = json.loads((bundle / "bundle.json").read_text())
    del description["views"]
    (bundle / "bundle.json").write_text(json.dumps(description))
    assert load_views(bundle) == {} and load_bundle(bundle, "cpu").chunk == 4


@pytest.mark.parametrize("damage", ["bytes", "numbers", "shape"])
def test_damaged_views_are_one_clear_line(
    actor: Actor, point_spec: EnvironmentSpec, tmp_path: Path, damage: str
) -> None:
    shape = (3, 8) if damage == "shape" else (3, 8, 8, 3)
    view = CameraView(np.zeros(shape, np.uint8), 0.4, 0.9, 0.2)
    save_bundle(tmp_path / "bundle", actor, point_spec, None, {}, {"top": view})
    if damage == "bytes":
        (tmp_path / "bundle" / "views.safetensors").write_bytes(b"no tensors")
    if damage == "numbers":
        description = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
        (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(description | {"views": {"top": {}}}))
    with pytest.raises(ClamError, match=r"views\.safetensors") as caught:
        load_views(tmp_path / "bundle")
    assert "\n" not in str(caught.value)


@pytest.fixture
def camera_policy(point_spec: EnvironmentSpec) -> Policy:
    torch.manual_seed(0)
    cameras = (CameraSpec("top", 24, 32), CameraSpec("side", 20, 20))
    spec = dataclasses.replace(point_spec, observation=dataclasses.replace(point_spec.observation, cameras=cameras))
    policy = PolicyConfig(encoder="impala", hidden=(16,), cnn=CnnConfig((4, 4), scale=1, embedding_dim=8))
    image = ImageConfig(("top", "side"), 16, 16, frame_stack=2)
    return Policy(Actor(ActorConfig((), (), False, 2, policy, image=image)), spec, torch.device("cpu"), None, {})


def pictures(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"top": (24, 32, 3), "side": (20, 20, 3)}
    return {"state": np.zeros(4)} | {n: rng.integers(0, 256, s, dtype=np.uint8) for n, s in shapes.items()}


def test_only_what_the_networks_look_at_is_named(camera_policy: Policy, point_spec: EnvironmentSpec) -> None:
    assert camera_policy.state_names == ()
    policy = PolicyConfig(encoder="none", hidden=(16,))
    sees = Policy(Actor(ActorConfig((3, 0), (-1, 2), True, 2, policy)), point_spec, torch.device("cpu"), None, {})
    assert sees.state_names == ("x", "vx", "vy")
    state = np.arange(4.0)
    expected = sees.predict_chunk({"state": state})
    sees.reset()
    np.testing.assert_array_equal(sees.predict_chunk({"state": np.where(np.arange(4) == 1, 99.0, state)}), expected)


def test_stacked_frames_are_those_of_the_episode(camera_policy: Policy) -> None:
    first, second = (camera_policy.predict_chunk(pictures(seed)) for seed in (0, 1))
    camera_policy.reset()
    assert np.array_equal(camera_policy.predict_chunk(pictures(0)), first)
    camera_policy.reset()
    assert not np.array_equal(camera_policy.predict_chunk(pictures(1)), second)  # no frame came before this time


def test_a_missing_or_wrong_picture_is_one_clear_line(camera_policy: Policy) -> None:
    with pytest.raises(ClamError, match="looks through camera 'top', but the observation has none"):
        camera_policy.act({"state": np.zeros(4)})
    wrong = pictures(0) | {"side": np.zeros((8, 8, 3), dtype=np.uint8)}
    with pytest.raises(ClamError, match=r"camera 'side' gives uint8 \(8, 8, 3\)"):
        camera_policy.act(wrong)
