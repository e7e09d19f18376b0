"""Reads an MCAP file that nobody closed, or that is damaged: record by record, past what cannot be read.

A chunk says its own lengths, twice: after a damaged spot the next one is found by them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import zstandard
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, get_chunk_data_stream

MAGIC = b"\x89MCAP0\r\n"
RECORD_SIZE_LIMIT = 2**30  # bytes; what a damaged length field may ask for at most
PRIVATE = 0x80  # from here on, records are of whoever writes them
COMPRESSIONS = (b"", b"lz4", b"zstd")
_HEAD = struct.Struct("<BQ")  # of every record: opcode and length
_CHUNK_HEAD = struct.Struct("<QQQII")  # of a chunk: first, last time, size, CRC, length of its compression's name
_END = _HEAD.pack(Opcode.FOOTER, 20) + bytes(20) + MAGIC  # the reader wants to see one
_BLOCK = 2**20  # bytes read at once

#: A record that is damaged shows it in one of these ways.
_DAMAGE = (McapError, ValueError, LookupError, RuntimeError, struct.error, zstandard.ZstdError)


class McapScan:
    """The messages of `file` that can be read, in order.

    `damaged` counts the bytes that were passed over by now, 0 for a file that is sound or only ends too early.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.damaged = 0

    def __iter__(self) -> Iterator[tuple[Schema, Channel, Message]]:
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        self.damaged = 0
        for record in self._records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels.get(record.channel_id)
                if channel is None or channel.schema_id not in schemas:
                    self.damaged += len(record.data)  # what it is of was told in a damaged place
                else:
                    yield schemas[channel.schema_id], channel, record

    def _records(self) -> Iterator[McapRecord]:
        size = self.file.stat().st_size
        with self.file.open("rb") as stream:
            position = len(MAGIC)
            while position < size:
                try:
                    records, after = _records_at(stream, position, size)
                except _DAMAGE:
                    after = _next_chunk(stream, position + 1, size)
                    if after < size or not _is_cut_off(stream, position, size):
                        self.damaged += after - position
                    records = []
                yield from records
                position = after


def has_end(file: Path) -> bool:
    """Whether the recorder closed the MCAP `file`."""
    with file.open("rb") as stream:
        stream.seek(0, 2)
        if stream.tell() < 2 * len(MAGIC):
            return False
        stream.seek(-len(MAGIC), 2)
        return stream.read() == MAGIC


def _records_at(stream: BinaryIO, position: int, size: int) -> tuple[list[McapRecord], int]:
    """The record at `position`, or those in it if it is a chunk, and where the next one begins."""
    stream.seek(position)
    head = stream.read(_HEAD.size)
    opcode, length = _HEAD.unpack(head)
    after = position + _HEAD.size + length
    if not opcode or (PRIVATE > opcode > max(Opcode)) or length > RECORD_SIZE_LIMIT or after > size:
        raise ValueError(f"no record of {length} bytes at {position}")
    if opcode == Opcode.FOOTER:
        return [], size
    source = BytesIO(head + stream.read(length) + _END)
    reader = StreamReader(source, skip_magic=True, emit_chunks=True, record_size_limit=RECORD_SIZE_LIMIT)
    records = list(reader.records)[:-1]
    if records and isinstance(records[0], Chunk):
        return list(_in_chunk(records[0])), after
    return records, after


def _in_chunk(chunk: Chunk) -> Iterator[McapRecord]:
    """As the `mcap` package does, but strict: not every recorder writes a CRC that shows damage."""
    stream, size = get_chunk_data_stream(chunk, validate_crc=True)
    while stream.count < size:
        opcode, length = stream.read1(), stream.read8()
        after = stream.count + length
        if opcode == Opcode.CHANNEL:
            yield Channel.read(stream)
        elif opcode == Opcode.MESSAGE:
            yield Message.read(stream, length)
        elif opcode == Opcode.SCHEMA:
            yield Schema.read(stream)
        elif opcode < PRIVATE:
            raise ValueError(f"a chunk has no record of kind {opcode}")
        if stream.count > after:
            raise ValueError(f"a record is longer than its {length} bytes")
        stream.read(after - stream.count)


def _next_chunk(stream: BinaryIO, begin: int, size: int) -> int:
    """Where the first whole chunk from `begin` on lies; `size` if there is none."""
    sign = bytes([Opcode.CHUNK])
    while begin < size:
        stream.seek(begin)
        if not (block := stream.read(_BLOCK)):
            break
        at = block.find(sign)
        while at >= 0:
            short = not any(block[at + 5 : at + 9])  # a length of less than 4 GiB, seen without a read
            if short and _is_chunk(stream, begin + at, size):
                return begin + at
            at = block.find(sign, at + 1)
        begin += len(block)
    return size


def _is_chunk(stream: BinaryIO, position: int, size: int) -> bool:
    """Whether the lengths at `position` are those of a chunk."""
    stream.seek(position)
    head = stream.read(_HEAD.size + _CHUNK_HEAD.size + 4 + 8)  # with the longest name of a compression
    if len(head) < _HEAD.size + _CHUNK_HEAD.size + 8:
        return False
    _, length = _HEAD.unpack_from(head)
    named = int(_CHUNK_HEAD.unpack_from(head, _HEAD.size)[-1])
    after = _HEAD.size + _CHUNK_HEAD.size + named
    if length > min(RECORD_SIZE_LIMIT, size - position - _HEAD.size) or len(head) < after + 8:
        return False
    if head[after - named : after] not in COMPRESSIONS:
        return False
    (stored,) = struct.unpack_from("<Q", head, after)
    return bool(after + 8 + stored == _HEAD.size + length)


def _is_cut_off(stream: BinaryIO, position: int, size: int) -> bool:
    """Whether what is at `position` only lacks its end: nothing followed it, or zeros that were never written."""
    stream.seek(position)
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return True
    opcode, length = _HEAD.unpack(head)
    if opcode in set(Opcode) and length <= RECORD_SIZE_LIMIT and position + _HEAD.size + length > size:
        return True
    stream.seek(position)
    return not any(block.strip(b"\0") for block in iter(lambda: stream.read(_BLOCK), b""))
