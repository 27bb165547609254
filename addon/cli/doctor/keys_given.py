"""Whether a key can be one of the endpoint that it is for, by its first characters. No key is sent or shown."""

from __future__ import annotations

from ...access import keys
from ...texts.sentence import Sentence
from ...wire import vendor_errors
from ...wire.host_names import is_loopback
from ...wire.vendor_errors import KeyShape
from . import base_urls
from .connections import name_of
from .situation import Finding, Situation


def given_key(situation: Situation) -> Finding | None:
    """The key in HUNYUAN_API_KEY; `None` without one, and where its form tells nothing."""
    key = situation.environment.get(keys.VARIABLE, "")
    shape = of_another_product(key, str(situation.endpoint_url))
    if shape is None:
        return None
    found = Sentence(
        "{variable} begins with {begins}: it is a key of {product}, which {name} does not take",
        variable=keys.VARIABLE,
        begins=shape.begins,
        product=Sentence(shape.product),
        name=name_of(situation),
    )
    return Finding("key/other-product", "warning", found, good_at(shape))


def of_another_product(key: str, url: str) -> KeyShape | None:
    """What `key` is for, if that isn't the endpoint at `url`; `None` for a key that may be good there."""
    shape = vendor_errors.key_shape({"authorization": f"Bearer {key.strip()}"})
    parts = base_urls.parted(url)
    if shape is None or not parts.hostname or is_loopback(parts.hostname):
        return None
    place = f"{parts.hostname}{parts.path}/"
    return None if any(place.startswith(f"{address}/") for address in shape.at) else shape


def good_at(shape: KeyShape) -> Sentence:
    """Where keys of this shape are good."""
    return Sentence("such keys are for {addresses}", addresses=", ".join(shape.at))
