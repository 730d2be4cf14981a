"""Parts of a whole server are killed; what the user sees of it."""

import os
import signal
import threading
from typing import Any

import psutil
import pytest
from aviary.commands.client import NotRunning, Refused
from processes import processes_in
from whole_server import Server

KEY, OTHER_KEY = "sandbox-heal", "sandbox-calm"

HEALED_WITHIN = 30.0
"""Seconds from the death of a part until everybody is served again, on a machine whose cores are all busy."""


@pytest.fixture(scope="module")
def desk(server: Server) -> Server:
    """The server with two accounts that can trade."""
    server.call("POST", "/accounts/add-account?account_name=calm")
    server.add_key(KEY)
    server.add_key(OTHER_KEY, account="calm")
    server.until("both trade", lambda: all(can_trade(server, name) for name in ("master_account", "calm")))
    return server


def can_trade(server: Server, account: str) -> bool:
    state = server.call("GET", f"/accounts/{account}/connectors/sandbox")
    return bool(state["phase"] == "ready")


def place(server: Server, account: str = "master_account", price: float = 20_000) -> dict[str, Any]:
    placed: dict[str, Any] = server.call(
        "POST",
        "/trading/orders",
        {
            "account_name": account,
            "connector_name": "sandbox",
            "trading_pair": "BTC-USDT",
            "trade_type": "BUY",
            "amount": 0.001,
            "order_type": "LIMIT",
            "price": price,
        },
    )
    return placed


def cancel(server: Server, order_id: str, account: str = "master_account") -> None:
    server.call("POST", f"/trading/{account}/sandbox/orders/{order_id}/cancel")


def active(server: Server, account: str = "master_account") -> set[str]:
    rows = server.call("POST", "/trading/orders/active", {"account_names": [account], "limit": 1000})["data"]
    return {row["order_id"] for row in rows}


def order(server: Server, order_id: str) -> dict[str, Any]:
    rows = server.call("POST", "/trading/orders/search", {"limit": 1000})["data"]
    found: dict[str, Any] = next(row for row in rows if row["order_id"] == order_id)
    return found


def on_exchange(server: Server, key: str = KEY) -> set[str]:
    return {row["client_order_id"] for row in server.open_orders(key)}


def cancel_all(server: Server) -> None:
    for order_id in active(server):
        cancel(server, order_id)
    server.until("no order is left", lambda: not on_exchange(server))


def host_pid(server: Server, name: str) -> int:
    """The process of an engine host, found by the folder it works in; 0 if there is none."""
    folder = str(server.home / "run" / "hosts" / name)
    for process in psutil.process_iter(["pid", "cwd", "status"]):
        if process.info["cwd"] == folder and process.info["status"] != psutil.STATUS_ZOMBIE:
            return int(process.info["pid"])
    return 0


def test_an_account_s_host_that_is_killed_is_replaced_and_nobody_else_notices(desk: Server) -> None:
    orders = {place(desk)["order_id"] for _ in range(3)}
    calm = place(desk, "calm")["order_id"]
    calm_host, victim = host_pid(desk, "account-calm"), host_pid(desk, "account-master_account")
    trouble: list[Exception] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                assert calm in active(desk, "calm")
                desk.call("GET", "/market-data/ticker/BTC-USDT")
                desk.call("GET", "/health/live")
            except (AssertionError, NotRunning, Refused) as error:
                trouble.append(error)

    asker = threading.Thread(target=keep_asking)
    asker.start()
    os.kill(victim, signal.SIGKILL)
    try:
        desk.until(
            "another host trades",
            lambda: (
                host_pid(desk, "account-master_account") not in {0, victim} and can_trade(desk, "master_account")
            ),
            HEALED_WITHIN,
        )
    finally:
        stop.set()
        asker.join(30)

    assert trouble == []
    assert host_pid(desk, "account-calm") == calm_host
    assert active(desk) == orders == on_exchange(desk)
    assert not psutil.pid_exists(victim) or psutil.Process(victim).status() == psutil.STATUS_ZOMBIE
    cancel_all(desk)
    cancel(desk, calm, "calm")


def test_an_answer_that_was_lost_is_no_rejection(desk: Server) -> None:
    desk.faults("place_answer_lost", 30, key=KEY, count=1)

    placed = place(desk)

    assert placed["state"] == "unresolved"
    desk.until("it is known to rest", lambda: order(desk, placed["order_id"])["state"] == "open")
    assert on_exchange(desk) == {placed["order_id"]}
    cancel_all(desk)


@pytest.mark.parametrize("name", ["sandbox", "broker", "template"])
def test_a_neighbour_process_that_is_killed_is_back(desk: Server, name: str) -> None:
    address = {"sandbox": "sandbox", "broker": "broker/server", "template": "template"}[name]
    words = {"sandbox": "aviary.sandbox", "broker": str(desk.home / "broker"), "template": "processes.template"}
    before, known = desk.cell(address)["restarts"], len(crashes(desk, address))
    victims = [
        process
        for process in psutil.process_iter(["cmdline"])
        if words[name] in " ".join(process.info["cmdline"] or ()) and desk.is_ours(*process.info["cmdline"])
    ]
    # Hosts and bots keep the command line of the template that they were forked from: it is the oldest.
    oldest = min(victims, key=lambda process: process.create_time())

    oldest.kill()

    desk.until("it was started again", lambda: desk.cell(address)["restarts"] > before, HEALED_WITHIN)
    desk.until("it runs", lambda: desk.cell(address)["state"] == "running", HEALED_WITHIN)
    desk.until("everything is ready", desk.ready)
    desk.until("both trade", lambda: can_trade(desk, "master_account") and can_trade(desk, "calm"))
    placed = place(desk)
    assert placed["state"] in {"open", "unresolved"}
    cancel_all(desk)
    desk.until("the journal has it", lambda: len(crashes(desk, address)) > known)
    assert len(crashes(desk, address)) == known + desk.cell(address)["restarts"] - before


def crashes(server: Server, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.call("GET", f"/supervision/journal?address={address}&kind=crash")["data"]
    return found


def test_nothing_is_forgotten_or_doubled_when_the_server_is_killed_while_it_places_orders(desk: Server) -> None:
    for round_number in range(2):
        placing = threading.Thread(target=place_until_killed, args=(desk,))
        placing.start()
        desk.until("orders are being placed", lambda many=round_number: len(on_exchange(desk)) > many)
        ours = processes_in(desk.home / "run")
        for process in ours:
            # What is stopped does not notice that its server is gone.
            process.suspend()
        desk.kill()
        placing.join(60)
        desk.start()
        desk.until("every branch runs", desk.ready)
        assert len(ours) > 1
        assert not set(ours) & set(processes_in(desk.home / "run"))
        desk.until("the account trades", lambda: can_trade(desk, "master_account"))

        def settled() -> bool:
            rows = desk.call("POST", "/trading/orders/search", {"limit": 1000})["data"]
            return all(row["state"] not in {"intent", "unresolved"} for row in rows)

        desk.until("every intent is settled", settled)
        resting = [row["client_order_id"] for row in desk.open_orders(KEY)]
        assert len(resting) == len(set(resting))
        assert active(desk) == set(resting)
    cancel_all(desk)


def place_until_killed(server: Server) -> None:
    try:
        while True:
            place(server)
    except (NotRunning, Refused, OSError):
        return
