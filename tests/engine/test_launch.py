"""Engine processes, forked from the template and cold: the same birth either way."""

import ast
import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.core.ports.process import ChildProcess
from aviary.actors.engine.processes.launch import HOST_ENTRY, Job, Template, launch, launch_with_port
from aviary.config.clock import SystemClock

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEADLINE = 20.0


@pytest.fixture(params=["warm", "cold"])
def maybe_template(request: pytest.FixtureRequest, template: Template) -> Template | None:
    return template if request.param == "warm" else None


def job(tmp_path: Path, entry: str, **spec: Any) -> Job:
    return Job(
        entry=f"jobs_for_tests:{entry}",
        folder=tmp_path / "own folder",
        log=tmp_path / "logs" / "own.log",
        spec={"report": str(tmp_path / "report"), **spec},
        environment={"FOR_THE_CHILD": "yes"},
    )


async def ended(process: ChildProcess) -> int | None:
    return await asyncio.wait_for(process.exited(), DEADLINE)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_process_begins_in_its_own_folder_session_and_log_with_nothing_inherited(
    maybe_template: Template | None, tmp_path: Path
) -> None:
    process = await launch(maybe_template, job(tmp_path, "report", code=7))

    assert await ended(process) == 7
    facts = ast.literal_eval((tmp_path / "report").read_text())
    folder = str(tmp_path / "own folder")
    assert (facts["folder"], facts["path"], facts["session"]) == (folder, folder, True)
    assert facts["environment"] == "yes"
    assert facts["hummingbot_root"] == "."
    assert facts["hummingbot_data"] == folder + "/data"
    # 0, 1, 2, and the one through which the folder is being listed.
    assert len(facts["open"]) == 4
    log = (tmp_path / "logs" / "own.log").read_text()
    assert "said on standard output" in log
    assert "said on standard error" in log


async def test_of_the_server_s_environment_a_process_sees_what_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PASSWORD", "CONFIG_PASSWORD", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "SOMETHING_ELSE"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    template = Template.start(tmp_path / "template", tmp_path / "template.log")
    await template.ready(60)

    for made_by in (None, template):
        await ended(await launch(made_by, job(tmp_path, "report")))
        facts = ast.literal_eval((tmp_path / "report").read_text())
        assert "hunter2" not in facts["first"]
        assert {"PATH", "HTTPS_PROXY", "FOR_THE_CHILD"} <= set(facts["names"])
        assert not {"PASSWORD", "CONFIG_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SOMETHING_ELSE"} & set(facts["names"])
        (tmp_path / "report").unlink()

    template.close()
    await template.ended()


async def test_two_forks_draw_different_numbers(template: Template, tmp_path: Path) -> None:
    draws = []
    for name in ("a", "b"):
        process = await launch(template, job(tmp_path / name, "report", report=str(tmp_path / f"{name} report")))
        await ended(process)
        draws.append(ast.literal_eval((tmp_path / f"{name} report").read_text())["random"])

    assert draws[0] != draws[1]


async def test_a_crash_is_in_the_log_and_in_the_exit_code(maybe_template: Template | None, tmp_path: Path) -> None:
    process = await launch(maybe_template, job(tmp_path, "crash", why="to see"))

    assert await ended(process) == 1
    assert "RuntimeError: as asked: to see" in (tmp_path / "logs" / "own.log").read_text()


async def test_a_killed_process_is_told_from_one_that_ended(
    maybe_template: Template | None, tmp_path: Path
) -> None:
    process = await launch(maybe_template, job(tmp_path, "stay"))
    await until((tmp_path / "report").exists)
    assert process.alive
    assert process.memory() > 1_000_000

    process.kill()

    assert await ended(process) == -signal.SIGKILL
    assert not process.alive
    assert process.memory() == 0


async def test_nothing_is_done_unless_the_birth_was_written_down(
    maybe_template: Template | None, tmp_path: Path
) -> None:
    born: list[ChildProcess] = []

    async def fail_to_write_down(process: ChildProcess) -> None:
        born.append(process)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await launch(maybe_template, job(tmp_path, "report"), on_spawn=fail_to_write_down)

    await ended(born[0])
    assert not (tmp_path / "report").exists()


async def test_children_live_on_when_their_template_is_killed_and_the_next_start_is_cold(tmp_path: Path) -> None:
    template = Template.start(tmp_path / "template", tmp_path / "template.log")
    await template.ready(60)
    process = await launch(template, job(tmp_path, "stay"))
    await until((tmp_path / "report").exists)

    template.process.kill()

    assert await asyncio.wait_for(template.ended(), DEADLINE) == -signal.SIGKILL
    await until(lambda: not template.alive)
    assert process.alive
    cold = await launch(template, job(tmp_path / "second", "report", report=str(tmp_path / "second report")))
    assert await ended(cold) == 0
    process.kill()
    await ended(process)


async def test_a_template_that_hangs_is_killed_and_the_start_is_cold_and_happens_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aviary.actors.engine.processes.template_client.FORK_TIMEOUT", 0.3)
    template = Template.start(tmp_path / "template", tmp_path / "template.log")
    await template.ready(60)
    template.process.signal(signal.SIGSTOP)

    process = await launch(template, job(tmp_path, "report", code=3))

    assert await ended(process) == 3
    assert await asyncio.wait_for(template.ended(), DEADLINE) == -signal.SIGKILL
    assert (tmp_path / "logs" / "own.log").read_text().count("said on standard output") == 1


async def test_a_template_ends_when_its_server_lets_go_and_its_children_do_not(tmp_path: Path) -> None:
    template = Template.start(tmp_path / "template", tmp_path / "template.log")
    await template.ready(60)
    process = await launch(template, job(tmp_path, "stay"))
    await until((tmp_path / "report").exists)

    template.close()

    assert await asyncio.wait_for(template.ended(), DEADLINE) == 0
    assert process.alive
    process.kill()
    await ended(process)


async def test_a_process_is_adopted_by_its_id_and_its_birth(template: Template, tmp_path: Path) -> None:
    process = await launch(template, job(tmp_path, "stay"))
    await until((tmp_path / "report").exists)
    assert process.birth is not None

    adopted = ChildProcess.adopt(process.pid, process.birth)
    impostor = ChildProcess.adopt(process.pid, "another birth")

    assert impostor is None
    assert adopted is not None
    adopted.kill()
    await asyncio.wait_for(adopted.exited(), DEADLINE)
    await ended(process)
    assert ChildProcess.adopt(process.pid, process.birth) is None


async def test_without_a_descriptor_only_the_very_process_is_signalled_and_its_end_seen() -> None:
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    process = ChildProcess(sleeper.pid, None)
    other = ChildProcess(sleeper.pid, None)
    other.birth = "another birth"

    assert not other.kill()
    assert process.alive
    assert process.kill()

    await asyncio.wait_for(process.exited(), DEADLINE)
    await sleeper.wait()
    assert not process.alive


async def test_a_child_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio, os, signal
from pathlib import Path
from aviary.actors.engine.processes.launch import Job, launch
job = Job("jobs_for_tests:stay", Path({str(tmp_path / "own")!r}), Path({str(tmp_path / "log")!r}),
          {{"report": {str(tmp_path / "report")!r}}})
async def main():
    process = await launch(None, job)
    print(process.pid, process.birth, flush=True)
    await process.exited()
asyncio.run(main())
"""
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert server.stdout is not None
    pid, birth = (await asyncio.to_thread(server.stdout.readline)).split()
    await until((tmp_path / "report").exists)

    server.kill()
    server.wait()
    server.stdout.close()

    adopted = ChildProcess.adopt(int(pid), birth)
    assert adopted is not None
    adopted.kill()
    await asyncio.wait_for(adopted.exited(), DEADLINE)


async def test_a_host_ends_in_good_order_when_its_server_hangs_up(
    maybe_template: Template | None, tmp_path: Path
) -> None:
    job = Job(HOST_ENTRY, tmp_path / "host", tmp_path / "host.log")
    port, process = await launch_with_port(maybe_template, job, SystemClock())
    assert await port.call("open_connectors", DEADLINE) == []

    port.close()

    assert await ended(process) == 0


async def test_a_process_that_hangs_in_foreign_code_ends_with_its_server_all_the_same(
    template: Template, tmp_path: Path
) -> None:
    port, process = await launch_with_port(template, job(tmp_path, "hang"), SystemClock())
    await until((tmp_path / "report").exists)

    port.close()

    assert await ended(process) == 70


async def test_a_process_whose_server_dies_before_its_job_is_sent_ends_without_doing_anything(
    template: Template,
) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await template.fork(theirs)

    ours.close()

    assert await ended(process) == 0
    assert not process.alive
