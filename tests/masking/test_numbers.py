"""Phone, identity and card numbers are known by what can be checked; other digits stay."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunyuan_fix.masking.numbers import find, is_card, is_identity

FOUND = [
    ("phone", "13812345678", "13812345678"),
    ("phone", "电话：138 1234 5678。", "138 1234 5678"),
    ("phone", "138-1234-5678", "138-1234-5678"),
    ("phone", "+86 13812345678", "13812345678"),
    ("phone", "+8613812345678", "13812345678"),
    ("phone", "008613812345678", "13812345678"),
    ("phone", "手机/微信/13812345678", "13812345678"),
    ("phone", "https://example.com/?phone=13812345678&x=1", "13812345678"),
    ("phone", "tel:13812345678", "13812345678"),
    ("phone", r"{\"a\": \"x\n13812345678\"}", "13812345678"),
    ("phone", r'"\u624b13812345678"', "13812345678"),
    ("phone", r'"\u621113812345678"', "13812345678"),
    ("phone", "+852 5123 4567", "5123 4567"),
    ("phone", "+853 6612 3456", "6612 3456"),
    ("phone", "+886 912 345 678", "912 345 678"),
    ("id", "身份证11010519491231002X", "11010519491231002X"),
    ("id", "11010519491231002x", "11010519491231002x"),
    ("card", "4111111111111111", "4111111111111111"),
    ("card", "4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("card", "5500-0000-0000-0004", "5500-0000-0000-0004"),
    ("card", "378282246310005", "378282246310005"),
    ("card", "3782 822463 10005", "3782 822463 10005"),
    ("card", "6212345678900000003", "6212345678900000003"),
    ("card", "30569309025904", "30569309025904"),
    ("card", "6011111111111117", "6011111111111117"),
    ("card", "3530111333300000", "3530111333300000"),
    ("card", "2223003122003222", "2223003122003222"),
]
STAYS = [
    *("1381234567", "138123456789", "12812345678", "11012345678"),  # too short, too long, not in use
    "https://github.com/a/b/actions/runs/17263548921",
    *("2024-138-1234-5678", "0.13812345678", "13812345678.5", "a13812345678", "13812345678b", "13812345678_"),
    *("1700000000", "1700000000000", "1700000000000000", "1700000000000000000"),  # times, from s to ns
    *("2026-11-29T18:45:47.138123Z", "20261129184547", "20261129184547138"),
    *("550e8400-e29b-41d4-a716-446655440000", "13812345-1381-1381-1381-138123456789"),
    *("da39a3ee5e6b4b0d3255bfef95601890afd80709", "4111111111111111111111111111111111111111"),
    *("11010519491231002Y", "110105194912310021", "110105194913310020", "990105194912310021"),
    *("4111111111111112", "4111111111111111111", "411111111111111"),  # Luhn, and lengths that Visa doesn't have
    *("1541815603606036480", "7241815603606036484"),  # snowflakes, the second of which Luhn's sum takes
    *("4000000000012345670", "621234567890123457"),  # no lengths of Visa and UnionPay, though the sums are right
    "3.14159265358979323846",
    "0x4111111111111111",
    "order 20240101000004111111111111111",
    "852 5123 4567",
    "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14",
]


@pytest.mark.parametrize(("kind", "text", "number"), FOUND)
@pytest.mark.parametrize("around", ["{}", "a {} b", "（{}）", '{{"a":"{}"}}', "{},{{}}", "{}\n", "x={};"])
def test_each_is_found(kind: str, text: str, number: str, around: str) -> None:
    whole = around.format(text)
    (found,) = find(whole)
    assert (found.kind, whole[found.start : found.end]) == (kind, number)


@pytest.mark.parametrize("text", STAYS)
def test_other_digits_stay(text: str) -> None:
    assert find(text) == []


def test_several_in_a_row_are_each_found() -> None:
    text = "13812345678 11010519491231002X 4111111111111111, 13912345678"
    assert [(found.kind, text[found.start : found.end]) for found in find(text)] == [
        ("phone", "13812345678"),
        ("id", "11010519491231002X"),
        ("card", "4111111111111111"),
        ("phone", "13912345678"),
    ]


@given(some.integers(min_value=0, max_value=10**15 - 1))
def test_one_digit_in_ten_makes_a_card_number_whole(digits: int) -> None:
    """Luhn's sum takes exactly one last digit."""
    assert sum(is_card(f"4{digits:014}"[:15] + str(last)) for last in range(10)) == 1


@given(some.integers(min_value=0, max_value=999), some.dates())
def test_one_check_character_in_eleven_is_right(order: int, day: object) -> None:
    number = f"110105{day:%Y%m%d}{order:03}" if getattr(day, "year", 0) >= 1900 else f"11010519491231{order:03}"
    assert sum(is_identity(number + check) for check in "0123456789X") == 1


@given(
    some.lists(some.sampled_from([*(text for _, text, _ in FOUND), *STAYS, " ", "-", "1", "\\u", "+86 "])).map("".join)
)
def test_numbers_dont_overlap_and_are_in_order(text: str) -> None:
    place = 0
    for found in find(text):
        assert place <= found.start < found.end <= len(text)
        place = found.end


HOSTILE = ["1 ", "1-", "138 1234 ", "4", "+86 138", "\\u1234", "4111 1111 ", "6212345678", "13812345678 ", "1a"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_text_whatever_it_is(piece: str) -> None:
    def seconds(size: int) -> float:
        text, tries = piece * (size // len(piece)), []
        for _ in range(3):
            began = time.process_time()
            find(text)
            tries.append(time.process_time() - began)
        return min(tries)

    find("warm 13812345678")
    assert seconds(100_000) < 4 * seconds(50_000) + 0.02
