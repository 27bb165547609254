"""A stream's frames as they go over the wire, with the fault that is to be in them."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .codec import encode
from .faults import Fault
from .rows import HUNYUAN, TOKENHUB, Json, ProfileName, error_body

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


def script(chunks: Iterable[Json], profile: ProfileName, fault: Fault | None = None) -> Script:
    """The frames of `chunks` and `[DONE]`, disturbed by `fault` if there is one."""
    if fault is not None and fault.kind == "no_finish":
        return Script([_frame(chunk) for chunk in chunks if not _is_last(chunk)])
    frames = [_frame(chunk) for chunk in chunks]
    if fault is None:
        return Script([*frames, DONE])
    if fault.kind in _BROKEN_OFF:
        ending, default = _BROKEN_OFF[fault.kind]
        # Of the chunk that is cut through, only the first half will be sent.
        return Script(frames[: fault.count(default) + (ending == "cut_in_chunk")], ending)
    if fault.kind == "gzip_stream":
        return Script(_gzip([*frames, DONE]), headers=((b"content-encoding", b"gzip"),))
    return Script(_said_oddly(frames, profile, fault))


def _said_oddly(frames: list[bytes], profile: ProfileName, fault: Fault) -> list[bytes]:
    middle = len(frames) // 2
    match fault.kind:
        case "no_done":
            return frames
        case "malformed_sse":
            return [*frames[:middle], b'data: {"id": "broken", "choices": [\n\n', *frames[middle:], DONE]
        case "error_event_first":
            return [error_event(profile)]
        case "error_event_mid":
            return [*frames[:middle], error_event(profile)]
        case "crlf":
            return [frame.replace(b"\n", b"\r\n") for frame in [*frames, DONE]]
        case "comments":
            return [part for frame in [*frames, DONE] for part in (b": ping\n\n", frame)]
        case "no_final_blank":
            return [*frames, DONE.rstrip(b"\n")]
    return [*frames, DONE]


def error_event(profile: ProfileName) -> bytes:
    """An error inside a stream: `data: {"error": ...}` (claimed: docs/facts/hunyuan.md#streams)."""
    rows = HUNYUAN if profile == "hunyuan" else TOKENHUB
    return _frame(error_body(profile, rows["A9"], salt="error event"))


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
