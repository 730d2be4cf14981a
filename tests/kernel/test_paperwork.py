"""What is written down when many lives end together: everything, in its order, some in each turn of the loop."""

import asyncio
from itertools import pairwise

from aviary.actors.core.paperwork import AT_ONCE, Paperwork
from aviary.actors.core.refusal import ActorCrashed
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import Die, Note, Stage, life_of, one_child

MANY = 5 * AT_ONCE


def crowd(stage: Stage) -> list[str]:
    """Start a bystander and many who are about to die; the addresses of these."""
    names = [f"c{n}" for n in range(MANY)]
    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a"), *stage.children(" ".join(names)))))
    return [f"sup/{name}" for name in names]


def crashes(stage: Stage) -> list[str]:
    return [event.address for event in stage.events("crash")]


def test_a_bystander_does_not_wait_until_the_crashes_of_all_the_others_are_written_down(stage: Stage) -> None:
    doomed = crowd(stage)

    for address in doomed:
        stage.tell(address, Die())
    stage.ask("sup/a", Note())

    assert len(crashes(stage)) <= 3 * AT_ONCE
    stage.sim.settle()
    assert sorted(crashes(stage)) == sorted(doomed)
    assert stage.lives(*(address.removeprefix("sup/") for address in doomed)) == [2] * MANY


def test_whoever_dies_alone_is_in_the_record_when_its_asker_hears_of_it(stage: Stage) -> None:
    one_child(stage)

    for n in range(1, 3 * AT_ONCE):
        asked = stage.begin("sup/a", Die())
        error = asked.exception()
        assert isinstance(error, ActorCrashed)
        assert stage.events("crash")[-1].crash_id == error.crash_id
        assert len(crashes(stage)) == n


def test_a_crash_is_written_down_before_the_next_life_begins_whoever_finishes_the_dead_one(stage: Stage) -> None:
    doomed = crowd(stage)
    lives = [life_of(stage, address) for address in doomed]
    for address in doomed:
        stage.tell(address, Die())
    stage.ask("sup/a", Note())
    dead = [life for life in lives if not life.alive]
    waiting = [life.cell.address for life in dead if life.cell.address not in crashes(stage)]

    async def finish() -> list[str]:
        for life in dead:
            life.finish()
        return crashes(stage)

    assert waiting
    assert set(waiting) <= set(stage.sim.run(finish()))
    stage.sim.settle()
    assert sorted(crashes(stage)) == sorted(doomed)


def test_paperwork_is_done_in_its_order_some_in_each_turn() -> None:
    done: list[int] = []
    seen: list[int] = []

    async def work() -> None:
        paperwork = Paperwork(asyncio.get_running_loop())

        def piece(n: int) -> None:
            done.append(n)
            if n == AT_ONCE + 1:
                # What comes of one piece is behind those that wait.
                paperwork.do(lambda: done.append(MANY))

        for n in range(MANY):
            paperwork.do(lambda n=n: piece(n))  # type: ignore[misc]
        while len(done) <= MANY:
            seen.append(len(done))
            await asyncio.sleep(0)

    asyncio.run(work())

    assert seen[0] == AT_ONCE
    assert all(later - earlier <= AT_ONCE for earlier, later in pairwise(seen))
    assert done == sorted(done)


def test_paperwork_that_fails_keeps_none_of_the_others_from_being_done() -> None:
    done: list[int] = []
    told: list[dict[str, object]] = []

    def piece(n: int) -> None:
        if n % 2:
            raise ValueError(n)
        done.append(n)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context))
        paperwork = Paperwork(loop)
        for _ in range(AT_ONCE):
            paperwork.do(lambda: None)
        for n in range(MANY):
            paperwork.do(lambda n=n: piece(n))  # type: ignore[misc]
        for _ in range(MANY):
            await asyncio.sleep(0)

    asyncio.run(work())

    assert done == list(range(0, MANY, 2))
    assert len(told) == MANY // 2
