"""Where the images of a dataset live during training: on the device, or on disk where they do not fit."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from clam_core.cores import usable_cores
from clam_core.data.store import EpisodeStore
from clam_core.errors import ClamError
from clam_core.models.images import resize

GIB = 2**30
DECODERS = min(8, usable_cores())  # decompression leaves Python's lock, so threads help
_log = logging.getLogger(__name__)


class Frames(ABC):
    """Images of all observations of some stores, V cameras along the channels; `shape` is (3·V, H, W)."""

    shape: tuple[int, int, int]
    bytes: int  # of all images

    @abstractmethod
    def rows(self, index: Tensor) -> Tensor:
        """Images of the observations numbered `index` ``(...)`` → uint8 ``(..., 3·V, H, W)`` on the device."""


class MemoryFrames(Frames):
    """All images as one tensor on the training device."""

    def __init__(self, images: Tensor) -> None:
        self._images = images
        rows, channels, height, width = images.shape
        self.shape = (channels, height, width)
        self.bytes = rows * channels * height * width

    def rows(self, index: Tensor) -> Tensor:
        """See `Frames`."""
        if self._images.is_cuda:
            return self._images[index]
        return torch.from_numpy(self._images.numpy().take(index.numpy(), axis=0))  # ten times as fast as indexing


class StreamedFrames(Frames):
    """Images read from the stores' compressed chunks, those of a batch in parallel.

    The chunks used last stay decoded, up to `cache_bytes` (one chunk at least).
    """

    def __init__(self, source: _Source, device: torch.device, cache_bytes: int) -> None:
        self._source, self._device, self._cache_bytes = source, device, cache_bytes
        self.shape, self.bytes = source.shape, source.bytes
        self._cache: OrderedDict[_Chunk, Tensor] = OrderedDict()
        self._cached_bytes = 0
        self._pool = ThreadPoolExecutor(DECODERS, thread_name_prefix="frames")

    def rows(self, index: Tensor) -> Tensor:
        """See `Frames`."""
        wanted, place = torch.unique(index.cpu(), return_inverse=True)
        images = torch.empty((len(wanted), *self.shape), dtype=torch.uint8)
        parts = self._source.locate(wanted.numpy())
        for chunk, content in self._contents(list(parts)):
            positions, offsets = parts[chunk]
            images[positions, chunk.channels] = content[offsets]
        return images[place].to(self._device)

    def _contents(self, chunks: list[_Chunk]) -> Iterator[tuple[_Chunk, Tensor]]:
        """Every chunk, decoded: first the cached ones, as keeping a new one may evict them."""
        missing = [chunk for chunk in chunks if chunk not in self._cache]
        for chunk in chunks:
            if chunk in self._cache:
                self._cache.move_to_end(chunk)
                yield chunk, self._cache[chunk]
        for chunk, content in zip(missing, self._pool.map(self._source.read, missing), strict=True):
            yield chunk, content
            self._keep(chunk, content)

    def _keep(self, chunk: _Chunk, content: Tensor) -> None:
        self._cache[chunk] = content
        self._cached_bytes += content.numel()
        while self._cached_bytes > self._cache_bytes and len(self._cache) > 1:
            self._cached_bytes -= self._cache.popitem(last=False)[1].numel()


class _Chunk(NamedTuple):
    """A chunk of one camera's Zarr array; each array has its own chunk length."""

    store: int
    camera: int
    number: int

    @property
    def channels(self) -> slice:
        """Where the camera lies along the channels."""
        return slice(3 * self.camera, 3 * self.camera + 3)


class _Source:
    """The camera images of several stores, their rows counted through, as chunks to read."""

    def __init__(self, stores: Sequence[EpisodeStore], cameras: tuple[str, ...], image_size: int | None) -> None:
        self._arrays = [[store.image_array(camera) for camera in cameras] for store in stores]
        self._image_size = image_size
        sizes = {
            (camera, array.shape[1:3])
            for arrays in self._arrays
            for camera, array in zip(cameras, arrays, strict=True)
        }  # fmt: skip
        if image_size is None and len({size for _, size in sizes}) > 1:
            found = ", ".join(f"{camera} {height}×{width}" for camera, (height, width) in sorted(sizes))
            raise ClamError(f"the cameras have several sizes ({found}); set features.image_size")
        height, width = (image_size, image_size) if image_size else self._arrays[0][0].shape[1:3]
        self.shape = (3 * len(cameras), height, width)
        self._lengths = [store.num_rows for store in stores]
        self._first_rows = np.cumsum([0, *self._lengths[:-1]])
        self.length = sum(self._lengths)
        self.bytes = self.length * 3 * len(cameras) * height * width

    def locate(self, rows: npt.NDArray[np.int64]) -> dict[_Chunk, tuple[Tensor, Tensor]]:
        """The chunks that hold `rows` (ascending), each with positions in `rows` and rows within the chunk."""
        parts = {}
        store_of = np.searchsorted(self._first_rows, rows, side="right") - 1
        for store in np.unique(store_of).tolist():
            positions = np.flatnonzero(store_of == store)
            local = rows[positions] - self._first_rows[store]
            for camera, array in enumerate(self._arrays[store]):
                numbers, begins = np.unique(local // array.chunks[0], return_index=True)
                split = zip(
                    numbers.tolist(), np.split(positions, begins[1:]), np.split(local, begins[1:]), strict=True
                )  # fmt: skip
                for number, there, inside in split:
                    offsets = torch.from_numpy(inside - number * array.chunks[0])
                    parts[_Chunk(store, camera, number)] = torch.from_numpy(there), offsets
        return parts

    def chunks(self) -> list[_Chunk]:
        """All chunks."""
        return [
            _Chunk(store, camera, number)
            for store, arrays in enumerate(self._arrays)
            for camera, array in enumerate(arrays)
            for number in range(-(-self._lengths[store] // array.chunks[0]))
        ]

    def first_row(self, chunk: _Chunk) -> int:
        """Row with which a chunk begins."""
        return int(self._first_rows[chunk.store]) + chunk.number * int(
            self._arrays[chunk.store][chunk.camera].chunks[0]
        )

    def read(self, chunk: _Chunk) -> Tensor:
        """The images of a chunk ``(rows, 3, H, W)`` uint8, resized."""
        array = self._arrays[chunk.store][chunk.camera]
        begin = chunk.number * array.chunks[0]
        end = min(begin + array.chunks[0], self._lengths[chunk.store])
        images = torch.from_numpy(np.asarray(array[begin:end])).permute(0, 3, 1, 2)
        return (resize(images, self._image_size) if self._image_size else images).contiguous()


@dataclass(frozen=True)
class StoreFrames:
    """Images of some stores, each of them once; those of a store begin at its row of `first_rows` (by path)."""

    frames: Frames
    first_rows: Mapping[Path, int]

    def first_row(self, store: EpisodeStore) -> int:
        """Row with which the images of `store` begin."""
        return self.first_rows[store.path.resolve()]


def open_store_frames(
    stores: Sequence[EpisodeStore],
    cameras: tuple[str, ...],
    image_size: int | None,
    device: torch.device,
    memory_limit_bytes: int,
) -> StoreFrames | None:
    """`open_frames` of every store once, however often it is in `stores`."""
    distinct = list({store.path.resolve(): store for store in stores}.values())
    frames = open_frames(distinct, cameras, image_size, device, memory_limit_bytes)
    if frames is None:
        return None
    first_rows = accumulate((store.num_rows for store in distinct[:-1]), initial=0)
    return StoreFrames(frames, dict(zip((store.path.resolve() for store in distinct), first_rows, strict=True)))


def open_frames(
    stores: Sequence[EpisodeStore],
    cameras: tuple[str, ...],
    image_size: int | None,
    device: torch.device,
    memory_limit_bytes: int,
) -> Frames | None:
    """The images of `cameras`, on the device if they take at most `memory_limit_bytes`; None without cameras.

    Raises:
        ClamError: a store lacks a camera, or cameras have several sizes and no `image_size` is given.
    """
    if not cameras:
        return None
    source = _Source(stores, cameras, image_size)
    size, limit = source.bytes / GIB, memory_limit_bytes / GIB
    if source.bytes > memory_limit_bytes:
        _log.info("%.2f GiB of images exceed data.memory_limit_gib=%.2f: streaming them from disk", size, limit)
        return StreamedFrames(source, device, cache_bytes=memory_limit_bytes)
    _log.info("%.2f GiB of images (data.memory_limit_gib=%.2f) are held on %s", size, limit, device)
    images = torch.empty((source.length, *source.shape), dtype=torch.uint8, device=device)
    for chunk in tqdm(source.chunks(), desc="images", unit="chunk", disable=None, delay=2):
        content, first = source.read(chunk), source.first_row(chunk)
        images[first : first + len(content), chunk.channels] = content.to(device)
    return MemoryFrames(images)
