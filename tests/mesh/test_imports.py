"""Long imports through the gateway: a job that is followed, one effect, and a cancellation that leaves nothing."""

import time
from typing import Any

import httpx

from .accounts import API, cash, events, key, new_portfolio

ROWS = 2_500
LONG = (
    "type,symbol,quantity,price,amount,executed_at\n"
    "deposit,,,,1000000.00,2020-01-02T15:00:00Z\n"
    + "".join(
        f"buy,AAPL,1,{70 + number % 7}.50,,2020-{1 + number % 12:02}-15T21:00:00Z\n" for number in range(ROWS - 1)
    )
    + "buy,NOSUCH,1,1.00,,2020-01-15T21:00:00Z\n"
)


def imported(user: httpx.Client, portfolio: str, headers: dict[str, str]) -> httpx.Response:
    return user.post(
        f"{API}/portfolios/{portfolio}/transactions/import",
        content=LONG,
        headers={"Content-Type": "text/csv"} | headers,
    )


def ended(user: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 180
    seen = []
    while (job := user.get(answer.headers["Location"]).json())["status"] in {"queued", "running"}:
        assert time.monotonic() < deadline, job
        seen.append(job["progress"])
        time.sleep(0.1)
    assert seen == sorted(seen)
    return dict(job)


def test_a_long_import_is_a_job_that_records_each_row_once(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    headers = key()
    first = imported(user, portfolio, headers)
    again = imported(user, portfolio, headers)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    job = ended(user, first)
    assert job["status"] == "succeeded", job
    report = job["result"]
    assert (report["accepted_rows"], report["rejected_rows"], report["duplicate_rows"]) == (ROWS, 1, 0)
    assert [(row["line"], row["column"], row["field"]) for row in report["rejected"]] == [(ROWS + 2, 2, "symbol")]
    twin = ended(user, imported(user, portfolio, key()))["result"]
    assert (twin["accepted_rows"], twin["duplicate_rows"]) == (0, ROWS)
    assert events(user, portfolio, after=ROWS - 1)[-1]["seq"] == ROWS
    listed = user.get(f"{API}/portfolios/{portfolio}/transactions", params={"import_id": report["import_id"]}).json()
    assert {row["import_id"] for row in listed["data"]} == {report["import_id"]}


def test_a_cancelled_import_is_all_or_nothing(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    answer = imported(user, portfolio, key())
    user.delete(answer.headers["Location"])
    job = ended(user, answer)
    recorded = {"cancelled": 0, "succeeded": ROWS}[job["status"]]
    assert len(events(user, portfolio, after=ROWS - 1)) == min(recorded, 1)
    assert (cash(user, portfolio) in {"0", "0.00"}) == (job["status"] == "cancelled")


def test_a_stranger_sees_nothing_of_the_job(user: httpx.Client, stranger: httpx.Client) -> None:
    answer = imported(user, new_portfolio(user), key())
    for method in ("GET", "DELETE"):
        assert stranger.request(method, answer.headers["Location"]).status_code == 404
    assert ended(user, answer)["status"] == "succeeded"
