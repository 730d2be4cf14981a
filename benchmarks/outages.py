"""Measures a whole server against an exchange in trouble: how long orders are refused after each fault's end, and
how many orders a second go through for how long.

Usage: `python benchmarks/outages.py [--seconds 25] [--faults stall_websockets,down] [--pace 5 --minutes 3]`. Everything runs
on a folder of its own and is ended afterwards.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aviary.commands import demo
from aviary.commands.client import Client, NotRunning, Refused
from aviary.config.clock import SystemClock, pause

ACCOUNT = "master_account"
CONNECTORS = ("sandbox", "sandbox_perpetual")

FAULTS: dict[str, dict[str, Any]] = {
    "drop_websockets": {},
    "stall_websockets": {},
    "http_5xx": {"status": 503},
    "http_429": {},
    "latency": {"ms": 4000},
    "down": {},
    "answer_lost": {},
    "hidden_fill": {},
    "hidden_cancel": {},
    "price_shock": {"percent": -3},
}

PERIOD = 0.5
"""Seconds between two orders of one connector while a fault lasts."""

GIVE_UP = 120.0
"""Seconds after a fault's end for which it is looked whether orders are taken again."""

IN_A_ROW = 3
"""Orders that must be taken in a row to call it service."""


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=25.0)
    words.add_argument("--faults", default=",".join(FAULTS))
    words.add_argument("--pace", type=float, default=0.0, help="orders a second, instead of faults")
    words.add_argument("--minutes", type=float, default=3.0)
    chosen = words.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder,
        demo.server(Path(folder), demo.Story()) as client,
    ):
        for connector in CONNECTORS:
            connect(client, connector)
        if chosen.pace:
            pace(client, chosen.pace, chosen.minutes * 60)
            return
        for fault in chosen.faults.split(","):
            outage(client, fault, chosen.seconds)


def connect(client: Client, connector: str) -> None:
    """Keys for a connector, and wait until it takes orders."""
    keys = {f"{connector}_api_key": "sandbox-outages", f"{connector}_api_secret": "secret"}
    clock = SystemClock()
    began = clock.monotonic()
    while not added(client, connector, keys):
        pause(1.0)
    while place(client, connector)[0] != "open":
        if clock.monotonic() - began > GIVE_UP:
            raise RuntimeError(f"{connector} takes no orders")
        pause(0.5)


def added(client: Client, connector: str, keys: dict[str, str]) -> bool:
    """Whether the keys were taken; a busy machine may need another try."""
    try:
        client.call("POST", f"/accounts/add-credential/{ACCOUNT}/{connector}", keys)
    except Refused:
        return False
    return True


def place(client: Client, connector: str) -> tuple[str, str]:
    """One order that does not trade; its state, or `refused`, and its id or the reason."""
    order = {
        "account_name": ACCOUNT,
        "connector_name": connector,
        "trading_pair": "BTC-USDT",
        "trade_type": "BUY",
        "amount": 0.01,
        "price": 20000,
        "order_type": "LIMIT",
    }
    try:
        answer = client.call("POST", "/trading/orders", order)
    except (Refused, NotRunning) as no:
        return "refused", str(no)
    return answer.get("state", "open"), answer["order_id"]


def cancel(client: Client, connector: str, order_id: str) -> str:
    """Cancel an order; `cancelled`, `pending_cancel` or what was said instead."""
    try:
        answer = client.call("POST", f"/trading/{ACCOUNT}/{connector}/orders/{order_id}/cancel")
    except (Refused, NotRunning) as no:
        return str(no)
    return str(answer.get("state"))


class Traffic:
    """Orders of one connector, one after the other, each cancelled some seconds later."""

    def __init__(self, client: Client, connector: str) -> None:
        self._client = client
        self._connector = connector
        self._clock = SystemClock()
        self._done = threading.Event()
        self._resting: collections.deque[str] = collections.deque()
        self.log: list[tuple[float, str, str]] = []
        self.cancels: collections.Counter[str] = collections.Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._done.set()
        self._thread.join()

    def served_since(self, moment: float) -> float | None:
        """When the first of some orders in a row was taken that were sent after a moment."""
        sent = [row for row in self.log if row[0] >= moment]
        for index in range(len(sent) - IN_A_ROW + 1):
            if all(state == "open" for _, state, _ in sent[index : index + IN_A_ROW]):
                return sent[index][0]
        return None

    def _run(self) -> None:
        while not self._done.is_set():
            at = self._clock.monotonic()
            state, text = place(self._client, self._connector)
            self.log.append((at, state, text))
            if state != "refused":
                self._resting.append(text)
            if len(self._resting) > 10:
                self.cancels[cancel(self._client, self._connector, self._resting.popleft())[:60]] += 1
            self._done.wait(max(0.0, at + PERIOD - self._clock.monotonic()))


def outage(client: Client, fault: str, seconds: float) -> None:
    """Have a fault for a time, with orders going on, and print when they are taken again."""
    clock = SystemClock()
    traffic = [Traffic(client, connector) for connector in CONNECTORS]
    for one in traffic:
        one.start()
    pause(5.0)
    demo.exchange(client).call("POST", "/_sandbox/faults", {"kind": fault, "seconds": seconds, **FAULTS[fault]})
    pause(seconds)
    ended = clock.monotonic()
    while clock.monotonic() - ended < GIVE_UP and any(one.served_since(ended) is None for one in traffic):
        pause(0.5)
    for connector, one in zip(CONNECTORS, traffic, strict=True):
        one.stop()
        at = one.served_since(ended)
        states = collections.Counter(state for moment, state, _ in one.log if moment < ended)
        reasons = collections.Counter(text[:90] for _, state, text in one.log if state == "refused")
        when = "never" if at is None else f"{at - ended:.1f} s"
        print(
            f"{fault:18} {connector:18} orders taken after {when:7} meanwhile {dict(states)} cancels {dict(one.cancels)}",
            flush=True,
        )
        for reason, count in reasons.most_common(3):
            print(f"    {count:4} x {reason}", flush=True)
    pause(15.0)


def pace(client: Client, rate: float, seconds: float) -> None:
    """Place orders at a pace on each connector, each cancelled ten seconds later; print what became of them."""
    clock = SystemClock()
    began = clock.monotonic()
    outcomes: dict[str, collections.Counter[str]] = {one: collections.Counter() for one in CONNECTORS}
    first: dict[str, float] = {}
    slow: dict[str, list[float]] = {one: [] for one in CONNECTORS}

    def one_order(connector: str) -> None:
        at = clock.monotonic()
        state, text = place(client, connector)
        slow[connector].append(clock.monotonic() - at)
        word = state if state != "refused" else text[:80]
        outcomes[connector][word] += 1
        if state != "open":
            first.setdefault(connector, at - began)
            return
        pause(10.0)
        outcomes[connector][f"cancel: {cancel(client, connector, text)[:60]}"] += 1

    with ThreadPoolExecutor(max_workers=400) as pool:
        sent = 0
        while clock.monotonic() - began < seconds:
            for connector in CONNECTORS:
                pool.submit(one_order, connector)
            sent += 1
            pause(max(0.0, began + sent / rate - clock.monotonic()))
    for connector in CONNECTORS:
        waits = sorted(slow[connector])
        print(
            f"{connector}: {sent} orders at {rate:g} a second; first trouble {first.get(connector)};"
            f" answer median {waits[len(waits) // 2]:.3f} s, worst {waits[-1]:.2f} s"
        )
        for word, count in outcomes[connector].most_common():
            print(f"    {count:5} x {word}")


if __name__ == "__main__":
    main()
