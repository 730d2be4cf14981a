"""Frames survive any cut of the stream, and nothing unreadable is taken for a frame."""

import struct

import pytest
from aviary.actors.core.ports.frames import MAX_FRAME, Frame, FrameDecoder, FrameError, Kind, encode
from hypothesis import given
from hypothesis import strategies as st

FRAMES = st.builds(
    Frame,
    kind=st.sampled_from(Kind),
    call_id=st.integers(0, 0xFFFFFFFF),
    name=st.text(st.characters(codec="utf-8"), max_size=40),
    payload=st.binary(max_size=300),
)


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode(frame) for frame in frames)
    decoder = FrameDecoder()

    received: list[Frame] = []
    turn = 0
    while stream:
        size = cuts[turn % len(cuts)]
        received += decoder.feed(stream[:size])
        stream = stream[size:]
        turn += 1

    assert received == frames


@given(st.binary(min_size=4, max_size=200))
def test_garbage_is_either_refused_or_waited_for_and_never_crashes(data: bytes) -> None:
    decoder = FrameDecoder()

    try:
        frames = decoder.feed(data)
    except FrameError:
        return

    assert all(isinstance(frame, Frame) for frame in frames)


def test_a_frame_that_announces_too_many_bytes_is_refused_before_they_are_read() -> None:
    with pytest.raises(FrameError, match="cannot have"):
        FrameDecoder().feed(struct.pack("!I", MAX_FRAME + 1))


def test_a_frame_that_is_too_big_is_not_encoded() -> None:
    with pytest.raises(FrameError, match="exceeds the limit"):
        encode(Frame(Kind.EVENT, 0, "topic", b"x" * (MAX_FRAME + 1)))


def test_a_name_that_reaches_beyond_its_frame_is_refused() -> None:
    body = struct.pack("!BIH", Kind.CALL, 1, 50) + b"short"

    with pytest.raises(FrameError, match="longer than the frame"):
        FrameDecoder().feed(struct.pack("!I", len(body)) + body)


def test_an_unknown_kind_is_refused() -> None:
    body = struct.pack("!BIH", 99, 1, 0)

    with pytest.raises(FrameError, match="cannot be read"):
        FrameDecoder().feed(struct.pack("!I", len(body)) + body)
