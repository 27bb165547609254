"""`GET /` on a port that stands for an endpoint."""

from __future__ import annotations

import pytest

from hunyuan_fix.observe import front_page
from tests.proxying import LOCAL, Endpoint, Trust, json_answer, run_proxy

UPSTREAM = "https://tokenhub.tencentmaas.com/v1"


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("HEAD", "/"), ("GET", "/index.html"), ("GET", "")])
def test_other_requests_are_not_its_own(method: str, path: str) -> None:
    assert front_page.answered_here(method, path, "*/*", UPSTREAM, "en") is None


def test_a_browser_gets_html_and_others_lines() -> None:
    page = front_page.answered_here("GET", "/", "text/html,*/*", "https://a.example/<b>", "en")
    lines = front_page.answered_here("GET", "/", "*/*", "https://a.example/<b>", "en")
    assert page and lines
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"https://a.example/&lt;b&gt;" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"Calls go to https://a.example/<b>." in lines.body.splitlines()


def test_in_chinese_and_without_the_upstream_for_other_machines() -> None:
    page = front_page.answered_here("GET", "/", "*/*", "", "zh")
    assert page and "正在这个端口上运行" in page.body.decode()
    assert "请求发往" not in page.body.decode()


async def test_the_port_shows_it_in_the_readers_language(trust: Trust, endpoint: Endpoint):
    upstream = f"https://{LOCAL}:{endpoint.port}/v1"
    async with (
        run_proxy(trust, "https://tokenhub.tencentmaas.com", hunyuan_upstream=upstream) as proxy,
        proxy.client() as client,
    ):
        url = f"http://{LOCAL}:{proxy.reverse_port}/"
        english, chinese = await client.get(url), await client.get(url, headers={"accept-language": "zh-CN,en;q=0.5"})
    assert (english.status_code, chinese.status_code) == (200, 200)
    assert f"Calls go to {upstream}." in english.text
    assert f"请求发往 {upstream}。" in chinese.text
    assert not endpoint.arrived


async def test_a_server_behind_the_port_keeps_its_own(trust: Trust, endpoint: Endpoint):
    endpoint.answer = json_answer({"mine": True})
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy, proxy.client() as client:
        answer = await client.get(f"http://{LOCAL}:{proxy.reverse_port}/")
    assert answer.json() == {"mine": True}
