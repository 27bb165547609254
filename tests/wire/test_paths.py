from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire import paths
from hunyuan_fix.wire.paths import MODELS

CHAT, EMBEDDINGS, TOY = APIS = ("/chat/completions", "/embeddings", "/toy")


@pytest.mark.parametrize("api", [*APIS, MODELS])
@pytest.mark.parametrize("base", ["", "/v1", "/plan/v3", "/openai/deployments/My-Model/v1", "/api/v3/v1", "/models/v1"])
def test_what_is_spelt_well_is_read_as_it_stands(base: str, api: str):
    assert paths.read(base + api, APIS) == (base, api)


IDS = ("/things", "/things/{id}", "/things/{id}/parts", "/things/all_of")


@pytest.mark.parametrize(
    ("path", "base", "api", "filled"),
    [
        ("/v1/things/th_Ab1", "/v1", "/things/{id}", "/things/th_Ab1"),
        ("/v1/v1//Things/th_Ab1/Parts/", "/v1", "/things/{id}/parts", "/things/th_Ab1/parts"),
        ("/things/th_1/parts", "", "/things/{id}/parts", "/things/th_1/parts"),
        ("/v1/things/all_of", "/v1", "/things/all_of", "/things/all_of"),
        ("/v1/things/things", "/v1", "/things", "/things"),
        ("/v1/things", "/v1", "/things", "/things"),
    ],
)
def test_an_id_stands_for_itself(path: str, base: str, api: str, filled: str):
    assert paths.read(path, IDS) == (base, api)
    assert paths.filled(api, path) == filled


@pytest.mark.parametrize("path", ["/v1/things/other", "/v1/things/th_1/other", "/v1/things/th_1/parts/1", "/th_1"])
def test_what_is_no_id_is_no_api(path: str):
    assert paths.read(path, IDS) == ("", None)


SEPARATORS = st.sampled_from(["/", "//", "///", "/./"])


@given(
    st.data(),
    st.sampled_from(["/v1", "/plan/v3", ""]),
    st.sampled_from([*APIS, MODELS]),
    st.integers(1, 3),
    st.sampled_from(["", *APIS]),
    st.sampled_from(["", "/", "//"]),
)
def test_the_ways_in_which_clients_put_it_together(
    data: st.DataObject, base: str, api: str, times: int, pasted: str, end: str
):
    """Versions and whole paths given twice; slashes, capitals and percent-encoding anywhere."""
    version = base[-3:]
    spelt = base + version * (times - 1) + pasted + (version if pasted and data.draw(st.booleans()) else "") + api

    def letter(match: re.Match[str]) -> str:
        return data.draw(
            st.sampled_from([match[0], match[0].upper(), f"%{ord(match[0]):02x}", f"%{ord(match[0]):02X}"])
        )

    head = base.removesuffix(version)  # parts that say nothing to us stay as they were sent
    written = head + re.sub(r"[a-z0-9]", letter, spelt.removeprefix(head))
    written = re.sub(r"/", lambda _: data.draw(SEPARATORS), written) + end
    read_base, read_api = paths.read(written, APIS)
    assert (read_base, read_api) == (base, api)
    assert paths.read(read_base + api, APIS) == (base, api)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "/",
        "/v1",
        "/v1/chat",
        "/v1/completions",
        "/v1/chatcompletions",
        "/v1/mychat/completions",
        "/v1/xmodels",
    ],
)
def test_what_is_no_known_api(path: str):
    assert paths.read(path, APIS) == ("", None)


def test_a_base_that_ends_with_models_is_kept():
    assert paths.read("/models/chat/completions", APIS) == ("/models", CHAT)


@pytest.mark.parametrize("apis", [("/completions", CHAT), (CHAT, "/completions")])
def test_the_longest_end_counts(apis: tuple[str, ...]):
    assert paths.read("/v1/chat/completions", apis) == ("/v1", CHAT)
    assert paths.read("/v1/chat/completions/completions", apis) == ("/v1", "/completions")


def test_only_what_is_in_the_table_is_read():
    assert paths.read("/v1/embeddings", [CHAT]) == ("", None)
    assert paths.read("/v1/models", []) == ("/v1", MODELS)


@pytest.mark.parametrize("path", ["/plan/v3", "/plan/v3/", "//plan/./v3", "/Plan/V3", "/%70lan/v3", "plan/v3"])
def test_a_normal_path(path: str):
    assert paths.normal(path) == "/plan/v3"


@pytest.mark.parametrize(
    ("path", "listed", "model"),
    [
        ("/v1/models/hy3", "/v1/models", "/hy3"),
        ("//v1/Models/hy3/", "/v1/Models", "/hy3"),
        ("/models/org/name", "/models", "/org/name"),
        ("/models/org%2Fname", "/models", "/org%2Fname"),
        ("/models/models", "/models", "/models"),
        ("/v1/models", "/v1/models", ""),
        ("/v1/models/", "/v1/models/", ""),
        ("/v1/models/a/b/c/d", "/v1/models/a/b/c/d", ""),
        ("/v1/files/hy3", "/v1/files/hy3", ""),
        ("", "", ""),
    ],
)
def test_the_path_of_one_model(path: str, listed: str, model: str):
    assert paths.of_model(path) == (listed, model)


@pytest.mark.parametrize("path", ["", "/", "//", "/."])
def test_no_path_is_normal(path: str):
    assert paths.normal(path) == ""


@given(st.text())
def test_any_text_has_a_reading(path: str):
    base, api = paths.read(path, APIS)
    assert paths.read(base + (api or ""), APIS) == (base, api)


def test_reading_takes_time_in_proportion():
    def seconds(times: int) -> float:
        path = "/v1/chat/completions" * times
        begun = time.process_time()
        assert paths.read(path, APIS) == ("/v1", CHAT)
        return time.process_time() - begun

    assert min(seconds(80_000) for _ in range(3)) < 10 * min(seconds(20_000) for _ in range(3))
