"""A tree on real threads and the machine's clock, with actors that block until the test lets go."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from aviary.actors.core.actor import AsyncActor, ThreadActor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.events import TOPIC
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Conflict
from aviary.actors.core.system import System
from aviary.supervisors.backoff import IMMEDIATE
from aviary.supervisors.boot import Tree
from aviary.supervisors.messages import StartChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec

DEADLINE = 20.0


class Note(Message[int]):
    n: int = 0


class Die(Message[None]):
    how: str = "error"


class Block(Message[str]):
    """Blocks the thread until the test lets go."""


class AskOther(Message[int]):
    """Asks another actor and passes the answer on."""

    address: str


class Gate:
    """What the test and the actors share."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        self.left = threading.Event()
        self.fenced: list[BaseException] = []
        self.handled: list[int] = []
        self.released = 0

    def block(self) -> None:
        self.entered.set()
        self.go.wait(DEADLINE)


class Blocking(ThreadActor):
    """An actor with a thread."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def receive(self, message: Message[Any]) -> object:
        match message:
            case Note(n=n):
                self.gate.handled.append(n)
                return self.incarnation
            case Die(how="exit"):
                raise SystemExit(1)
            case Die(how="refuse"):
                raise Conflict("no")
            case Die(how="coroutine"):
                return asyncio.sleep(0)
            case Die(how="finish"):
                self.finish()
                return None
            case Die():
                raise ValueError("thread")
            case Block():
                self.gate.block()
                try:
                    self.tell(self.address, Note(n=-1))
                except Fenced as error:
                    self.gate.fenced.append(error)
                self.gate.left.set()
                return "late"
            case AskOther(address=address):
                return self.ask(address, Note(), timeout=DEADLINE)
            case _:
                raise TypeError

    def release(self) -> None:
        self.gate.released += 1


class Looping(AsyncActor):
    """The same on a loop."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    async def receive(self, message: Message[Any]) -> object:
        match message:
            case Note(n=n):
                self.gate.handled.append(n)
                return self.incarnation
            case Die():
                raise ValueError("loop")
            case Block():
                self.gate.block()
                return "late"
            case AskOther(address=address):
                return await self.ask(address, Note(), timeout=DEADLINE)
            case _:
                raise TypeError


class Other(Looping):
    """The same on another loop."""

    dispatcher = "feeds"


class Live:
    """A running tree on real threads."""

    def __init__(self) -> None:
        self.system = System.live()
        self.tree = Tree(self.system, SupervisorSpec(intensity=None))
        self.gate = Gate()
        self.on_kernel(self.tree.start())

    def on_kernel[R](self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self.system.kernel.loop).result(DEADLINE)

    def start(self, name: str, kind: type[Blocking | Looping], **limits: Any) -> None:
        limits.setdefault("poison_after", 1_000_000)
        limits.setdefault("mailbox", 100_000)
        spec = ChildSpec(name, lambda: kind(self.gate), backoff=IMMEDIATE, settings=CellSettings(**limits))
        self.ask("aviary", StartChild(spec=spec))

    def ask(self, address: str, message: Message[Any], timeout: float = DEADLINE) -> Any:
        return self.system.ask_blocking(address, message, timeout=timeout)

    def next_event(self, kind: str) -> threading.Event:
        happened = threading.Event()

        def look(_topic: str, event: Any) -> None:
            if event.kind == kind:
                happened.set()

        self.system.bus.subscribe(TOPIC, look)
        return happened
