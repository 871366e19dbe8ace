"""One idempotency key from fifty clients through two gateways and a `kill -9`: one effect, one answer."""

import threading
import time
import uuid

import httpx
import pytest

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, cash, events, live_quotes, new_portfolio

CLIENTS, REPEATS = 50, 20
DEPOSIT = {"type": "deposit", "amount": "7.00", "currency": "USD", "executed_at": "2020-01-02T15:00:00Z"}
# After this long without an answer something is broken.
PATIENCE_SECONDS = 120.0


class Insister(threading.Thread):
    """Sends the same request until it has been answered so many times, by each gateway in turn."""

    def __init__(self, gateways: list[httpx.Client], portfolio: str, key: str, first: int) -> None:
        super().__init__(daemon=True)
        self._gateways = gateways
        self._path = f"{API}/portfolios/{portfolio}/transactions"
        self._headers = {"Idempotency-Key": key}
        self._turn = first
        self.answers: list[tuple[bytes, bool]] = []
        self.surprises: list[str] = []

    def run(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.answers) < REPEATS and time.monotonic() < deadline:
            self._turn += 1
            try:
                answer = self._gateways[self._turn % 2].post(self._path, json=DEPOSIT, headers=self._headers)
            except httpx.TransportError:
                continue
            if answer.status_code == 201:
                self.answers.append((answer.content, answer.headers.get("Idempotent-Replayed") == "true"))
            elif answer.status_code not in {409, 503}:
                self.surprises.append(f"{answer.status_code}: {answer.text[:200]}")
            else:
                time.sleep(0.02)


@pytest.mark.parametrize("killed", ["portfolio", "postgres"])
def test_one_key_has_one_effect_and_one_answer_for_everybody(mesh: Mesh, killed: str) -> None:
    with mesh.new_user() as user, mesh.second_gateway() as other:
        portfolio, key = new_portfolio(user), str(uuid.uuid4())
        limits = httpx.Limits(max_connections=CLIENTS)
        addresses = (mesh.url, other)
        headers = dict(user.headers)
        gateways = [
            httpx.Client(base_url=address, headers=headers, limits=limits, timeout=30.0) for address in addresses
        ]
        clients = [Insister(gateways, portfolio, key, number) for number in range(CLIENTS)]
        restarts = mesh.part(killed).restarts
        for client in clients:
            client.start()
        # One answer is there by then, and nearly all are still to come.
        while not any(client.answers for client in clients):
            assert any(client.is_alive() for client in clients)
            time.sleep(0.001)
        mesh.kill(killed)
        for client in clients:
            client.join(2 * PATIENCE_SECONDS)
        while mesh.part(killed).restarts == restarts or mesh.part(killed).state != "ready":
            time.sleep(0.05)
        assert [client.surprises for client in clients] == [[]] * CLIENTS
        answers = [answer for client in clients for answer in client.answers]
        assert len(answers) == CLIENTS * REPEATS
        assert len({content for content, _ in answers}) == 1
        assert sum(not replayed for _, replayed in answers) <= 1
        assert [event["seq"] for event in events(user, portfolio)] == [1]
        assert cash(user, portfolio) == "7.00"
        path = f"{API}/portfolios/{portfolio}/transactions"
        different = user.post(path, json=DEPOSIT | {"amount": "8.00"}, headers={"Idempotency-Key": key})
        assert (different.status_code, different.json()["type"]) == (422, "/problems/idempotency-key-reused")
        for gateway in gateways:
            gateway.close()
        live_quotes(user)
