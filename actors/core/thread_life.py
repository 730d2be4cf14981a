"""How an incarnation lives in a thread of its own, where it may block."""

from __future__ import annotations

import threading
from types import CoroutineType
from typing import TYPE_CHECKING

from aviary.actors.core.exits import Killed, Normal
from aviary.actors.core.life import Ignore
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.refusal import Refusal

if TYPE_CHECKING:
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.life import Life


class ThreadLife:
    """Runs one incarnation in a daemon thread. It can't be interrupted: a hung one is left behind."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._wakened = threading.Event()

    def start(self) -> None:
        """Begin to run. `RuntimeError` if there is no thread to be had."""
        threading.Thread(target=self._run, name=f"actor-{self._life.cell.address}", daemon=True).start()

    def _run(self) -> None:
        life = self._life
        life.thread = threading.current_thread()
        try:
            if life.alive and self._prepare():
                life.attach(self._wakened.set)
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
        mailbox = life.cell.mailbox
        while life.alive:
            if life.finishing:
                life.end(Normal())
                return
            envelope = mailbox.take(life)
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
            if life.is_handled():
                life.refused(envelope, refusal)
        except Fenced:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit must not spread
            if not life.spares(error, envelope):
                life.crash(error, "receive", envelope)
        else:
            if life.is_handled():
                envelope.answer(result)
                life.survived(envelope)
        finally:
            life.handling = None

    def _let_go(self) -> None:
        try:
            self._life.actor.release()
        except BaseException as error:  # noqa: BLE001 - the end is the end, but it is told
            self._life.release_failed(error)
