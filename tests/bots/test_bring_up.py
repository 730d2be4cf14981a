"""Bots come up by themselves, whatever was away when their server started; they trade on meanwhile."""

import os
import signal
import sqlite3

import pytest
from aviary.actors.bots import registry
from aviary.actors.keeping.database import ALARM
from aviary.actors.messages.bots import StopAndArchiveBot, StopBot
from aviary.actors.messages.strategies import ListControllers
from aviary.persistence import database
from aviary.supervisors.messages import RestartChild, TerminateChild
from bot_world import World, key_of, quotes, until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BRING_UP_PERIOD", 0.5)
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.3)


def test_a_database_that_is_locked_at_the_start_delays_what_is_written_and_nothing_else(world: World) -> None:
    pid = world.have("late", quotes())
    world.kill_tree()
    lock = sqlite3.connect(world.home / "a.sqlite", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")

    world.start_tree()

    assert "market_making" in world.ask("strategy-library", ListControllers())
    until(world, lambda: "locked" in world.alarm(ALARM))
    assert world.wait_until("late", lambda status: status.state == "running").pid == pid
    lock.execute("ROLLBACK")
    lock.close()
    until(world, lambda: not world.alarm(ALARM))
    assert not world.alarm("bring-up/bot-registry")


def test_a_file_that_is_no_database_is_waited_for_and_the_bots_are_found_again(world: World) -> None:
    pid = world.have("late", quotes())
    world.kill_tree()
    with sqlite3.connect(world.home / "a.sqlite") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    good = (world.home / "a.sqlite").read_bytes()
    for name in ("a.sqlite-wal", "a.sqlite-shm"):
        (world.home / name).unlink(missing_ok=True)
    (world.home / "a.sqlite").write_bytes(b"garbage" * 1000)

    world.start_tree()

    until(world, lambda: "damaged" in world.alarm(ALARM))
    draft = world.home / "copy.sqlite"
    draft.write_bytes(good)
    draft.replace(world.home / "a.sqlite")
    assert world.wait_until("late", lambda status: status.state == "running").pid == pid


def test_bots_whose_supervisor_was_restarted_are_found_again(world: World) -> None:
    pid = world.have("late", quotes())

    world.ask("aviary", TerminateChild(name="bots"))
    world.ask("aviary", RestartChild(name="bots"))
    world.ask("aviary", TerminateChild(name="bot-registry"))
    world.ask("aviary", RestartChild(name="bot-registry"))

    assert world.wait_until("late", lambda status: status.state == "running").pid == pid
    world.ask("aviary", TerminateChild(name="bots"))
    world.ask("aviary", RestartChild(name="bots"))
    assert world.wait_until("late", lambda status: status.state == "running").pid == pid


def test_a_bot_whose_folder_is_away_is_tried_until_it_is_back(world: World) -> None:
    pid = world.have("late", quotes())
    folder, elsewhere = world.folders.of("late"), world.home / "elsewhere"
    world.kill_tree()
    os.kill(pid, signal.SIGKILL)
    folder.rename(elsewhere)

    world.start_tree()

    status = world.wait_until("late", lambda s: s.state == "backing_off" and "folder" in s.reason)
    assert status.pid is None
    until(world, lambda: "times in a row" in world.alarm("bot/late"))
    assert not folder.exists()
    elsewhere.rename(folder)
    world.wait_until("late", lambda s: s.state == "running")
    world.wait_for_orders(4, key_of("late"))


def test_an_archive_without_room_is_tried_until_there_is_some(world: World) -> None:
    world.have("full", quotes())
    archived = world.folders.archive_of("full").parent
    archived.mkdir(exist_ok=True)
    kept = archived.with_name("kept")
    archived.rename(kept)
    archived.write_text("in the way")

    world.ask("bot-registry", StopAndArchiveBot(bot_name="full"))

    until(world, lambda: "the archive of full" in world.alarm("bring-up/bot-registry"))
    assert world.folders.of("full").exists()
    archived.unlink()
    kept.rename(archived)
    world.wait_until_gone("full")
    assert world.folders.archive_of("full").exists()
    until(world, lambda: not world.alarm("bring-up/bot-registry"))


def test_a_bot_that_was_stopped_and_is_not_brought_up_yet_is_not_started(world: World) -> None:
    world.have("late", quotes())
    world.ask("bot-registry", StopBot(bot_name="late", async_backend=False), 90)
    world.kill_tree()

    world.start_tree()

    status = world.wait_until("late", lambda s: s.state == "stopped")
    assert (status.pid, status.orders_left, status.positions_left) == (None, 0, ())
