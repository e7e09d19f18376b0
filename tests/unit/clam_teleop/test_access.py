from __future__ import annotations

import pytest

pytest.importorskip("clam_teleop", reason="needs clam_teleop (make setup)")

from clam_core.errors import ClamError
from clam_teleop.access import Access, make_token

ACCESS = Access("abcdefghijkl", ["robot.local"])


def test_tokens_are_sound_and_never_the_same() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(Access(token, []).knows(token) for token in tokens)


@pytest.mark.parametrize("token", ["", "short", "with/slash-in-it", "with space in it", "ünterwegs-im-netz"])
def test_a_token_that_is_weak_or_breaks_the_address_is_refused(token: str) -> None:
    with pytest.raises(ClamError, match="a token has at least 12"):
        Access(token, [])


@pytest.mark.parametrize("token", ["", "abcdefghijk", "abcdefghijklm", "ABCDEFGHIJKL", "é", "\udcff"])
def test_a_wrong_token_is_not_known(token: str) -> None:
    assert not ACCESS.knows(token)


@pytest.mark.parametrize(
    "host",
    ["localhost:8443", "LOCALHOST", "127.0.0.1:8443", "192.168.1.7:8443", "[::1]:8443", "robot.local:1", "10.0.0.1"],
)
def test_addresses_and_our_own_names_are_ours(host: str) -> None:
    assert ACCESS.is_ours(host)


@pytest.mark.parametrize("host", ["", "evil.example:8443", "robot.local.evil.example", "127.0.0.1.evil.example:8443"])
def test_names_of_others_that_point_here_are_not(host: str) -> None:
    assert not ACCESS.is_ours(host)


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("https://10.0.0.1:8443", True),
        ("http://10.0.0.1:8443", False),
        ("https://10.0.0.1", False),
        ("https://evil.example", False),
        ("https://10.0.0.1:8443.evil.example", False),
        ("null", False),
        ("", False),
        ("https://\udcff\udcfe", False),  # bytes that are no UTF-8
        ("https://ö", False),
        (None, False),
    ],
)
def test_only_our_own_page_has_our_origin(origin: str | None, same: bool) -> None:
    assert ACCESS.is_same_origin(origin, "https", "10.0.0.1:8443") is same
