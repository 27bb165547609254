"""An agent's session for the pictures of the page: turns that the prompt cache serves, and two that break it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from scripts.lib.browser import Page
from scripts.lib.pictured_traffic import AGENT, TOKENHUB, Clients

SESSION = "checkout-fix"
"""What the agent calls its session."""
_MANUAL = "The shop is a small TypeScript program. Prices are in cents, carts are loaded lazily. "
_SYSTEM = f"You are a coding agent. It is {{time}}.\n\n{_MANUAL * 22}"
_STEPS = (
    "Why does the checkout crash for a customer without a cart?",
    "Show me the callers of price().",
    "Fix it, and keep the types.",
    "Add a test with an empty cart.",
    "Run all tests.",
    "Write the message of the commit.",
)
_FILE = "export function price(item: Item): number { return item.cents * item.count; } // cart.ts\n" * 3
_LATE = 3
"""The turn from which on the system text has another time: the client breaks its own cache.

Prompts stay below 4,000 characters: the simulator of TokenHub counts two characters to a token of the prompt, and four
to one that was cached.
"""

PICTURES = {
    "TypeError: cart.items is undefined (checkout.ts:42), in a red box above the empty checkout form": """
        <body style="margin:0;font:15px sans-serif;background:#f4f5f7;width:360px;height:200px">
        <div style="padding:18px"><b>Checkout</b>
        <div style="margin:14px 0;padding:12px;background:#fde8e8;border:1px solid #e02424;color:#9b1c1c">
        <b>TypeError</b>: cart.items is undefined<br><small>checkout.ts:42</small></div>
        <div style="height:26px;background:#fff;border:1px solid #ccc;margin-bottom:8px"></div>
        <div style="height:26px;width:120px;background:#cbd5e1;border-radius:4px"></div></div></body>""",
    "A bar chart of orders by weekday: Monday to Thursday about 120 each, Friday 210, Saturday 340": """
        <body style="margin:0;background:#fff;width:360px;height:200px">
        <div style="padding:14px;font:13px sans-serif">
        <b>Orders by weekday</b><div style="display:flex;gap:14px;align-items:end;height:140px;margin-top:10px">
        <style>i { width: 38px; background: #2563eb }</style>
        <i style="height:48px"></i><i style="height:52px"></i><i style="height:46px"></i><i style="height:50px"></i>
        <i style="height:84px"></i><i style="height:136px;background:#d97706"></i></div></div></body>""",
    "A terminal: vitest, 41 passed, 1 failed: cart.test.ts, an empty cart, expected 0 but got NaN": """
        <body style="margin:0;background:#111827;width:360px;height:200px"><pre style="margin:0;padding:16px;
        color:#e5e7eb;font:13px monospace;line-height:1.6">$ npx vitest run

<span style="color:#f87171"> FAIL</span>  cart.test.ts &gt; an empty cart
 expected <span style="color:#4ade80">0</span> but got <span style="color:#f87171">NaN</span>

 Tests  1 failed | 41 passed</pre></body>""",
}
"""What a vision model says of a picture -> the picture, as HTML."""


def draw(page: Page) -> list[bytes]:
    """The pictures as PNG, in each of which the simulator reads what a vision model would say."""
    drawn = []
    page.resize(360, 200)
    for said, html in PICTURES.items():
        page.open("about:blank")
        page.wait_for(f"(document.body.outerHTML = {json.dumps(html.strip())}, true)")
        drawn.append(_saying(page.picture(), said))
    return drawn


def _saying(png: bytes, text: str) -> bytes:
    """`png` with a text chunk behind its header."""
    end = 8 + 25  # the signature, and IHDR
    kind, payload = b"tEXt", b"text\0" + text.encode("latin-1")
    chunk = struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
    return png[:end] + chunk + png[end:]


def turns() -> Iterator[dict[str, Any]]:
    """The body of each turn: its history grows, and from one on its system text is another."""
    history: list[dict[str, Any]] = []
    for number, step in enumerate(_STEPS):
        time = "14:09" if number >= _LATE else "14:02"
        history.append({"role": "user", "content": f"{step} [[sim:say Done: {step.lower()}]]"})
        system = {"role": "system", "content": _SYSTEM.format(time=time)}
        yield {"model": "hy3", "messages": [system, *history]}
        history += [
            {"role": "assistant", "content": f"Done: {step.lower()}\n\n{_FILE}"},
        ]


def send(clients: Clients, images: list[bytes]) -> None:
    """The session, turn by turn, and a request with each of the images."""
    for body in turns():
        clients.send(f"{TOKENHUB}/chat/completions", body, AGENT, session=SESSION)
    for image in images:
        clients.ask_about(image)
