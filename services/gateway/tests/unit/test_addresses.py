"""Whom an address stands for, where requests are counted by it."""

import httpx
import pytest

from quantmesh.gateway.core.addresses import counted_as

from .edges import make_edge, policies


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff::8", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_an_ipv6_network_counts_as_one(address: str, counted: str) -> None:
    assert counted_as(address) == counted


async def test_a_stranger_with_a_network_of_addresses_is_limited_as_one_with_one() -> None:
    edge = make_edge(limits=policies(stranger=2))
    codes = []
    for host in range(3):
        transport = httpx.ASGITransport(edge.app, client=(f"2001:db8:1:2::{host}", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            codes.append((await client.get("/nowhere")).status_code)
    assert codes == [404, 404, 429]
