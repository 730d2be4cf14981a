"""How an incarnation lives in a thread of its own, where it may block."""

from __future__ import annotations

import threading
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from aviary.actors.core.acting import ACTING
from aviary.actors.core.exits import Killed, Normal
from aviary.actors.core.life import Ignore
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.refusal import Refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.life import Life


class ThreadLife:
    """Runs one incarnation in a daemon thread. It can't be interrupted: a hung one is left behind."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._wakened = threading.Event()
        life.runner = self

    def start(self) -> None:
        """Begin to run. `RuntimeError` if there is no thread to be had."""
        threading.Thread(target=self._run, name=f"actor-{self._life.cell.address}", daemon=True).start()

    def interrupt(self) -> None:
        """Wake it, if it sleeps: that is all that can be done to a thread."""
        self._wakened.set()

    def write_down(self, piece: Callable[[], None]) -> None:
        """Do it: nobody else lives in the thread."""
        piece()

    def is_main(self, task: asyncio.Task[Any]) -> bool:  # noqa: ARG002 - it has no tasks
        """Never: its messages are handled by its thread."""
        return False

    def drop(self, envelope: Envelope) -> None:
        """Nothing: a thread owes no answers beside the message at hand."""

    def abandon(self) -> None:
        """Finish its life without it: what it holds is let go of if its thread ever comes back."""
        self._life.finish()

    def _run(self) -> None:
        life = self._life
        life.thread = threading.current_thread()
        ACTING.set((life, None))
        try:
            if life.alive and self._prepare():
                life.cell.mailbox.listen(life, self._wake)
                self._serve()
        except Fenced:
            life.end(Killed())
        except BaseException as error:  # noqa: BLE001 - trouble of the kernel's own
            life.crash(error, "task")
        finally:
            self._let_go()
            life.finish()

    def _prepare(self) -> bool:
        life = self._life
        try:
            extra = life.actor.prepare()
        except Ignore as ignore:
            life.decline(ignore)
            return False
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is this actor's crash
            life.crash(error, "start")
            return False
        return life.begin(extra)

    def _serve(self) -> None:
        life = self._life
        while life.alive:
            if life.finishing:
                life.end(Normal())
                return
            envelope = life.take()
            if envelope is None:
                self._wakened.wait()
                self._wakened.clear()
            elif life.accepts(envelope):
                self._handle(envelope)

    def _handle(self, envelope: Envelope) -> None:
        life = self._life
        try:
            result = life.actor.receive(envelope.message)
            if isinstance(result, CoroutineType):
                result.close()
                raise TypeError(f"{type(life.actor).__name__} has a thread, it can't await")
        except Refusal as refusal:
            life.refused(envelope, refusal)
        except BaseException as error:  # noqa: BLE001 - SystemExit and another's fence must not spread
            life.failed(error, envelope)
        else:
            life.answered(envelope, result)
        finally:
            life.handling = None

    def _let_go(self) -> None:
        self._life.fence()
        try:
            self._life.actor.release()
        except BaseException as error:  # noqa: BLE001 - the end is the end, but it is told
            self._life.release_failed(error)

    def _wake(self) -> None:
        if not self._wakened.is_set():
            self._wakened.set()
