"""A dataset as tensors on the training device; a batch is an index gather, not a worker pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.models.images import in_unit_range, resize, stack_frames
from clam_core.models.observations import Observations
from clam_core.training.augmentation import AugmentationConfig, augment
from clam_core.training.frames import Frames, StoreFrames, open_store_frames
from clam_core.training.sampler import Sampler


@dataclass(frozen=True)
class Span:
    """What a batch shows around transition t.

    Observations o_{t−context} … o_{t+ahead}, and targets and mask of the `count` transitions from t+first on. Images
    are resized to `image_size` (None: as loaded).
    """

    context: int = 0
    ahead: int = 1
    first: int = 0
    count: int = 1
    image_size: int | None = None

    @classmethod
    def of_lam(cls, context: int, steps: int, image_size: int | None = None) -> Span:
        """The window of a latent action model with H = `context` that predicts k = `steps` ahead."""
        return cls(context, steps, -context, context + steps, image_size)

    @classmethod
    def of_policy(cls, chunk: int) -> Span:
        """o_t and the chunk that begins there."""
        return cls(0, 0, 0, chunk)


@dataclass(frozen=True)
class Batch:
    """`window` ``(B, context+1+ahead, …)``; `target` ``(B, count, ·)``; `mask` ``(B, count)``: inside the episode."""

    window: Observations
    context: int
    target: Tensor | None
    mask: Tensor

    @property
    def observation(self) -> Observations:
        """o_t ``(B, …)``."""
        return self.window.time(self.context)

    def tensors(self) -> dict[str, Tensor]:
        """All its tensors, by name."""
        named = vars(self.window) | {"target": self.target, "mask": self.mask}
        return {name: value for name, value in named.items() if value is not None}

    def with_tensors(self, tensors: dict[str, Tensor]) -> Batch:
        """Inverse of `tensors`: the same batch with other numbers in it."""
        window = Observations(tensors["state"], tensors.get("images"), tensors["timestep"])
        return Batch(window, self.context, tensors.get("target"), tensors["mask"])


@dataclass(frozen=True)
class RawEpisodes:
    """Episodes of some stores as tensors: `states` ``(T+1, D)`` each, `actions` ``(T, A)`` each or None (unlabeled).

    `frames` holds the images of all episodes, those of episode i from row ``frame_starts[i]`` on. `numbers` are those
    of the episodes among all that a run was given: a dataset in two roles has the same ones in both, so that what one
    role holds out the other does not learn from. Empty: 0, 1, ….
    """

    states: list[Tensor]
    actions: list[Tensor] | None
    frames: Frames | None = None
    frame_starts: tuple[int, ...] = ()
    frame_stack: int = 1
    numbers: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.states)

    def split(self, held_out: float) -> tuple[RawEpisodes, RawEpisodes | None]:
        """Train and held-out episodes: every n-th is held out; None where there are too few for that."""
        if held_out <= 0:
            return self, None
        stride, train, held = round(1 / held_out), list[int](), list[int]()
        for i, number in enumerate(self.numbers or range(len(self))):
            (held if number % stride == stride - 1 else train).append(i)
        if not held or not train:
            return self, None
        return self._subset(train), self._subset(held)

    def without_actions(self) -> RawEpisodes:
        """The same episodes, unlabeled."""
        return replace(self, actions=None)

    def _subset(self, which: list[int]) -> RawEpisodes:
        actions = None if self.actions is None else [self.actions[i] for i in which]
        starts = tuple(self.frame_starts[i] for i in which) if self.frames else ()
        numbers = tuple(self.numbers[i] for i in which) if self.numbers else ()
        states = [self.states[i] for i in which]
        return replace(self, states=states, actions=actions, frame_starts=starts, numbers=numbers)


class Transitions:
    """The transitions of some episodes, M in all, seen through a `span`.

    ``features (N, F)`` has a row for every observation, T+1 for an episode of T transitions; ``targets (M, ·)``, when
    known, a row for every transition (its action or latent action). Before an episode's first observation and after
    its last one these are repeated, and so are targets, which the mask then leaves out. Images that `sample` draws are
    changed by `augmentation`.
    """

    def __init__(
        self,
        features: Tensor,
        episodes: RawEpisodes,
        span: Span,
        sampler: Sampler,
        targets: Tensor | None = None,
        augmentation: AugmentationConfig | None = None,
    ) -> None:
        device = features.device
        self.lengths = [len(states) - 1 for states in episodes.states]
        length = torch.tensor(self.lengths, device=device)
        episode = torch.repeat_interleave(torch.arange(len(length), device=device), length)
        self._number = torch.arange(len(episode), device=device)
        self._row = self._number + episode  # every earlier episode has one observation more than transitions
        self._first_number = (length.cumsum(0) - length)[episode]
        self._last_number = length.cumsum(0)[episode] - 1
        self._first_row = self._first_number + episode
        self._last_row = self._last_number + episode + 1
        if episodes.frames is not None:
            self._frame_shift = torch.tensor(episodes.frame_starts, device=device)[episode] - self._first_row
        self._device = device
        self.features, self.episodes, self.sampler, self.targets = features, episodes, sampler, targets
        self.augmentation = augmentation or AugmentationConfig()
        self._set_span(span)

    def _set_span(self, span: Span) -> None:
        self.span = span
        self._around = torch.arange(-span.context, span.ahead + 1, device=self._device)
        self._targeted = torch.arange(span.first, span.first + span.count, device=self._device)

    def __len__(self) -> int:
        return len(self._number)

    def gather(self, which: Tensor) -> Batch:
        """The transitions numbered `which` ``(B,)``, counted over all episodes; images in [0, 1]."""
        return _with_images(self._gather(which), in_unit_range)

    def _gather(self, which: Tensor) -> Batch:
        """With images as they are stored."""
        first, last = self._first_row[which, None], self._last_row[which, None]
        rows = (self._row[which, None] + self._around).clamp(first, last)
        window = Observations(self.features[rows], self._images(which, rows, first), rows - first)
        numbers = which[:, None] + self._targeted
        first, last = self._first_number[which, None], self._last_number[which, None]
        inside = numbers.clamp(first, last)
        target = None if self.targets is None else self.targets[inside]
        return Batch(window, self.span.context, target, inside == numbers)

    def _images(self, which: Tensor, rows: Tensor, first: Tensor) -> Tensor | None:
        """Images of feature rows ``(B, T)``, with the earlier frames that are stacked on each."""
        frames, stack = self.episodes.frames, self.episodes.frame_stack
        if frames is None:
            return None
        earlier = torch.arange(1 - stack, 1, device=self._device)
        stacked = torch.maximum(rows[..., None] + earlier, first[..., None]) + self._frame_shift[which, None, None]
        images = stack_frames(frames.rows(stacked), frames.shape[0] // 3)
        if self.span.image_size is not None:
            resized = resize(images.flatten(0, 1), self.span.image_size)
            images = resized.view(*rows.shape, *resized.shape[1:])
        return images

    def sample(self, batch_size: int) -> Batch:
        """Uniform over transitions, with replacement."""
        batch = self._gather(self.sampler.draw(len(self), batch_size))
        return _with_images(batch, lambda images: augment(images, self.augmentation))

    def batches(self, batch_size: int | None = None, limit: int | None = None) -> Iterator[Batch]:
        """All transitions once, in order; at most `limit` of them, evenly spaced."""
        which = self._number
        if limit is not None and limit < len(self):
            which = self._number[:limit] * (len(self) - 1) // max(limit - 1, 1)  # whole numbers: exact at any size
        for part in torch.split(which, batch_size or (4096 if self.episodes.frames is None else 256)):
            yield self.gather(part)

    def with_span(self, span: Span) -> Transitions:
        """The same transitions, seen through another span."""
        return Transitions(self.features, self.episodes, span, self.sampler, self.targets, self.augmentation)

    def with_targets(self, targets: Tensor, span: Span) -> Transitions:
        """The same transitions with other targets ``(M, ·)``, e.g. the latent actions of Algorithm 1, line 16."""
        return Transitions(self.features, self.episodes, span, self.sampler, targets, self.augmentation)


def _with_images(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    window = batch.window
    return batch if window.images is None else replace(batch, window=replace(window, images=change(window.images)))


def _check_finite(store: EpisodeStore, what: str, values: Tensor, begin: int = 0) -> None:
    """Raise ClamError if an entry of `values` ``(N, D)``, rows of the dataset from `begin` on, is no finite number."""
    if values.isfinite().all():
        return
    row, entry = (~values.isfinite()).nonzero()[0].tolist()
    spec = store.info.spec.observation if what == "state" else store.info.spec.action
    episode = int((store.episode_ends <= begin + row).sum())
    raise ClamError(
        f"dataset '{store.path}': {what} '{spec.names[entry]}' of episode {episode} is not finite; leave that episode "
        "out with clam select --episodes, or record it anew"
    )


def load_episodes(
    stores: Sequence[EpisodeStore],
    device: torch.device,
    cameras: tuple[str, ...] = (),
    image_size: int | None = None,
    frame_stack: int = 1,
    memory_limit_bytes: int = 4 << 30,
    numbers: tuple[int, ...] = (),
    store_frames: StoreFrames | None = None,
) -> RawEpisodes:
    """All episodes of `stores` on `device`; actions only if the stores were opened with them. `numbers`: see there.

    Images of `cameras` are held on the device, or streamed from disk where they exceed `memory_limit_bytes`; those of
    `store_frames` are open already.

    Raises:
        ClamError: a store has no episodes, or lacks a camera.
    """
    states: list[Tensor] = []
    actions: list[Tensor] = []
    starts: list[int] = []
    if store_frames is None:
        store_frames = open_store_frames(stores, cameras, image_size, device, memory_limit_bytes)
    for store in stores:
        if store.num_episodes == 0:
            raise ClamError(f"dataset '{store.path}' has no episodes; record or generate some")
        all_states = torch.as_tensor(store.array("state"), dtype=torch.float32, device=device)
        all_actions = None
        if store.has_actions:
            all_actions = torch.as_tensor(store.array("action"), dtype=torch.float32, device=device)
        begin, row = 0, store_frames.first_row(store) if store_frames else 0
        _check_finite(store, "state", all_states)
        for end in store.episode_ends.tolist():
            states.append(all_states[begin:end])
            if all_actions is not None:
                actions.append(all_actions[begin : end - 1])
                _check_finite(store, "action", actions[-1], begin)
            starts.append(row + begin)
            begin = end
    frames = None if store_frames is None else store_frames.frames
    known = actions if all(store.has_actions for store in stores) else None
    return RawEpisodes(states, known, frames, tuple(starts) if frames else (), frame_stack, numbers)
