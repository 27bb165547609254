"""`python -m hunyuan_fix.simulator`: serve until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import anthropic_facade, openai_facade
from .rows import PROFILES
from .server import serve
from .settings import Settings
from .tencent_cloud import Native
from .variant import DIFFERENCES, Variant, differs


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """The settings that the command line gives. Exits with a usage error if they are invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m hunyuan_fix.simulator",
        description="A strict stand-in for the endpoints of Tencent and Moonshot.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free port")
    parser.add_argument("--profile", choices=PROFILES, default="hunyuan")
    parser.add_argument("--no-messages", action="store_true", help="without its Messages API")
    parser.add_argument(
        "--takes",
        action="append",
        default=[],
        metavar="HINT",
        help=f"what the Messages API takes beside the common part: all, {', '.join(sorted(anthropic_facade.HINTS))}",
    )
    parser.add_argument("--anthropic-words", action="store_true", help="the Messages API refuses in Anthropic's words")
    parser.add_argument("--no-responses", action="store_true", help="TokenHub without its Responses API")
    parser.add_argument(
        "--responses-takes",
        action="append",
        default=[],
        metavar="HINT",
        help=f"what the Responses API takes beside TokenHub's part: all, {', '.join(sorted(openai_facade.HINTS))}",
    )
    parser.add_argument("--openai-words", action="store_true", help="the Responses API refuses in OpenAI's words")
    parser.add_argument("--max-input", type=int, default=0, metavar="TOKENS", help="refuse a longer input (TokenHub)")
    parser.add_argument("--no-mentions", action="store_true", help="call only tools that a directive or the body names")
    parser.add_argument(
        "--but",
        action="append",
        default=[],
        metavar="DIFFERENCE",
        help=f"what it does otherwise than its documents say: {', '.join(sorted(DIFFERENCES))}",
    )
    parser.add_argument(
        "--reasoning-required", action="store_true", help="as --but reasoning-required: refuse turns without it (H1)"
    )
    parser.add_argument("--reasoning-field", default="reasoning_content", metavar="NAME", help="where reasoning stands")
    parser.add_argument("--deepseek-words", action="store_true", help="refuse missing reasoning as DeepSeek does")
    parser.add_argument("--repeating-ids", action="store_true", help="ids of Kimi's tool calls count in each answer")
    parser.add_argument(
        "--usage", choices=("auto", "choice", "chunk"), default="auto", help="where Kimi's streams have their counts"
    )
    parser.add_argument(
        "--leak", action="append", default=[], choices=("think", "tools"), help="what Kimi writes into its text"
    )
    parser.add_argument("--intl", action="store_true", help="a plan's international host, without a list of models")
    parser.add_argument("--cert", type=Path, help="PEM certificate chain; serves https")
    parser.add_argument("--key", type=Path, help="PEM key, if it isn't in --cert")
    parser.add_argument("--lenient", action="store_true", help="accept what is only claimed to be refused (rows C)")
    parser.add_argument("--retired", action="store_true", help="refuse models retired on 2026-06-22 (row A10)")
    parser.add_argument("--concurrency", type=int, default=5, help="requests at once (row A4), 0: no limit")
    parser.add_argument("--first-byte-delay", type=float, default=0.0, metavar="S")
    parser.add_argument("--chunk-delay", type=float, default=0.0, metavar="S")
    parser.add_argument("--accept-key", action="append", default=[], metavar="KEY", help="default: any key")
    parser.add_argument("--gzip", action="store_true", help="compress JSON for clients that accept it")
    parser.add_argument("--native", action="store_true", help="Tencent Cloud's own API (profile hunyuan)")
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="ID|KEY[||TOKEN]",
        help="who may sign for --native; default: AKIDstandin|standinsecret",
    )
    parser.add_argument("--skew", type=float, default=0.0, metavar="S", help="seconds that --native's clock is ahead")
    parser.add_argument("--record", type=Path, metavar="FILE", help="append each request to FILE, as one line of JSON")
    given = parser.parse_args(arguments)
    if given.key and not given.cert:
        parser.error("--key needs --cert")
    try:
        taken = anthropic_facade.usual(given.profile) | anthropic_facade.takes(given.takes)
        messages = anthropic_facade.Facade(given.profile, taken, anthropic_words=given.anthropic_words)
        different = differs(given.but) | ({"reasoning-required"} if given.reasoning_required else set())
        responses = openai_facade.Facade(
            "tokenhub", openai_facade.takes(given.responses_takes), openai_words=given.openai_words
        )
    except ValueError as error:
        parser.error(str(error))
    is_tokenhub = given.profile == "tokenhub"
    return Settings(
        facade=messages if given.profile != "hunyuan" and not given.no_messages else None,
        responses=responses if is_tokenhub and not given.no_responses else None,
        max_input=given.max_input,
        variant=Variant(
            reasoning_field=given.reasoning_field,
            deepseek_words=given.deepseek_words,
            repeating_ids=given.repeating_ids,
            usage=given.usage,
            leaks=frozenset(given.leak),
            intl=given.intl,
            differs=different,
        ),
        mentions=not given.no_mentions,
        host=given.host,
        port=given.port,
        profile=given.profile,
        cert=given.cert,
        key=given.key or given.cert,
        strict=not given.lenient,
        retired=given.retired,
        concurrency=given.concurrency,
        first_byte_delay=given.first_byte_delay,
        chunk_delay=given.chunk_delay,
        accept_keys=frozenset(given.accept_key),
        gzip=given.gzip,
        record=given.record,
        native=_native(given.secret, given.skew) if given.native else None,
    )


def _native(given: Sequence[str], skew: float) -> Native:
    secrets: dict[str, str] = {}
    tokens: dict[str, str] = {}
    for text in given:
        key, _, token = text.partition("||")
        secret_id, _, secret = key.partition("|")
        secrets[secret_id] = secret
        if token:
            tokens[secret_id] = token
    return Native(secrets, tokens, skew) if secrets else Native(skew=skew)


async def run(settings: Settings) -> None:
    """Serve until a signal; one line on standard output says where, once connections are accepted."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not loop.add_signal_handler, which Windows doesn't have.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with serve(settings) as served:
        print(f"simulator listening on {served.url}", flush=True)
        await stop.wait()


def main() -> int:
    """Run; 1 if the address can't be had or the certificate can't be read."""
    settings = parse()
    try:
        asyncio.run(run(settings))
    except OSError as error:
        print(f"simulator: can't serve on {settings.host}:{settings.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
