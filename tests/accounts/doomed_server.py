"""A server that is to be killed: places orders, leaves one intent unsent, says so, and waits for its end."""

import sys
import threading
from decimal import Decimal
from pathlib import Path

from account_world import World
from aviary.persistence.orders import Order


def main() -> None:
    home, url, key = sys.argv[1:]
    world = World(Path(home), url)
    world.start()
    world.connect("desk", key)
    placed = [world.place("desk", price=str(20000 + number)).order_id for number in range(3)]
    now = world.system.clock.now()
    unsent = Order(
        client_order_id="x-never-sent",
        account="desk",
        connector="sandbox",
        trading_pair="BTC-USDT",
        side="BUY",
        order_type="LIMIT",
        amount=Decimal("0.01"),
        price=Decimal(20000),
        created_at=now,
        updated_at=now,
    )
    world.transact(lambda r: r.orders.record_intent(unsent))
    print(*placed, unsent.client_order_id, flush=True)
    threading.Event().wait()


main()
