"""Who is heard: hosts, origins, tokens, sessions. Each against a real server."""

from __future__ import annotations

import hmac
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.observe.admin import failures, links, sessions
from hunyuan_fix.observe.admin.admin import Admin
from hunyuan_fix.observe.admin.guard import Who
from hunyuan_fix.observe.admin.request import Request
from hunyuan_fix.observe.admin.routes import ROUTES
from hunyuan_fix.observe.admin.settings import Address, AdminSettings
from tests.observe.admin.serving import BEARER, HERE, TOKEN, asking, raw, rooms, serving, token_file

EVERYWHERE = Address("0.0.0.0", 0)


def path_of(path: str) -> str:
    chosen = {"part": "came", "format": "har", "number": "1", "key": "ab" * 32}
    filled = re.sub(r"\{(\w+)\}", lambda name: chosen.get(name[1], "abc"), path)
    return filled + ("?seconds=0" if path == "/api/events" else "")


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_without_a_token_this_machine_is_heard() -> None:
    async with serving() as admin, asking(admin) as client:
        for route in ROUTES:
            if route.method == "GET":
                assert (await client.get(path_of(route.path))).status_code in (200, 303, 404), route.path


async def test_where_no_address_is_trusted_a_token_is_needed_on_this_machine_too() -> None:
    async with serving(trust_loopback=False) as admin, asking(admin) as client:
        assert admin.is_shut
        for route in ROUTES:
            answer = await client.request(route.method, path_of(route.path))
            if route.who is Who.ADMIN:
                assert (answer.status_code, code(answer)) == (401, "admin_token_required"), route.path
            else:
                assert answer.status_code in (200, 400), route.path
        admin.configure(AdminSettings(admin=HERE))
        assert not admin.is_shut
        assert (await client.get("/status")).status_code == 200
    async with serving(token=TOKEN, trust_loopback=False) as admin, asking(admin) as client:
        assert not admin.is_shut
        assert (await client.get("/status", headers=BEARER)).status_code == 200
        assert code(await client.get("/status")) == "admin_token_required"


async def test_a_stream_of_events_ends_once_this_machine_is_no_longer_trusted() -> None:
    async with serving() as admin:
        request = Request("GET", "/api/events", "", {}, b"", "127.0.0.1")
        assert admin._guard.is_still_admin(request)
        admin.configure(AdminSettings(admin=HERE, trust_loopback=False))
        assert not admin._guard.is_still_admin(request)


async def test_with_a_token_all_but_the_probes_need_it_on_this_machine_too() -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        for route in ROUTES:
            bare = await client.request(route.method, path_of(route.path))
            with_it = await client.request(route.method, path_of(route.path), headers=BEARER)
            if route.who is Who.ADMIN:
                assert (bare.status_code, code(bare)) == (401, "admin_token_required"), route.path
                assert bare.headers["www-authenticate"].startswith("Bearer")
            else:
                assert bare.status_code in (200, 400), route.path
            assert with_it.status_code in (200, 204, 303, 400, 404), route.path
        assert code(await client.get("/nothing")) == "admin_token_required"
        assert code(await client.get("/nothing", headers=BEARER)) == "admin_no_such_path"
        assert code(await client.get("/")) == "admin_token_required"
        assert (await client.head("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "authorization", ["Bearer wrong", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff\xfe"]
)
async def test_another_token_is_refused(authorization: str) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        answer = await client.get("/status", headers={b"authorization": authorization.encode("latin-1")})
        assert (answer.status_code, code(answer)) == (401, "admin_token_invalid")


async def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, compare = [], hmac.compare_digest

    def noted(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        await client.get("/status", headers={"authorization": "Bearer guess"})
    assert compared == [(b"guess", TOKEN.encode())]


async def test_after_ten_wrong_tokens_no_further_one_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        for _ in range(failures.MOST):
            assert (await client.get("/status", headers={"authorization": "Bearer wrong"})).status_code == 401
        answer = await client.get("/status", headers=BEARER)
        assert (answer.status_code, code(answer)) == (429, "admin_too_many_failures")
        assert 1 <= int(answer.headers["retry-after"]) <= failures.WINDOW
        assert (await client.post("/signin", data={"once": "1"})).status_code == 429
        assert (await client.get("/readyz")).status_code == 200
        assert caplog.messages == ["Admin server: 10 wrong tokens or links from 127.0.0.1: it has to wait."]
        ahead = time.monotonic() + failures.WINDOW + 1
        monkeypatch.setattr(admin._guard.failures, "_clock", lambda: ahead)
        assert (await client.get("/status", headers=BEARER)).status_code == 200


def test_failures_count_for_their_own_network_alone() -> None:
    now = [0.0]
    counted = failures.Failures(lambda: now[0])
    for at in range(failures.MOST):
        counted.add(f"2001:db8::{at:x}")
    assert counted.wait("2001:db8::ffff") == failures.WINDOW
    assert counted.wait("2001:db8:0:1::1") == counted.wait("192.0.2.1") == 0
    for _ in range(failures.MOST):
        counted.add("::ffff:192.0.2.1")
    assert counted.wait("192.0.2.1") > 0
    now[0] = failures.WINDOW
    assert counted.wait("192.0.2.1") == 0
    for at in range(5000):
        counted.add(f"10.0.{at // 250}.{at % 250}")
    assert len(counted._known) <= 1000


# Host


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "LOCALHOST."]
)
async def test_loopback_names_are_its_own(host: str) -> None:
    async with serving() as admin, asking(admin) as client:
        assert (await client.get("/status", headers={"host": host})).status_code == 200


FOREIGN = ["evil.example", "evil.example:9464", "192.168.1.5", "localhost.evil.example", "127.0.0.1.nip.io", "", "a b"]


@pytest.mark.parametrize("host", FOREIGN)
async def test_another_host_is_a_rebound_name(host: str) -> None:
    async with serving() as admin, asking(admin) as client:
        answer = await client.get("/status", headers={"host": host})
        assert (answer.status_code, code(answer)) == (403, "admin_host_not_allowed")
        posted = await client.post("/signout", headers={"host": host, "origin": f"http://{host}"})
        assert posted.status_code == 403
        for probe in ("/healthz", "/readyz"):
            assert (await client.get(probe, headers={"host": host})).status_code == 200


async def test_two_hosts_or_none_are_no_host() -> None:
    async with serving() as admin:
        for sent in (b"Host: localhost\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: localhost\r\n", b""):
            answer = await raw(admin, b"GET /status HTTP/1.1\r\n" + sent + b"Connection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 40"), (sent, answer)
        whole = await raw(
            admin, b"GET http://localhost/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        assert whole.startswith(b"HTTP/1.1 404")


async def test_names_may_be_added() -> None:
    async with serving(hosts=frozenset(["proxy.example"])) as admin, asking(admin) as client:
        assert (await client.get("/status", headers={"host": "Proxy.example:443"})).status_code == 200
        assert (await client.get("/status", headers={"host": "other.example"})).status_code == 403


async def test_beyond_this_machine_any_address_is_its_own_but_no_name() -> None:
    async with serving(token=TOKEN, address=EVERYWHERE) as admin, asking(admin) as client:
        for host, status in (
            ("192.168.1.5:9464", 200),
            ("[2001:db8::1]", 200),
            ("localhost", 200),
            ("evil.example", 403),
        ):
            assert (await client.get("/status", headers={"host": host, **BEARER})).status_code == status, host


# Origin


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://{host}"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
        {"origin": "http://{host}@evil.example"},
        {"origin": "http://[::1"},
    ],
)
async def test_a_post_of_another_origin_changes_nothing(headers: dict[str, str]) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        cookie = await signed_in(admin, client)
        host = admin.url.removeprefix("http://")
        given = {name: value.format(host=host) for name, value in headers.items()}
        answer = await client.post("/signout", headers={**given, "cookie": cookie})
        assert (answer.status_code, code(answer)) == (403, "admin_cross_origin")
        assert (await client.get("/status", headers={"cookie": cookie})).status_code == 200


async def test_a_page_of_another_origin_reads_nothing_and_listens_to_nothing() -> None:
    page = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    frame = {**link, "sec-fetch-dest": "iframe"}
    async with serving() as admin, asking(admin) as client:
        for path in ("/status", "/api/events", "/metrics"):
            assert (await client.get(path, headers=page)).status_code == 403
            assert (await client.get(path, headers=frame)).status_code == 403
        answer = await client.get("/status", headers=link)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert (await client.options("/status", headers={"origin": "http://evil.example"})).status_code == 403


# Signing in


def once(admin: Admin) -> str:
    return admin.link().partition("once=")[2]


async def signed_in(admin: Admin, client: httpx.AsyncClient, origin: str = "") -> str:
    answer = await client.post("/signin", data={"once": once(admin)}, headers={"origin": origin or admin.url})
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    client.cookies.clear()
    return str(answer.headers["set-cookie"]).partition(";")[0]


async def test_a_browser_signs_in_by_a_link_once_and_out() -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        link = admin.link()
        shown = await client.get(link.removeprefix(admin.url))
        assert shown.status_code == 200 and link.partition("once=")[2] in shown.text
        assert "set-cookie" not in shown.headers and shown.headers["referrer-policy"] == "same-origin"
        form = {"once": link.partition("once=")[2]}
        answer = await client.post("/signin", data=form, headers={"origin": admin.url})
        client.cookies.clear()
        assert answer.headers["set-cookie"].endswith("HttpOnly; SameSite=Strict")
        cookie = {"cookie": f"other=1; {answer.headers['set-cookie'].partition(';')[0]}"}
        assert (await client.get("/status", headers=cookie)).status_code == 200
        again = await client.post("/signin", data=form)
        assert (again.status_code, code(again)) == (401, "admin_link_invalid")
        left = await client.post("/signout", headers={**cookie, "origin": admin.url})
        assert left.status_code == 204 and "Max-Age=0" in left.headers["set-cookie"]
        client.cookies.clear()
        for path in ("/status", "/api/events"):
            assert (await client.get(path, headers=cookie)).status_code == 401
        assert (await client.post("/signout", headers={**cookie, "origin": admin.url})).status_code == 401


async def test_by_https_the_cookie_is_secure() -> None:
    async with serving(token=TOKEN, hosts=frozenset(["proxy.example"])) as admin, asking(admin) as client:
        headers = {"host": "proxy.example", "origin": "https://proxy.example"}
        answer = await client.post("/signin", data={"once": once(admin)}, headers=headers)
        assert answer.headers["set-cookie"].endswith("SameSite=Strict; Secure")


@pytest.mark.parametrize("form", [{"once": "1-2-3"}, {"once": "x" * 3000}, {"other": "1"}, {}])
async def test_what_is_no_link_signs_nobody_in(form: dict[str, str]) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        answer = await client.post("/signin", data=form)
        assert answer.status_code in (400, 401) and "set-cookie" not in answer.headers
        answer = await client.post("/signin", json=form)
        assert answer.status_code == 400


async def test_without_a_token_no_link_signs_in() -> None:
    async with serving() as admin, asking(admin) as client:
        assert admin.link() == admin.url
        answer = await client.post("/signin", data={"once": links.once("", time.time())})
        assert code(answer) == "admin_link_invalid"


def test_links_hold_for_minutes_in_the_process_that_they_were_made_for() -> None:
    now = [1000.0]
    used = links.Links(lambda: now[0])
    made = links.once(TOKEN, now[0])
    assert not used.use(made, "another" * 5)
    assert not used.use(made[:-1] + ("0" if made[-1] != "0" else "1"), TOKEN)
    assert not used.use(made.replace("1000000-", "1000001-"), TOKEN)
    assert used.use(made, TOKEN)
    assert not used.use(made, TOKEN)
    assert not used.use(links.once(TOKEN, 999.0), TOKEN)  # of before the start: it may have been used then
    assert not used.use(links.once(TOKEN, 1010.0), TOKEN)
    old = links.once(TOKEN, 1000.0)
    now[0] += links.LIFETIME
    assert not used.use(old, TOKEN)
    assert used.use(links.once(TOKEN, now[0]), TOKEN)
    assert len(used._used) == 1  # the one that no longer holds is forgotten


def test_used_links_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_USED", 3)
    used = links.Links(lambda: 1000.0)
    assert [used.use(links.once(TOKEN, 1000.0), TOKEN) for _ in range(5)] == [True] * 3 + [False] * 2


def test_sessions_end_with_their_time_their_token_and_their_number() -> None:
    now = [0.0]
    opened = sessions.Sessions(lambda: now[0])
    first = opened.open(TOKEN)
    assert opened.holds(first, TOKEN) and not opened.holds("", TOKEN) and not opened.holds(first + "x", TOKEN)
    now[0] = sessions.LIFETIME
    assert not opened.holds(first, TOKEN)
    secret = opened.open(TOKEN)
    assert not opened.holds(secret, "another") and not opened.holds(secret, TOKEN)
    oldest = opened.open(TOKEN)
    others = [opened.open(TOKEN) for _ in range(sessions.MOST)]
    assert not opened.holds(oldest, TOKEN) and all(opened.holds(secret, TOKEN) for secret in others)


# The token


@pytest.mark.parametrize("wrong", ["short", "a" * 15, f"{TOKEN} {TOKEN}", "é" * 20, f"{TOKEN}\n{TOKEN}"])
def test_a_token_that_can_not_be_one_is_refused_without_being_said(wrong: str, tmp_path: Path) -> None:
    for given, environment in (
        (AdminSettings(), {"HUNYUAN_ADMIN_TOKEN": wrong}),
        (AdminSettings(admin_token_file=token_file(tmp_path, wrong)), {}),
    ):
        with pytest.raises(OptionError) as refused:
            Admin(rooms(), environment).configure(given)
        assert wrong not in str(refused.value)


def test_a_token_file_is_its_owners_alone(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="chmod 600"):
        Admin(rooms(), {}).configure(AdminSettings(admin_token_file=token_file(tmp_path, mode=0o644)))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "proxy.example"])
def test_beyond_this_machine_a_token_is_needed(host: str) -> None:
    admin = Admin(rooms(), {})
    with pytest.raises(OptionError, match="HUNYUAN_ADMIN_TOKEN"):
        admin.configure(AdminSettings(admin=Address(host, 9464)))
    assert admin.url == ""


async def test_a_changed_token_file_counts_and_ends_sessions(tmp_path: Path) -> None:
    file = token_file(tmp_path)
    admin = Admin(rooms(), {"HUNYUAN_ADMIN_TOKEN": "v" * 20})
    admin.configure(AdminSettings(admin=Address("127.0.0.1", 0), admin_token_file=file))
    admin.start()
    async with asking(admin) as client:
        cookie = {"cookie": await signed_in(admin, client)}
        assert (await client.get("/status", headers={"authorization": f"Bearer {'v' * 20}"})).status_code == 401
        file.write_text("n" * 30)
        await admin.refresh()
        await admin.refresh()  # read when two looks find the same
        assert (await client.get("/status", headers=BEARER)).status_code == 401
        assert (await client.get("/status", headers=cookie)).status_code == 401
        assert (await client.get("/status", headers={"authorization": f"Bearer {'n' * 30}"})).status_code == 200
        file.unlink()
        await admin.refresh()
        assert (await client.get("/status")).status_code == 401
    await admin.aclose()


async def test_errors_are_in_the_readers_language() -> None:
    async with serving() as admin, asking(admin) as client:
        english, chinese = [
            (await client.get("/nothing", headers={"accept-language": language})).json()["error"]
            for language in ("en-GB", "zh-CN")
        ]
        assert english["code"] == chinese["code"] == "admin_no_such_path"
        assert "nothing at this path" in english["message"] and "没有这个路径" in chinese["message"]
