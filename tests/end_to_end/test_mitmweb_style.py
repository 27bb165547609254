"""mitmweb's style sheet with the rules that are added, and the list as a browser then draws it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from scripts.lib.browser import chromium
from scripts.lib.mitmweb import run_web
from tests.end_to_end.processes import Certificates, run_simulator

LIST = ".flow-table"


def test_comments_have_the_room_and_begin_at_the_left(tmp_path: Path, certificates: Certificates) -> None:
    with (
        run_simulator(certificates, hosts=["tokenhub.tencentmaas.com"], profile="tokenhub") as endpoint,
        run_web(tmp_path, certificates.authority_file, {"tokenhub.tencentmaas.com:443": endpoint.port}) as web,
        chromium(tmp_path) as page,
    ):
        httpx.post(f"{web.reverse_url}/v1/chat/completions", json={}, timeout=60, trust_env=False)
        page.resize(1000, 500)
        page.open(web.page)
        page.wait_for(f"!!document.querySelector('{LIST} .has-response td.col-comment')")
        cell = page.wait_for(
            f"""(cell => {{
                const range = document.createRange();
                range.selectNodeContents(cell);
                const [box, text] = [cell, range].map(each => each.getBoundingClientRect());
                return {{width: box.width, indent: text.left - box.left}};
            }})(document.querySelector('{LIST} td.col-comment'))"""
        )
        assert cell["width"] > 800
        assert cell["indent"] < 20
        sheet = page.wait_for("document.querySelector('link[href*=\"static/index-\"]')?.href")
        name = re.search(r"[^/]+$", sheet)
        assert name
        origin = sheet.partition("/static")[0]
        assert ".flow-table" in httpx.get(sheet, trust_env=False).text
        missing = httpx.get(f"{origin}/static/index-none.css", trust_env=False)
        assert missing.status_code == 404
