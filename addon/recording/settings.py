"""The option that names the file, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config import values as read
from ..config.hook_options import Mode
from ..config.option import OptionError, option
from ..texts.terminal import say


@dataclass(frozen=True)
class RecordingSettings:
    """Where answers are recorded, and come from again."""

    recording: Path | None = option(
        "",
        "The file that hunyuan_answer_cache=record writes answers to, and =replay takes them from: then nothing is "
        "sent anywhere, and no key is needed (docs/replay.md).",
        read.optional(read.path),
    )


def check(
    answer_cache: str, settings: RecordingSettings, mode: Mode, open_to: Sequence[str], *, is_shared: bool
) -> None:
    """Refuse options that don't go together. Raises `OptionError`.

    `answer_cache`: the option of that name; `mode`: `hunyuan_mode`; `open_to`: addresses that other machines can reach;
    `is_shared`: several processes serve the ports.
    """
    if answer_cache not in ("record", "replay"):
        return
    named = f"hunyuan_answer_cache={answer_cache}"
    if settings.recording is None:
        raise OptionError(f"{named}: {say('name the file: --set hunyuan_recording=FILE')}")
    if mode != "repair":
        raise OptionError(f"{named}: {say('it needs hunyuan_mode=repair: in other modes no body is answered here')}")
    if is_shared:
        raise OptionError(f"{named}: {say('one file is for one process: it does not go with --workers')}")
    if answer_cache == "replay" and open_to:
        why = say(
            "it answers without a key, and only on this machine: not on {addresses}", addresses=", ".join(open_to)
        )
        raise OptionError(f"{named}: {why}")
