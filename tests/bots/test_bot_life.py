"""Whole bots: forked from the template, trading on the simulated exchange, killed and hung."""

import os
import signal
import statistics

from bot_world import World, quotes


def test_a_bot_quotes_what_its_configuration_says(world: World) -> None:
    began = world.system.clock.monotonic()
    world.deploy("first", quotes())

    status = world.wait_until("first", lambda s: s.state == "running")
    world.wait_for_orders(4)

    print(f"quoting {world.system.clock.monotonic() - began:.2f} s after the deployment ({status.quoting_after})")


def test_after_kill_9_it_quotes_again_and_not_twice(world: World) -> None:
    before = {order["client_order_id"] for order in world.open_orders()}
    times = []

    for _ in range(4):
        pid = world.status("first").pid
        assert pid is not None
        began = world.system.clock.monotonic()
        os.kill(pid, signal.SIGKILL)
        world.wait_until("first", lambda s, pid=pid: s.pid not in {None, pid} and s.state == "running")
        after = {order["client_order_id"] for order in world.wait_for_orders(4)}
        times.append(world.system.clock.monotonic() - began)
        assert not before & after
        before = after

    print(f"quoting again {statistics.mean(times):.2f} s after kill -9 on average: {times}")
