"""`demo`: a server of its own, a bot on the simulated exchange, a kill, and what happens then."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aviary.commands.client import Client, NotRunning, Refused, client_of
from aviary.commands.stop import StillRunning, stop_bots, stop_daemons
from aviary.config.clock import SystemClock, pause
from aviary.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOT = "demo"
ACCOUNT = "master_account"
PAIR = "BTC-USDT"
KEY = "sandbox-demo"

PATIENCE = 120.0
"""Seconds that each step may take."""

CONTROLLER = {
    "id": "demo_pmm",
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "connector_name": "sandbox",
    "trading_pair": PAIR,
    "total_amount_quote": 1000,
    "buy_spreads": [0.0005, 0.001],
    "sell_spreads": [0.0005, 0.001],
    "executor_refresh_time": 10,
    # Positions are closed soon, whatever they bring, and their levels quoted anew: there is always something to see.
    "take_profit": 0.0005,
    "time_limit": 15,
    "cooldown_time": 5,
}


class Story:
    """Says what happens, with the seconds since the story began."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._began = self._clock.monotonic()

    def tell(self, text: str) -> None:
        """One line."""
        print(f"{self._clock.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def wait_until[R](self, what: str, look: Callable[[], R | None]) -> tuple[R, float]:
        """Look until there is something to see; what was seen, and how many seconds it took."""
        began = self._clock.monotonic()
        while True:
            try:
                seen = look()
            except (NotRunning, Refused):
                seen = None
            waited = self._clock.monotonic() - began
            if seen is not None:
                return seen, waited
            if waited > PATIENCE:
                raise NotRunning(f"waited {PATIENCE:g} s in vain until {what}")
            pause(0.1)


def demonstrate(*, keep: bool) -> int:
    """Tell the whole story; answers the exit code."""
    story = Story()
    home = Path(tempfile.mkdtemp(prefix="aviary-demo-"))
    try:
        with server(home, story) as client:
            bot = deploy(client, story)
            heal(client, bot, story)
            wind_down(client, bot, story)
    except (NotRunning, Refused) as problem:
        print(f"the demo stopped: {problem}\nthe server's log is in {home}", file=sys.stderr)
        return 1
    if not keep:
        shutil.rmtree(home, ignore_errors=True)
    story.tell("That was all. `make run` starts a server of your own.")
    return 0


@contextmanager
def server(home: Path, story: Story) -> Iterator[Client]:
    """A server on a folder of its own, ended together with all it started."""
    password = secrets.token_urlsafe(12)
    settings = Settings.model_validate(
        {"aviary_home": home, "port": 0, "password": password, "config_password": secrets.token_urlsafe(12)}
    )
    environment = {
        **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE"}},
        "AVIARY_HOME": str(home),
        "USERNAME": settings.username,
        "PASSWORD": password,
        "CONFIG_PASSWORD": settings.config_password.get_secret_value(),
        "HOST": "127.0.0.1",
        "PORT": "0",
    }
    entry = Path(__file__).resolve().parent.parent / "run.py"
    story.tell("Starting a server on an empty folder …")
    with (home / "output.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, str(entry), "run"], cwd=home, env=environment, stdout=output, stderr=output
        )
    try:
        client, waited = story.wait_until("the server answers", lambda: answering(settings))
        story.tell(f"It answers at {client.url}, {waited:.1f} s after its start.")
        story.wait_until("every branch runs", lambda: ready(client))
        story.tell("Every branch of the supervision tree runs: database, broker, exchange, template, …")
        yield client
    finally:
        stop_bots_quietly(settings)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        stop_daemons(settings)


def stop_bots_quietly(settings: Settings) -> None:
    """Let no bot outlive the story, whatever became of it."""
    try:
        client, _ = client_of(settings)
        stop_bots(client)
    except (NotRunning, Refused, StillRunning) as problem:
        print(f"bots may still run: {problem}", file=sys.stderr)


def answering(settings: Settings) -> Client | None:
    """A client of the server, once it answers."""
    client, _ = client_of(settings)
    client.call("GET", "/health/live")
    return client


def ready(client: Client) -> bool | None:
    """Whether every branch runs."""
    return True if client.call("GET", "/health/ready")["status"] == "ready" else None


def deploy(client: Client, story: Story) -> str:
    """Give the account a key, save a configuration, start a bot; answers the bot's name."""
    client.call(
        "POST",
        f"/accounts/add-credential/{ACCOUNT}/sandbox",
        {"sandbox_api_key": KEY, "sandbox_api_secret": secrets.token_hex(8)},
    )
    story.tell("An account got a key of the simulated exchange (checked there, then encrypted on disk).")
    client.call("POST", f"/controllers/configs/{CONTROLLER['id']}", CONTROLLER)
    deployed = client.call(
        "POST",
        "/bot-orchestration/deploy-v2-controllers",
        {
            "instance_name": BOT,
            "credentials_profile": ACCOUNT,
            "controllers_config": [f"{CONTROLLER['id']}.yml"],
        },
    )
    story.tell(f"A market-making bot for {PAIR} was deployed: a real hummingbot, in a process of its own.")
    orders, waited = story.wait_until("the bot quotes", lambda: quoting(client))
    story.tell(f"It quotes after {waited:.1f} s: {orders} orders rest on the exchange.")
    fills, waited = story.wait_until("the bot trades", lambda: fills_of(client))
    story.tell(f"Its first fill came {waited:.1f} s later ({fills} so far).")
    return str(deployed["unique_instance_name"])


def heal(client: Client, bot: str, story: Story) -> None:
    """Kill the bot and see it come back."""
    before = bot_cell(client, bot)
    pid = bot_pid(client, bot)
    os.kill(pid, signal.SIGKILL)
    left_behind = {order["order_id"] for order in open_orders(client)}
    story.tell(f"kill -9 {pid}: the bot's process is gone, its orders are left behind on the exchange.")
    again, waited = story.wait_until("the bot is back", lambda: new_pid(client, bot, pid))
    story.tell(f"Its supervisor started it again after {waited:.1f} s (process {again}).")
    _, waited = story.wait_until("the bot quotes again", lambda: quoting_anew(client, left_behind))
    story.tell(
        f"{waited:.1f} s later the orders of its dead incarnation are gone and it quotes again."
        " What it had bought is taken over with its exit, not bought a second time."
    )
    fills = fills_of(client) or 0
    _, waited = story.wait_until("it trades again", lambda: more_fills(client, fills))
    story.tell(f"And it trades again: the next fill came {waited:.1f} s later.")
    cell = bot_cell(client, bot)
    story.tell(
        f"The tree says: {cell['address']} {cell['state']}, life {cell['incarnation']}"
        f" (was {before['incarnation']}), last failure: {cell['last_failure']}"
    )


def wind_down(client: Client, bot: str, story: Story) -> None:
    """Stop the bot for good and check that nothing is left."""
    client.call("POST", "/bot-orchestration/stop-bot", {"bot_name": bot, "skip_order_cancellation": False})
    _, waited = story.wait_until("no order is left", lambda: True if not open_orders(client) else None)
    story.tell(f"Asked to stop, the bot cancelled its orders: none is left on the exchange after {waited:.1f} s.")
    story.wait_until("its process has ended", lambda: True if not bot_status(client, bot)["pid"] else None)
    story.tell("Its process has ended, and it stays stopped, over restarts of the server too.")


def bot_status(client: Client, bot: str) -> dict[str, Any]:
    """What the server says of the bot."""
    answer: dict[str, Any] = client.call("GET", f"/bot-orchestration/bots/{bot}/status")["data"]
    return answer


def bot_pid(client: Client, bot: str) -> int:
    """The bot's process. Raises `NotRunning` if there is none."""
    pid = bot_status(client, bot).get("pid")
    if not pid:
        raise NotRunning("the bot has no process")
    return int(pid)


def new_pid(client: Client, bot: str, old: int) -> int | None:
    """The bot's process once it is another one."""
    pid = bot_pid(client, bot)
    return pid if pid != old else None


def bot_cell(client: Client, bot: str) -> dict[str, Any]:
    """The bot's row of the tree."""
    cells = client.call("GET", "/supervision/tree")["actors"]
    cell: dict[str, Any] = next(cell for cell in cells if cell["address"] == f"bots/{bot}")
    return cell


def exchange(client: Client) -> Client:
    """The simulated exchange's own interface, for a look into its books."""
    return Client(client.call("GET", "/sandbox")["url"], "", "")


def open_orders(client: Client) -> list[dict[str, Any]]:
    """The orders of the bot's key that rest on the exchange, as its books have them."""
    orders: list[dict[str, Any]] = exchange(client).call("GET", f"/_sandbox/orders?key={KEY}&open=true")
    return orders


def quoting(client: Client) -> int | None:
    """How many orders rest, once there is at least one on each side."""
    orders = open_orders(client)
    return len(orders) if {order["side"] for order in orders} == {"BUY", "SELL"} else None


def quoting_anew(client: Client, old: set[int]) -> int | None:
    """How many orders rest, once there are some and none of them is an old one.

    Not on both sides: a level whose entry was filled before the kill has an exit, and no new entry yet.
    """
    orders = {order["order_id"] for order in open_orders(client)}
    return None if old & orders else len(orders) or None


def fills_of(client: Client) -> int | None:
    """How many fills the exchange counts, if any."""
    return len(exchange(client).call("GET", f"/_sandbox/fills?key={KEY}")) or None


def more_fills(client: Client, before: int) -> int | None:
    """How many fills there are, once there are more."""
    count = fills_of(client) or 0
    return count if count > before else None
