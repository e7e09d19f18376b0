"""Checks of cameras: what comes, what becomes of it, and whether it shows what training showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from clam_core.data.images import resize
from clam_core.deploy.camera_view import CameraView, Picture
from clam_core.doctor.finding import Finding
from clam_core.doctor.heard import Heard, Needs, Seen

LEAST_KEPT = 0.5  # of an image: the policy's part of it, its middle
DARK = 0.5  # of training's mean brightness, and its inverse
PLAIN = 4.0  # [of 255] standard deviation of a picture that shows nothing
EXCHANGED = -0.5  # agreement of colours below which red is blue


def images(needs: Needs, heard: Heard) -> Iterator[Finding]:
    """Size and encoding of what comes, and what the policy is shown of it."""
    sizes = {camera.name: (camera.height, camera.width) for camera in needs.spec.observation.cameras}
    for camera in needs.cameras.values():
        if (seen := heard.seen.get(camera)) is not None:
            yield _image(f"camera {camera}", seen, sizes[camera])


def views(needs: Needs, heard: Heard, views: Mapping[str, CameraView]) -> Iterator[Finding]:
    """Whether each camera looks as it did in training."""
    for camera in needs.cameras.values():
        seen = heard.seen.get(camera)
        if camera not in views:
            mend = "retrain with this version, or look at --picture"
            yield Finding(f"view of {camera}", "warn", "the bundle has no reference picture", mend)
        elif seen is not None and seen.picture is not None:
            yield compare(camera, views[camera], live_picture(views[camera], seen.picture))


def live_picture(view: CameraView, picture: Picture) -> Picture:
    """`picture` as large as those of `view`."""
    return resize(picture, *view.size)


def compare(camera: str, view: CameraView, picture: Picture) -> Finding:
    """A live `picture`, of the size of the view's, against training."""
    about, likeness = f"view of {camera}", view.similarity(picture)
    text = f"similarity {likeness:.2f} with training, at least {view.threshold:.2f} is asked for"
    mend = "compare them with clam doctor BUNDLE --picture FILE.png, then move the camera back"
    blind = picture.std() < PLAIN
    if view.right <= view.threshold and not (blind and view.pictures.std() >= PLAIN):
        # As of a camera on the wrist: the gate must not stay closed to what training's own pictures do not pass.
        why = f"training's own differ too much to be compared with (similarity {view.right:.2f})"
        return Finding(about, "warn", why, "compare them by eye with clam doctor BUNDLE --picture FILE.png")
    if likeness < view.threshold:
        why = "nothing to be seen" if blind else "another camera, moved, turned or blocked"
        return Finding(about, "fail", f"{text}: {why}", mend)
    if view.colour_agreement(picture) < EXCHANGED:
        return Finding(about, "fail", f"{text}, but red and blue look exchanged", "check the camera's encoding")
    light = float(picture.mean()) / max(float(view.pictures.mean()), 1.0)
    if not DARK < light < 1 / DARK:
        return Finding(about, "warn", f"{text}, but it is {light:.1f} times as bright", "light it as in training")
    if likeness < (view.threshold + view.right) / 2:
        return Finding(about, "warn", f"{text}; training's own have {view.right:.2f}", mend)
    return Finding(about, "ok", text)


def _image(about: str, seen: Seen, size: tuple[int, int]) -> Finding:
    if seen.picture is None:
        return Finding(about, "fail", seen.problem, "set the camera to rgb8, bgr8 or mono8")
    height, width = size
    text = f"{seen.width}x{seen.height} {seen.encoding} → {width}x{height}"
    if (seen.height, seen.width) == size:
        text = f"{seen.width}x{seen.height} {seen.encoding}, as trained"
    if np.array_equal(seen.picture[..., 0], seen.picture[..., 1]) and np.ptp(seen.picture) > 0:
        return Finding(about, "warn", f"{text}, but it is gray", "the policy may have learned from colours")
    if seen.height < height or seen.width < width:
        return Finding(about, "warn", f"{text}: smaller than in training", "raise the camera's resolution")
    aspects = seen.width * height, seen.height * width
    kept = min(aspects) / max(aspects)
    if kept < LEAST_KEPT:
        return Finding(
            about, "warn", f"{text}: its middle, {kept:.0%} of it", "choose a size nearer to the policy's shape"
        )
    return Finding(about, "ok", text + ("" if kept > 0.999 else ", its middle"))
