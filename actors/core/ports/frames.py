"""Frames: how messages are cut out of the byte stream between a server and a child process.

A frame is `u32 length, u8 kind, u32 id, u16 name length, name, payload`, big-endian; `length` counts
everything behind itself. The name is a method or a topic, so that an event can be routed, and its payload
forwarded, without being decoded.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

MAX_FRAME = 16 * 1024 * 1024
"""Bytes. A month of one-minute candles takes three megabytes; anything beyond this is a broken peer."""

MAX_NAME = 0xFFFF
"""Bytes of a method's or topic's name."""

_LENGTH = struct.Struct("!I")
_HEADER = struct.Struct("!BIH")


class Kind(IntEnum):
    """What a frame means."""

    CALL = 1
    REPLY = 2
    REFUSAL = 3
    FAILURE = 4
    EVENT = 5
    HEARTBEAT = 6


class Frame(NamedTuple):
    """One message. `call_id` ties an answer to its call and is 0 elsewhere; the payload is JSON or empty."""

    kind: Kind
    call_id: int
    name: str
    payload: bytes


class FrameError(Exception):
    """The bytes are not frames, or a frame is too big. The connection is of no use any more."""


def encode(frame: Frame) -> bytes:
    """The frame's bytes; `FrameError` if it is larger than `MAX_FRAME` or its name than 65535 bytes."""
    name = frame.name.encode()
    length = _HEADER.size + len(name) + len(frame.payload)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes exceeds the limit of {MAX_FRAME}")
    if len(name) > MAX_NAME:
        raise FrameError(f"a name of {len(name)} bytes is too long")
    header = _HEADER.pack(frame.kind, frame.call_id, len(name))
    return b"".join((_LENGTH.pack(length), header, name, frame.payload))


class FrameDecoder:
    """Turns chunks of bytes, cut anywhere, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """The frames completed by `data`, in order; `FrameError` if the stream is broken."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if not _HEADER.size <= length <= MAX_FRAME:
                raise FrameError(f"a frame cannot have {length} bytes")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            frames.append(_decode(bytes(buffer[start + _LENGTH.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames


def _decode(body: bytes) -> Frame:
    kind, call_id, name_length = _HEADER.unpack_from(body)
    payload_start = _HEADER.size + name_length
    if payload_start > len(body):
        raise FrameError("a frame's name is longer than the frame")
    try:
        return Frame(Kind(kind), call_id, body[_HEADER.size : payload_start].decode(), body[payload_start:])
    except ValueError as error:
        raise FrameError(f"a frame cannot be read: {error}") from error
