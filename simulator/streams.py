"""A stream's frames as they go over the wire, with the fault that is to be in them."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .codec import encode
from .faults import Fault
from .rows import Json, ProfileName, error_body, refusals

type Ending = Literal["complete", "cut", "cut_in_chunk", "stall"]

DONE = b"data: [DONE]\n\n"

# The endings that a fault can force, and after how many chunks where it doesn't say.
_BROKEN_OFF: dict[str, tuple[Ending, int]] = {
    "cut": ("cut", 1),
    "cut_in_chunk": ("cut_in_chunk", 1),
    "stall": ("stall", 0),
    "truncate_body": ("cut", 1),
}


@dataclass(frozen=True, slots=True)
class Script:
    """The frames to send, how the HTTP message ends after them, and headers beside the content type."""

    frames: list[bytes]
    ending: Ending = "complete"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Frames:
    """A whole answer in frames: what is said, how it ended, the last word, and what stands for two faults."""

    said: list[bytes]
    ending: list[bytes]
    done: bytes
    error: bytes
    """An error inside the stream."""
    broken: bytes
    """A frame that is no JSON."""


def completion(chunks: Iterable[Json], profile: ProfileName) -> Frames:
    """The chunks of a chat completion and `[DONE]` as frames."""
    said, ending = list[bytes](), list[bytes]()
    for chunk in chunks:
        (ending if _is_last(chunk) else said).append(_frame(chunk))
    return Frames(said, ending, DONE, error_event(profile), b'data: {"id": "broken", "choices": [\n\n')


def script(whole: Frames, fault: Fault | None = None) -> Script:
    """The frames of an answer, disturbed by `fault` if there is one."""
    if fault is not None and fault.kind == "no_finish":
        return Script(whole.said)
    frames = [*whole.said, *whole.ending]
    if fault is None:
        return Script([*frames, whole.done])
    if fault.kind in _BROKEN_OFF:
        ending, default = _BROKEN_OFF[fault.kind]
        # Of the chunk that is cut through, only the first half will be sent.
        return Script(frames[: fault.count(default) + (ending == "cut_in_chunk")], ending)
    if fault.kind == "gzip_stream":
        return Script(_gzip([*frames, whole.done]), headers=((b"content-encoding", b"gzip"),))
    return Script(_said_oddly(frames, whole, fault))


def _said_oddly(frames: list[bytes], whole: Frames, fault: Fault) -> list[bytes]:
    middle = len(frames) // 2
    match fault.kind:
        case "no_done":
            return frames
        case "malformed_sse":
            return [*frames[:middle], whole.broken, *frames[middle:], whole.done]
        case "error_event_first":
            return [whole.error]
        case "error_event_mid":
            return [*frames[:middle], whole.error]
        case "crlf":
            return [frame.replace(b"\n", b"\r\n") for frame in [*frames, whole.done]]
        case "comments":
            return [part for frame in [*frames, whole.done] for part in (b": ping\n\n", frame)]
        case "no_final_blank":
            return [*frames, whole.done.rstrip(b"\n")]
    return [*frames, whole.done]


def error_event(profile: ProfileName) -> bytes:
    """An error inside a stream: `data: {"error": ...}` (claimed: docs/facts/hunyuan.md#streams)."""
    return _frame(error_body(profile, refusals(profile)["A9"], salt="error event"))


def _frame(chunk: Json) -> bytes:
    return b"data: " + encode(chunk) + b"\n\n"


def _is_last(chunk: Json) -> bool:
    """Whether a chunk carries the finish reason, or comes after it."""
    choices = chunk["choices"]
    return not choices or choices[0]["finish_reason"] is not None


def _gzip(frames: list[bytes]) -> list[bytes]:
    """The frames as one gzip stream that is flushed at each of them, as a reverse proxy compresses SSE."""
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH) for frame in frames]
    return [*packed, packer.flush()]
