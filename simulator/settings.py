"""How a simulator is set up: what the command line gives, and what tests give directly."""

from dataclasses import dataclass
from pathlib import Path

from .rows import ProfileName


@dataclass(frozen=True, slots=True)
class Settings:
    """`strict` turns the rows of section C on, `retired` row A10; `concurrency` 0 means no limit (row A4).

    Delays are in seconds; no `accept_keys` means that any Bearer key is good; `record` is a file that every request is
    appended to, one JSON object a line, without its key.
    """

    host: str = "127.0.0.1"
    port: int = 0
    profile: ProfileName = "hunyuan"
    cert: Path | None = None
    key: Path | None = None
    strict: bool = True
    retired: bool = False
    concurrency: int = 5
    first_byte_delay: float = 0.0
    chunk_delay: float = 0.0
    accept_keys: frozenset[str] = frozenset()
    gzip: bool = False
    record: Path | None = None
