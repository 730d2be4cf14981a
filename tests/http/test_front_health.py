"""What is told of the tree: to everybody, and to those who know the password."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Probe
from aviary.actors.core.system import System
from aviary.actors.keeping.supervision import SupervisionService
from aviary.http.routes.supervision import ROWS
from aviary.http.routing import Row
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.restarter import TreeRestarter
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from front_end import DEADLINE, FrontEnd, front_end

PATIENT = Backoff(first=30.0, cap=30.0)


class Die(Message[None]):
    """Crash."""


class Mortal(AsyncActor):
    """Dies when told to."""

    def receive(self, message: Any) -> Any:
        if isinstance(message, Die):
            raise ZeroDivisionError("a key: hunter2")
        return super().receive(message)


class Degraded(AsyncActor):
    """Works less well than it should."""

    def prepare(self) -> None:
        self.degrade("the exchange is quiet")


def desk(system: System) -> ChildSpec:
    return ChildSpec("supervision", lambda: SupervisionService(TreeRestarter(system)))


async def until_state(front: FrontEnd, address: str, state: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            cell = front.system.cell(address)
            if cell is not None and cell.state == state:
                return
            await asyncio.sleep(0.005)


async def test_the_root_names_the_server() -> None:
    async with front_end() as front:
        assert (await front.call("GET", "/"))[:2] == (
            200,
            {"name": "Aviary", "version": "0.1.0", "status": "running"},
        )


async def test_before_the_tree_is_up_the_server_lives_and_is_not_ready() -> None:
    async with front_end(start=False) as front:
        assert (await front.call("GET", "/health/live"))[:2] == (200, {"status": "alive"})
        status, body, headers = await front.call("GET", "/health/ready")

        assert (status, body["status"]) == (503, "starting")
        assert "Retry-After" in headers


async def test_before_the_tree_is_up_a_request_is_told_to_come_back() -> None:
    async with front_end(ROWS, start=False) as front:
        status, body, headers = await front.call("GET", "/supervision/tree")

    assert status == 503
    assert "starting" in body["detail"]
    assert int(headers["Retry-After"]) >= 1


async def test_a_server_whose_kernel_is_silent_does_not_count_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aviary.http.health.KERNEL_SILENCE", -1.0)
    async with front_end() as front:
        assert (await front.call("GET", "/health/live"))[:2] == (503, {"status": "stuck"})


async def test_a_running_tree_is_ready() -> None:
    async with front_end((), ChildSpec("a", Probe), ChildSpec("b", Probe)) as front:
        status, body, _ = await front.call("GET", "/health/ready")

        assert (status, body["status"], body["troubled"]) == (200, "ready", [])
        assert [(one["address"], one["state"]) for one in body["branches"]] == [("a", "running"), ("b", "running")]


async def test_a_branch_that_backs_off_is_told_and_its_reason_only_to_who_knows_the_password() -> None:
    async with front_end((), ChildSpec("a", Mortal, backoff=PATIENT), ChildSpec("b", Probe)) as front:
        front.system.tell("a", Die())
        await until_state(front, "a", "backing_off")

        status, known, _ = await front.call("GET", "/health/ready")
        del front.client.headers["Authorization"]
        _, public, _ = await front.call("GET", "/health/ready")

        assert (status, known["status"]) == (503, "degraded")
        (told,) = known["troubled"]
        assert (told["address"], told["state"]) == ("a", "backing_off")
        assert told["next_try_at"] > 0
        assert "ZeroDivisionError" in told["last_failure"]
        assert public["troubled"][0].keys() == {"address", "state", "next_try_at"}


async def test_trouble_below_a_branch_degrades_the_server_and_does_not_stop_it() -> None:
    spec = SupervisorSpec(children=(ChildSpec("one", Degraded),))
    branch = ChildSpec("bots", lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS)
    async with front_end((), branch) as front:
        status, body, _ = await front.call("GET", "/health/ready")

        assert (status, body["status"]) == (200, "degraded")
        assert body["troubled"][0]["address"] == "bots/one"
        assert body["troubled"][0]["degraded"] == "the exchange is quiet"


async def test_a_branch_that_works_less_well_goes_on_serving() -> None:
    async with front_end((), ChildSpec("disk", Degraded)) as front:
        status, body, _ = await front.call("GET", "/health/ready")

        assert (status, body["status"]) == (200, "degraded")


async def test_the_desk_shows_the_tree_dead_letters_and_alarms() -> None:
    async with front_end(ROWS, desk, ChildSpec("a", Probe)) as front:
        front.system.tell("nobody", Die())
        front.system.alarms.raise_("quiet", "nothing heard")

        _, tree, _ = await front.call("GET", "/supervision/tree")
        _, letters, _ = await front.call("GET", "/supervision/dead-letters?limit=1")
        _, alarms, _ = await front.call("GET", "/supervision/alarms")

        assert [one["address"] for one in tree["actors"]] == ["aviary", "supervision", "a"]
        assert tree["statistics"]["dead_letters"] == 1
        assert letters["total"] == 1
        assert letters["data"][0]["message_kind"] == "Die"
        assert [one["name"] for one in alarms["standing"]] == ["quiet"]


async def test_an_operator_restarts_an_actor_and_it_is_recorded() -> None:
    made: list[Probe] = []

    def make() -> Probe:
        made.append(Probe())
        return made[-1]

    async with front_end(ROWS, desk, ChildSpec("a", make)) as front:
        status, body, _ = await front.call("POST", "/supervision/restart", json={"address": "a"})

        assert (status, body) == (200, {"address": "a", "restarted": True})
        assert len(made) == 2
        assert any(event.kind == "operator" and event.address == "a" for event in front.system.events())


async def test_whoever_carries_a_restart_out_is_restarted_too() -> None:
    async with front_end(ROWS, desk) as front:
        for _ in range(2):
            before = front.system.cell("supervision")
            assert before is not None
            incarnation = before.incarnation
            status, body, _ = await front.call("POST", "/supervision/restart", json={"address": "supervision"})
            assert (status, body) == (200, {"address": "supervision", "restarted": True})
            async with asyncio.timeout(DEADLINE):
                while before.incarnation == incarnation or before.state != "running":
                    await asyncio.sleep(0.005)
            assert (await front.call("GET", "/supervision/tree"))[0] == 200


async def test_the_root_is_not_restarted_by_itself() -> None:
    async with front_end(ROWS, desk) as front:
        status, body, _ = await front.call("POST", "/supervision/restart", json={"address": "aviary"})

        assert status == 409
        assert "restart the server" in body["detail"]


async def test_restarting_what_does_not_exist_is_a_404_and_a_bad_page_size_a_422() -> None:
    async with front_end(ROWS, desk) as front:
        assert (await front.call("POST", "/supervision/restart", json={"address": "a"}))[0] == 404
        for path in ("journal", "dead-letters"):
            for limit in (0, 1001, "x"):
                assert (await front.call("GET", f"/supervision/{path}?limit={limit}"))[0] == 422


async def test_without_a_database_the_journal_is_refused_and_nothing_dies() -> None:
    async with front_end(ROWS, desk) as front:
        status, body, _ = await front.call("GET", "/supervision/journal")

        assert status in {404, 503}
        assert "reader" in body["detail"]
        assert front.system.statistics().crashes == 0


async def test_a_row_for_an_actor_that_is_parked_is_a_503() -> None:
    spec = ChildSpec("a", Mortal, restart="temporary")
    async with front_end((Row("POST", "/die", Die, "a"),), spec) as front:
        assert (await front.call("POST", "/die"))[0] == 500
        status, body, _ = await front.call("POST", "/die")

        assert status in {404, 503}
        assert body["detail"].startswith("a ")
