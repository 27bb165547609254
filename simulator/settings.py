"""How a simulator is set up: what the command line gives, and what tests give directly."""

from dataclasses import dataclass
from pathlib import Path

from . import openai_facade
from .anthropic_facade import Facade
from .rows import ProfileName
from .tencent_cloud import Native
from .variant import DOCUMENTED, Variant


@dataclass(frozen=True, slots=True)
class Settings:
    """`strict` turns the rows of section C on, `retired` row A10; `concurrency` 0 means no limit (row A4).

    `facade` is the Messages API, `responses` the Responses API, `None` for none. `max_input` are the tokens of input
    that TokenHub's models read, 0 for each model's own in Messages and Responses and for no limit in chat; with
    `mentions` a tool is called whose name the user says, without a directive. Delays are in seconds; no `accept_keys`
    means that any key is good; `record` is a file that every request is appended to, one JSON object a line, without
    its key. `variant` is what the endpoint does otherwise than its documents say.
    """

    host: str = "127.0.0.1"
    port: int = 0
    profile: ProfileName = "hunyuan"
    variant: Variant = DOCUMENTED
    facade: Facade | None = None
    responses: openai_facade.Facade | None = None
    max_input: int = 0
    mentions: bool = True
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
    native: Native | None = None
    """Tencent Cloud's own API in the place of the OpenAI-compatible one; `None`: it isn't."""
