"""Small, mean changes to the kernel, each with the promise that it breaks; `mutations.py` tries them."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One change: `old`, which is found once in `file`, becomes `new`."""

    file: str
    promise: str
    old: str
    new: str
    equivalent: str = ""
    """Why nobody can notice it, if so."""


CORE = "actors/core"

MAILBOX = f"{CORE}/mailbox.py"
LIFE = f"{CORE}/life.py"
LOOP = f"{CORE}/loop_life.py"
THREAD = f"{CORE}/thread_life.py"
CELL = f"{CORE}/cell.py"
TIMERS = f"{CORE}/timers.py"
ENDINGS = f"{CORE}/endings.py"
LIVES = f"{CORE}/lives.py"
WATCHDOG = f"{CORE}/watchdog.py"
LEDGER = f"{CORE}/ledger.py"
ENVELOPE = f"{CORE}/envelope.py"
CALLS = f"{CORE}/calls.py"
SYSTEM = f"{CORE}/system.py"
DIRECTORY = f"{CORE}/directory.py"
QUARANTINE = f"{CORE}/quarantine.py"
ALARMS = f"{CORE}/alarms.py"
BUS = f"{CORE}/bus.py"
GUARDED = f"{CORE}/guarded_loop.py"
REFERENCE = f"{CORE}/reference.py"
REGISTRY = f"{CORE}/registry.py"
WORKSHOP = f"{CORE}/workshop.py"
ACTOR = f"{CORE}/actor.py"
DISPATCHER = f"{CORE}/dispatcher.py"
DISPATCHERS = f"{CORE}/dispatchers.py"
EVENTS = f"{CORE}/events.py"
EXITS = f"{CORE}/exits.py"
PAPERWORK = f"{CORE}/paperwork.py"
TRACEBACKS = f"{CORE}/tracebacks.py"

SUPERVISOR = "supervisors/supervisor.py"
CHILDREN = "supervisors/children.py"
RESTARTS = "supervisors/restarts.py"
ADMINISTRATION = "supervisors/administration.py"
DECISIONS = "supervisors/decisions.py"
BACKOFF = "supervisors/backoff.py"
SPEC = "supervisors/spec.py"
BOOT = "supervisors/boot.py"

CUSTODY = (
    Mutant(
        MAILBOX,
        "what was begun is owed to its asker when the life ends",
        'if envelope.place == "begun" or self._closed:',
        'if envelope.place == "never" or self._closed:',
    ),
    Mutant(
        MAILBOX,
        "what was taken and not begun goes back",
        'if envelope.place == "begun" or self._closed:',
        "if True:",
    ),
    Mutant(
        MAILBOX,
        "what goes back to an address at rest is settled",
        'if envelope.place == "begun" or self._closed:',
        'if envelope.place == "begun":',
    ),
    Mutant(
        MAILBOX,
        "what goes back has its old place in the queue",
        "(self._control if envelope.message.control else self._work).appendleft(envelope)",
        "(self._control if envelope.message.control else self._work).append(envelope)",
    ),
    Mutant(
        MAILBOX,
        "several that go back keep their order",
        "for envelope in reversed(self._taken):",
        "for envelope in tuple(self._taken):",
    ),
    Mutant(MAILBOX, "a life that has ended holds nothing", "self._taken.clear()", "pass"),
    Mutant(MAILBOX, "what is owed keeps its order", "        owed.reverse()\n", ""),
    Mutant(
        MAILBOX,
        "a message that was settled meanwhile ends nobody",
        "or (holding is not None and holding not in self._taken)",
        "",
    ),
    Mutant(
        MAILBOX,
        "only the reader may settle",
        "if self._reader is not reader or envelope not in self._taken:",
        "if envelope not in self._taken:",
    ),
    Mutant(
        MAILBOX,
        "a message is settled once",
        "if self._reader is not reader or envelope not in self._taken:\n                return False\n"
        "            del self._taken[envelope]",
        "if self._reader is not reader:\n                return False\n            self._taken.pop(envelope, None)",
    ),
    Mutant(
        MAILBOX,
        "only the reader may begin",
        '            if self._reader is not reader:\n                return False\n            envelope.place = "begun"',
        '            envelope.place = "begun"',
    ),
    Mutant(
        MAILBOX,
        "a reader that is fenced off while it sleeps is woken",
        "        if wake is not None:\n            wake()\n        owed.reverse()",
        "        owed.reverse()",
    ),
    Mutant(
        MAILBOX,
        "whoever begins to listen looks at what waits already",
        "            self._wake = wake\n        wake()",
        "            self._wake = wake",
    ),
    Mutant(
        MAILBOX,
        "no reader that was fenced off begins to listen",
        "            if self._reader is not reader:\n                return\n            self._wake = wake",
        "            self._wake = wake",
    ),
    Mutant(
        LIFE,
        "whoever asked is told when the message is cut short",
        "            envelope.refuse(error)\n            if envelope is not fatal:",
        "            if envelope is not fatal:",
    ),
    Mutant(
        LIFE,
        "what was cut short without being to blame is a dead letter",
        "            if envelope is not fatal:",
        "            if False:",
    ),
    Mutant(
        LIFE,
        "the fatal message is one dead letter and not two",
        "            if envelope is not fatal:",
        "            if True:",
    ),
    Mutant(
        LIFE,
        "an answer of a fenced life does not count",
        "        if self.cell.mailbox.settle(self, envelope):",
        "        if self.cell.mailbox.settle(self, envelope) or True:",
    ),
    Mutant(
        LIFE,
        "a refusal of a fenced life does not count",
        "        if self._settles(envelope):\n            self._deny(envelope, refusal)\n            self._survived(envelope)",
        "        if self._settles(envelope) or True:\n            self._deny(envelope, refusal)\n"
        "            self._survived(envelope)",
    ),
    Mutant(
        LIFE,
        "the kernel's no to a fenced life does not count",
        "        if self._settles(envelope):\n            self._deny(envelope, refusal)\n\n",
        "        self._settles(envelope)\n        self._deny(envelope, refusal)\n\n",
    ),
    Mutant(
        LIFE,
        "a refused tell is a dead letter",
        "        if envelope.reply is None:\n            self.overseer.ledger.dead_letter(self.cell.address, envelope, "
        'f"refused: {refusal.detail}")',
        "        if envelope.reply is None:\n            pass",
    ),
    Mutant(
        LIFE,
        "a message that may not pass any more is told of",
        "            self.overseer.ledger.dead_letter(self.cell.address, envelope, why)\n        return False",
        "        return False",
    ),
    Mutant(
        LIFE,
        "whoever asked what is set aside is told",
        "            if refusal is not None:\n                envelope.refuse(refusal)",
        "            if refusal is None:\n                envelope.refuse(refusal)",
    ),
    Mutant(
        LIFE,
        "what a supervisor handled last is no dead letter",
        "            if handled and envelope is self.handling:",
        "            if False:",
    ),
    Mutant(
        LIFE,
        "only the message at hand counts as handled",
        "            if handled and envelope is self.handling:",
        "            if handled:",
        "supervisors, who alone end handled, owe no other message",
    ),
    Mutant(
        LIFE,
        "an end comes once",
        "            if owed is None:\n                return False",
        "            owed = owed or []",
    ),
    Mutant(LIFE, "the end cuts short what runs", "            self.runner.interrupt()", "            pass"),
    Mutant(
        LIFE,
        "what nobody waits for any more is not begun",
        "        if reply is not None and (\n",
        "        if False and (\n",
    ),
    Mutant(
        LIFE,
        "an ask is over at its deadline",
        "reply.abandoned() or (envelope.deadline is not None and envelope.since >= envelope.deadline)",
        "reply.abandoned()",
    ),
    Mutant(
        LIFE,
        "an ask whose asker has gone is over",
        "reply.abandoned() or (envelope.deadline is not None and envelope.since >= envelope.deadline)",
        "(envelope.deadline is not None and envelope.since >= envelope.deadline)",
    ),
    Mutant(LIFE, "whoever asked for a stop hears of it", "            stop.answer(None)", "            pass"),
    Mutant(
        LIFE,
        "a stop for an earlier life is answered and leaves this one alone",
        "            if self._settles(envelope):\n                envelope.answer(None)\n            return False",
        "            self._settles(envelope)\n            return False",
    ),
    Mutant(
        LIFE,
        "a life that has ended does not end its overseer twice",
        "        if self.done.done():",
        "        if False:",
    ),
    Mutant(
        LIFE,
        "a crash is written down before the next life begins",
        "            return\n        self.report()\n",
        "            return\n",
    ),
    Mutant(
        LIFE,
        "a crash is written down once",
        "report, self._report = self._report, None",
        "report = self._report",
    ),
    Mutant(
        LIFE,
        "whoever crashes lets go behind its paperwork",
        "if self._report is None or self.runner is None:",
        "if True:",
        "whoever finishes writes down what is not written down yet: it is done sooner, and the kernel's loop has it all",
    ),
    Mutant(PAPERWORK, "paperwork is done in turns", "if self._waiting or self._done >= AT_ONCE:", "if False:"),
    Mutant(PAPERWORK, "paperwork keeps its order", "if self._waiting or self._done", "if self._done"),
    Mutant(PAPERWORK, "turns of paperwork are bounded", "min(len(self._waiting), AT_ONCE)", "len(self._waiting)"),
    Mutant(
        PAPERWORK,
        "paperwork that waits is done",
        "            self._count()\n            self._waiting",
        "            self._waiting",
    ),
    Mutant(
        TRACEBACKS,
        "the text of a crash is bounded",
        "return shortened(text)",
        "return text",
    ),
    Mutant(TRACEBACKS, "each error of a chain is told", "reversed(links)", "links[:1]"),
    Mutant(
        TRACEBACKS,
        "an error in a handler of another is told with it",
        "elif context is not None and",
        "elif False and",
    ),
    Mutant(TRACEBACKS, "what is hidden on purpose stays so", " and not link.__suppress_context__", ""),
    Mutant(TRACEBACKS, "causes may go round", "and id(cause) not in seen", ""),
    Mutant(
        TRACEBACKS,
        "stacks that are kept are told apart",
        "frame.tb_frame.f_code, frame.tb_lasti",
        "frame.tb_frame.f_code, 0",
    ),
    Mutant(TRACEBACKS, "stacks that are kept are bounded", "if len(_texts) >= PLACES:", "if False:"),
    Mutant(TRACEBACKS, "members of a group are told", "BaseExceptionGroup | NameError", "NameError"),
    Mutant(
        LIFE,
        "a crash tells the message that waits behind",
        "return ActorCrashed(self.cell.address, reason.crash_id)",
        'return Unavailable(f"{self.cell.address}: {reason.crash_id}")',
    ),
    Mutant(
        SYSTEM,
        "a message to nobody is settled",
        '            envelope.place = "settled"\n            if envelope.reply is None:',
        "            if envelope.reply is None:",
    ),
    Mutant(
        SYSTEM,
        "an ask that has run out of time is withdrawn",
        '            if envelope.place == "waiting":\n                self._withdraw(address, envelope)',
        "            pass",
    ),
    Mutant(
        SYSTEM,
        "an ask of a thread that has run out of time is withdrawn",
        "            self._withdraw(address, envelope)\n            raise _late",
        "            raise _late",
    ),
    Mutant(
        SYSTEM,
        "an ask of a thread that has run out of time is over",
        "            reply.future.cancel()\n",
        "",
    ),
    Mutant(
        SYSTEM,
        "asks that were withdrawn are dead letters",
        '            self.ledger.dead_letter(cell.address, envelope, "the asker has given up waiting")',
        "            pass",
    ),
)

BOUNDS = (
    Mutant(
        MAILBOX,
        "a mailbox holds what its spec says",
        "                if len(self._work) >= self.capacity and not beyond:",
        "                if len(self._work) > self.capacity and not beyond:",
    ),
    Mutant(
        MAILBOX,
        "appointments with oneself go beyond a full mailbox",
        "                if len(self._work) >= self.capacity and not beyond:",
        "                if len(self._work) >= self.capacity:",
    ),
    Mutant(
        MAILBOX,
        "asks that nobody waits for make room for others",
        "                    if self._abandoned:\n                        cleared = self._clear_abandoned()\n",
        "",
    ),
    Mutant(
        MAILBOX,
        "room that was made is used",
        "                    if len(self._work) >= self.capacity:\n                        self._refused += 1",
        "                    if True:\n                        self._refused += 1",
    ),
    Mutant(
        MAILBOX,
        "asks that nobody waits for do not pile up",
        "            if self._abandoned * 2 <= len(self._control) + len(self._work):\n                return ()\n",
        "            return ()\n",
    ),
    Mutant(
        MAILBOX,
        "control is bounded",
        "                if len(self._control) >= CONTROL_CAPACITY:",
        "                if False:",
    ),
    Mutant(
        MAILBOX,
        "control overtakes work",
        "            if self._control:\n                envelope",
        "            if self._control and not self._work:\n                envelope",
    ),
    Mutant(
        MAILBOX,
        "whoever finishes takes no more work",
        "            elif self._work and not only_control:",
        "            elif self._work:",
    ),
    Mutant(
        MAILBOX,
        "nobody asks what nobody will read",
        "            if self._closed and (envelope.reply is not None or not message.control):",
        "            if self._closed and not message.control:",
    ),
    Mutant(MAILBOX, "conflation keys do not survive a close", "            self._keyed.clear()\n", ""),
    Mutant(
        MAILBOX,
        "a new value does not join one that was taken",
        "                if key is not None and self._keyed.get(key) is envelope:\n                    del self._keyed[key]",
        "                pass",
    ),
    Mutant(
        MAILBOX,
        "kinds of message do not replace one another",
        "    return (type(envelope.message), key)",
        "    return key",
    ),
    Mutant(
        MAILBOX,
        "an ask is never conflated",
        "key = None if envelope.reply is not None or envelope.serial else _key_of(envelope)",
        "key = None if envelope.serial else _key_of(envelope)",
    ),
    Mutant(
        MAILBOX,
        "what is one life's alone is never conflated",
        "if envelope.reply is not None or envelope.serial else",
        "if envelope.reply is not None else",
    ),
    Mutant(MAILBOX, "a key that can't be one is refused", "        hash(key)\n", ""),
    Mutant(
        SYSTEM,
        "whoever tells with a bad key feels nothing",
        "            raise Invalid(str(error)) from error",
        "            raise",
    ),
    Mutant(
        LOOP,
        "deferred answers are bounded",
        "        if len(self._deferred) >= MAX_DEFERRED:",
        "        if False:",
    ),
    Mutant(
        LOOP,
        "work that is not done is closed",
        "            work.close()\n            life.denied",
        "            life.denied",
    ),
    Mutant(
        LEDGER,
        "entries are bounded",
        "self._events: deque[tuple[int, KernelEvent]] = deque(maxlen=REMEMBERED)",
        "self._events: deque[tuple[int, KernelEvent]] = deque()",
    ),
    Mutant(
        LEDGER,
        "entries of drops are bounded",
        "self._drop_events: deque[tuple[int, KernelEvent]] = deque(maxlen=REMEMBERED)",
        "self._drop_events: deque[tuple[int, KernelEvent]] = deque()",
    ),
    Mutant(
        LEDGER,
        "dead letters are bounded",
        "self._dead_letters: deque[DeadLetter] = deque(maxlen=REMEMBERED)",
        "self._dead_letters: deque[DeadLetter] = deque()",
    ),
    Mutant(
        LEDGER,
        "drops don't push crashes out",
        'kept = self._drop_events if kind == "dead_letter" else self._events',
        "kept = self._events",
    ),
    Mutant(
        LEDGER,
        "drops of a kind are summed up",
        "            if drops.singles >= SINGLES:",
        "            if False:",
    ),
    Mutant(
        LEDGER,
        "sums are told",
        "                if drops.summed:\n",
        "                if not drops.summed:\n",
    ),
    Mutant(LEDGER, "a sum is told once", "                del self._drops[key]\n", ""),
    Mutant(
        LEDGER,
        "sums are told after a period only",
        "                if now - drops.since < SUM_UP_PERIOD:",
        "                if now - drops.since > SUM_UP_PERIOD:",
    ),
    Mutant(
        LEDGER,
        "kinds that are told apart are bounded",
        "            if key not in self._drops and len(self._drops) >= SUMS:",
        "            if False:",
    ),
    Mutant(LEDGER, "a sum says how many", "message_kind=kind, count=drops.summed)", "message_kind=kind)"),
    Mutant(
        LEDGER,
        "what the journal itself is sent is not told to it",
        "            if envelope.message.unjournalled:",
        "            if False:",
    ),
    Mutant(
        LEDGER, "the stream is told in its order", "key=lambda entry: entry[0])", "key=lambda entry: -entry[0])"
    ),
    Mutant(
        LEDGER,
        "whoever listens to one address hears of it",
        "        self._bus.publish(topic_of(address), event)\n",
        "",
    ),
    Mutant(
        ALARMS,
        "a standing alarm is told once",
        "        if old is None:\n            self._changed",
        "        if True:\n            self._changed",
    ),
    Mutant(ALARMS, "a standing alarm counts its renewals", '"count": old.count + 1', '"count": old.count'),
    Mutant(ALARMS, "the history of alarms is bounded", "deque(maxlen=HISTORY)", "deque()"),
    Mutant(
        ALARMS,
        "the end of an alarm is told",
        "            self._history.append(cleared)\n        self._changed(cleared)",
        "            self._history.append(cleared)",
    ),
    Mutant(EVENTS, "a long text keeps its end", "{gap}{text[-(limit - head - len(gap)) :]}", "{gap}"),
    Mutant(EXITS, "one line is short", "[:300]", ""),
)

POISON = (
    Mutant(CELL, "control is never set aside", "        if kind.control:", "        if False:"),
    Mutant(
        CELL,
        "the boundary of poison",
        "        if self.kills[kind] < self.settings.poison_after:",
        "        if self.kills[kind] <= self.settings.poison_after:",
    ),
    Mutant(CELL, "survival pardons", "        self.kills.pop(kind, None)\n", ""),
    Mutant(CELL, "a pardon ends the quarantine", "return self.poison.pop(kind, None) is not None", "return False"),
    Mutant(
        CELL,
        "a quarantine ends",
        "        return until is not None and now < until",
        "        return until is not None",
    ),
    Mutant(
        LIFE,
        "an answer pardons",
        "            if self.cell.kills:\n                self._survived(envelope)",
        "            pass",
    ),
    Mutant(
        LIFE,
        "a refusal pardons",
        "            self._deny(envelope, refusal)\n            self._survived(envelope)",
        "            self._deny(envelope, refusal)",
    ),
    Mutant(
        LIFE,
        "the kernel's own no pardons nothing",
        "            self._deny(envelope, refusal)\n\n",
        "            self._deny(envelope, refusal)\n            self._survived(envelope)\n\n",
    ),
    Mutant(
        LOOP,
        "a deferred answer pardons",
        "            life.answered(envelope, task.result())",
        "            life._settles(envelope) and envelope.answer(task.result())",
    ),
    Mutant(
        LOOP,
        "a deferred refusal pardons",
        "            life.refused(envelope, error)",
        "            life.denied(envelope, error)",
    ),
    Mutant(
        LOOP,
        "a refusal out of a handler on a loop pardons",
        "                return result\n        except Refusal as refusal:\n            life.refused(envelope, refusal)",
        "                return result\n        except Refusal as refusal:\n            life.denied(envelope, refusal)",
    ),
    Mutant(
        LOOP,
        "a refusal out of a handler that awaits pardons",
        "            result = await unfinished\n        except Refusal as refusal:\n            life.refused(envelope, refusal)",
        "            result = await unfinished\n        except Refusal as refusal:\n            life.denied(envelope, refusal)",
    ),
    Mutant(
        THREAD,
        "a thread's answer pardons",
        "            life.answered(envelope, result)",
        "            life._settles(envelope) and envelope.answer(result)",
    ),
    Mutant(
        THREAD,
        "a thread's refusal pardons",
        "            life.refused(envelope, refusal)",
        "            life.denied(envelope, refusal)",
    ),
    Mutant(
        LIFE,
        "what waits is set aside too",
        "        if self.cell.poison and (refusal := self.overseer.quarantine.refusal(self.cell, envelope.message)):",
        "        if (refusal := None):",
    ),
    Mutant(
        SYSTEM,
        "what is set aside is refused at once",
        "            if cell.poison and (refusal := self.quarantine.refusal(cell, message)) is not None:",
        "            if (refusal := None) is not None:",
    ),
    Mutant(
        SYSTEM,
        "control passes whatever is set aside and wherever it rests",
        "        if not message.control:\n            if cell.poison",
        "        if True:\n            if cell.poison",
    ),
    Mutant(
        QUARANTINE,
        "poison has an alarm",
        "            self._alarms.raise_(poison_alarm(cell.address, kind), text)",
        "            pass",
    ),
    Mutant(
        QUARANTINE,
        "a pardon clears the alarm",
        "        if cell.note_survival(kind):",
        "        if not cell.note_survival(kind):",
    ),
    Mutant(
        QUARANTINE,
        "an address that is removed leaves no alarm",
        "        for kind in cell.poison:\n            self._alarms.clear(poison_alarm(cell.address, kind))",
        "        pass",
    ),
    Mutant(ENDINGS, "another's crash is no kill", "if is_anothers_crash(error):", "if False:"),
    Mutant(
        ENDINGS,
        "a hang counts as a kill",
        '            self._blame(life, fatal, f"its handler hung ({reason.crash_id})")',
        "            pass",
    ),
    Mutant(
        ENDINGS,
        "a message that is to blame counts as a kill",
        "        self.quarantine.note_kill(life.cell, type(envelope.message))",
        "        pass",
    ),
)

LIVES_AND_ENDS = (
    Mutant(LOOP, "two busy actors of a loop take turns", "            if turn >= TURN:", "            if False:"),
    Mutant(
        LOOP,
        "a turn ends with nothing in one's hands",
        "            if turn >= TURN:\n"
        "                # Before the next message is taken: whatever ends this life here finds nothing in its hands.\n"
        "                turn = 0\n                await asyncio.sleep(0)\n            envelope = life.take()\n",
        "            envelope = life.take()\n            if turn >= TURN:\n                turn = 0\n"
        "                await asyncio.sleep(0)\n",
        "what was taken and not begun goes back when the life ends",
    ),
    Mutant(
        LOOP,
        "a life that finishes waits for what it owes",
        "            if life.finishing and not self._deferred:",
        "            if life.finishing:",
    ),
    Mutant(
        LOOP,
        "a life that sleeps and is to finish is woken",
        "        if self._life.finishing:\n            self._rouse()",
        "        pass",
    ),
    Mutant(LOOP, "whoever sleeps is woken", "            sleep.set_result(None)", "            pass"),
    Mutant(
        LOOP,
        "another's fence is no end of one's own",
        "        except BaseException as error:  # noqa: BLE001 - SystemExit, CancelledError and another's fence must not spread\n",
        "        except Fenced:\n            raise\n        except BaseException as error:  # noqa: BLE001 - SystemExit\n",
    ),
    Mutant(
        LOOP,
        "the crash of a background task is the actor's",
        '            self._life.crash(error, "task")\n        self._wake_to_finish()',
        "            pass\n        self._wake_to_finish()",
    ),
    Mutant(
        LOOP,
        "a deferred answer that is cancelled from outside is a crash",
        '            life.crash(asyncio.CancelledError("cancelled from outside"), "receive", envelope)',
        "            pass",
    ),
    Mutant(
        LOOP,
        "the tasks of a fenced life are cancelled at once",
        "        if not self._leaving:\n            self._cancel_beside()",
        "        pass",
    ),
    Mutant(
        LOOP,
        "tasks are cancelled before their actor lets go",
        "            beside = self._cancel_beside()",
        "            beside = {*self._tasks, *self._deferred} - {_current_task()}",
    ),
    Mutant(
        LOOP,
        "release has its whole time, however long the tasks took",
        "            if _is_awaitable(releasing):",
        "            if _is_awaitable(releasing) and (not beside or not deaf):",
    ),
    Mutant(
        LOOP,
        "release has a limit",
        "                async with asyncio.timeout(limit):",
        "                async with asyncio.timeout(None):",
    ),
    Mutant(
        LOOP,
        "tasks that can't be ended are told",
        "                life.overseer.left_behind(life, deaf)",
        "                pass",
    ),
    Mutant(
        LOOP,
        "a handler that can't be ended is told",
        "            self._life.overseer.left_behind(self._life, {self._main})",
        "            pass",
    ),
    Mutant(
        LOOP,
        "release is called though the handler can't be ended",
        "            self._abandoned = self._own_task(self._let_go())",
        "            self._life.finish()",
    ),
    Mutant(
        LOOP,
        "release is called once",
        "            if not self._leaving:\n                await self._let_go()",
        "            await self._let_go()",
    ),
    Mutant(
        LOOP,
        "a release that has begun is not interrupted",
        "        if main is not None and self._entered and not self._leaving and main is not _current_task():",
        "        if main is not None and self._entered and main is not _current_task():",
    ),
    Mutant(
        LOOP,
        "a life that is killed before its first step ends",
        "        if main is not None and self._entered and not self._leaving and main is not _current_task():",
        "        if main is not None and not self._leaving and main is not _current_task():",
    ),
    Mutant(
        LOOP,
        "what is spawned by a fenced life does not run",
        "        task.add_done_callback(self._task_done)\n        if not self._life.alive:\n            task.cancel()",
        "        task.add_done_callback(self._task_done)",
    ),
    Mutant(
        LOOP,
        "what is deferred by a fenced life does not run",
        "        task.add_done_callback(self._deferred_done)\n        if not life.alive:\n            task.cancel()",
        "        task.add_done_callback(self._deferred_done)",
    ),
    Mutant(THREAD, "a thread lets go", "            self._life.actor.release()", "            pass"),
    Mutant(
        THREAD,
        "a thread can't await",
        '                raise TypeError(f"{type(life.actor).__name__} has a thread, it can\'t await")',
        "                pass",
    ),
    Mutant(
        THREAD,
        "a thread that finishes takes no more",
        "            if life.finishing:\n                life.end(Normal())\n                return",
        "            if life.finishing and not life.cell.mailbox:\n                life.end(Normal())\n                return",
    ),
    Mutant(
        ENDINGS,
        "a hung thread is not waited for",
        "            call_on(self.kernel, self._abandon, life)\n\n",
        "            pass\n\n",
    ),
    Mutant(
        ENDINGS,
        "who is fenced off has a limit to let go",
        "            life.limit = self.kernel.call_later(life.actor.release_timeout + PROMPT, self._abandon, life)",
        "            pass",
    ),
    Mutant(
        ENDINGS,
        "a thread that is left behind is counted",
        "            self.leave_behind(life.thread)",
        "            pass",
    ),
    Mutant(
        ENDINGS,
        "threads that have ended after all are not counted",
        "return sum(thread.is_alive() for thread in self._threads)",
        "return len(self._threads)",
    ),
    Mutant(
        ENDINGS,
        "tasks that have ended after all are not counted",
        "return sum(not task.done() for task in tuple(self._tasks))",
        "return len(self._tasks)",
    ),
    Mutant(
        ENDINGS,
        "tasks that have ended after all are forgotten",
        "            self._tasks = {task for task in self._tasks if not task.done()}",
        "            pass",
    ),
    Mutant(
        ENDINGS,
        "an abandoned life ends even if nobody lets go for it",
        "        life.limit = self.kernel.call_later(2 * timeout + PROMPT, life.finish)",
        "        pass",
    ),
    Mutant(
        ENDINGS,
        "who has died is not shown as running",
        '            if cell.state == "running":',
        "            if False:",
    ),
    Mutant(
        ENDINGS,
        "a stop of a dead life is not meant for the next",
        "        for stop in cell.mailbox.discard(Stop):\n            stop.answer(None)\n        for below",
        "        for below",
        "the start of the next life discards it too",
    ),
    Mutant(
        ENDINGS,
        "whoever lives below a supervisor that has ended is killed",
        "            if below.life is not None:\n                below.life.end(Killed())\n        if life.began",
        "            pass\n        if life.began",
        "a supervisor stops its children before it ends, and is killed with all below it; this is for one that can't",
    ),
    Mutant(
        ENDINGS,
        "the life of a child is counted until its death",
        "lived = life.ended_at - life.began_at if life.began else 0.0",
        "lived = self.clock.monotonic() - life.began_at if life.began else 0.0",
    ),
    Mutant(
        ENDINGS,
        "a root that has ended leaves nobody waiting",
        '            self._directory.rest(cell, "stopped", f"{cell.address} has ended")',
        "            pass",
    ),
    Mutant(
        LIVES,
        "all below one that is killed are killed with it",
        "                below.life.end(Killed())",
        "                pass",
    ),
    Mutant(
        LIVES,
        "a stop that is not heeded is a kill",
        "        except TimeoutError:\n            return await self.kill(cell)",
        "        except TimeoutError:\n            return await asyncio.shield(life.done)",
    ),
    Mutant(
        LIVES,
        "shutdown=0 kills at once",
        "        if timeout == 0:\n            return await self.kill(cell)\n",
        "",
    ),
    Mutant(
        LIVES,
        "a start has a limit",
        "        limit = asyncio.timeout(timeout)",
        "        limit = asyncio.timeout(None)",
    ),
    Mutant(
        LIVES,
        "a failed start is waited out",
        "        if not isinstance(outcome, Started):\n            await asyncio.shield(life.done)",
        "        pass",
    ),
    Mutant(
        LIVES,
        "a stop for an earlier life is discarded",
        "        for stop in cell.mailbox.discard(Stop):\n            stop.answer(None)\n",
        "",
    ),
    Mutant(LIVES, "an actor lives once", "        if actor.has_address:", "        if False:"),
    Mutant(
        LIVES,
        "degraded is of one life",
        "        cell.degraded = cell.next_try_at = None",
        "        cell.next_try_at = None",
    ),
    Mutant(
        DIRECTORY,
        "what waits at an address that is removed is refused",
        '            self._empty(cell, f"{cell.address} does not exist any more")',
        "            pass",
    ),
    Mutant(
        DIRECTORY,
        "who lives at an address that is removed is killed",
        "                cell.life.end(Killed())",
        "                pass",
    ),
    Mutant(
        DIRECTORY,
        "an address that is removed leaves no alarm",
        "            self._alarms.clear(parked_alarm(cell.address))",
        "            pass",
    ),
    Mutant(
        DIRECTORY,
        "what rests takes all below it along",
        "        for resting in (*reversed(self.below(cell.address)), cell):",
        "        for resting in (cell,):",
    ),
    Mutant(
        DIRECTORY,
        "an address is closed until it is started",
        "        cell.mailbox.close()\n        self._cells",
        "        self._cells",
    ),
    Mutant(
        DIRECTORY,
        "what a dead life sent to itself is no dead letter",
        "            if envelope.serial or isinstance(envelope.message, ChildExited | Stop | StopInTurn):",
        "            if isinstance(envelope.message, ChildExited | Stop | StopInTurn):",
    ),
    Mutant(
        WORKSHOP,
        "a constructor can't end the kernel",
        '        raise RuntimeError(f"{type(error).__name__} in a constructor") from error',
        "        raise",
    ),
    Mutant(
        WORKSHOP,
        "a factory that hangs is counted",
        "                self._leave_behind(job.thread)",
        "                pass",
    ),
    Mutant(
        WORKSHOP,
        "factories run beside the kernel",
        "        if self._inline:",
        "        if True:",
    ),
    Mutant(
        WORKSHOP,
        "a thread that was given up takes no more",
        "            if job.given_up:\n                return\n",
        "",
    ),
)

TIME = (
    Mutant(
        LIFE,
        "timers of a dead life do not reach the next",
        "        if envelope.serial and envelope.serial != self.serial:",
        "        if False:",
    ),
    Mutant(
        TIMERS,
        "what a timer sends is for its own life",
        "Envelope(self._message, serial=life.serial)",
        "Envelope(self._message)",
    ),
    Mutant(ENDINGS, "timers end with their life", "            timer.end()", "            pass"),
    Mutant(
        TIMERS,
        "a cancelled timer does not fire",
        "        self._over = True\n        call_on(self._loop, self.end)",
        "        pass",
    ),
    Mutant(
        TIMERS,
        "a timer that is cancelled before it is armed is not armed",
        "        if self._over or self._life is None:\n            return\n        if not",
        "        if self._life is None:\n            return\n        if not",
        "its end comes right behind, on the same loop, and disarms it",
    ),
    Mutant(
        TIMERS,
        "a timer that fires for a dead life sends nothing",
        "        if self._over or life is None or not life.alive:",
        "        if self._over or life is None:",
        "the mailbox hands it to nobody: it carries the serial of that life",
    ),
    Mutant(TIMERS, "a cancelled timer keeps nobody", "            self._life = None\n", "            pass\n"),
    Mutant(
        TIMERS,
        "what is sent once keeps nobody afterwards",
        "        if self._period is None:\n            self.end()",
        "        if self._period is None:\n            pass",
    ),
    Mutant(
        TIMERS,
        "a duty outlasts its quarantine",
        "            self._handle = self._loop.call_later(max(until - overseer.clock.monotonic(), 0.0), self._fire)\n",
        "            pass\n",
    ),
    Mutant(
        TIMERS,
        "a duty is not sent into its quarantine",
        "        if until is not None:",
        "        if False:",
    ),
    Mutant(
        TIMERS,
        "a duty that is late does not pile up",
        '        if last is None or last.place == "settled":',
        "        if True:",
    ),
    Mutant(TIMERS, "a full mailbox keeps no appointment from one", "self._last, beyond=True)", "self._last)"),
    Mutant(
        TIMERS,
        "a duty comes again and again",
        "            self._handle = self._loop.call_later(self._period, self._fire)",
        "            self.end()",
    ),
    Mutant(TIMERS, "a negative delay is now", "max(delay, 0.0)", "delay", "asyncio's loops take it as now, too"),
    Mutant(
        ACTOR,
        "a duty's first time may differ",
        "period if first is None else first, message, period)",
        "period, message, period)",
    ),
    Mutant(
        WATCHDOG,
        "a pause is no hang",
        "            pauses.append((now, late))\n            continue",
        "            pauses.append((now, late))",
    ),
    Mutant(
        WATCHDOG,
        "a pause is taken off the time",
        " - sum(paused for at, paused in pauses if at > envelope.since)",
        "",
    ),
    Mutant(
        WATCHDOG,
        "only the pauses that a message saw are taken off its time",
        "for at, paused in pauses if at > envelope.since)",
        "for at, paused in pauses)",
    ),
    Mutant(
        WATCHDOG,
        "one error at an actor does not end the watch",
        "            _look_at(system, cell, now, pauses)\n        except BaseException:",
        "            _look_at(system, cell, now, pauses)\n        except ZeroDivisionError:",
    ),
    Mutant(
        WATCHDOG,
        "one error at a loop does not end the watch",
        "                replace(system, dispatcher.name)\n            except BaseException:",
        "                replace(system, dispatcher.name)\n            except ZeroDivisionError:",
    ),
    Mutant(
        WATCHDOG,
        "one error in the sums does not end the watch",
        "        system.endings.look_back()\n    except BaseException:",
        "        system.endings.look_back()\n    except ZeroDivisionError:",
    ),
    Mutant(WATCHDOG, "drops are summed up by the watch", "        system.ledger.sum_up()\n", ""),
    Mutant(
        WATCHDOG, "the boundary of a limit", "        if over > 0 and (worst", "        if over > 5.0 and (worst"
    ),
    Mutant(
        WATCHDOG,
        "the message that is most over its limit is to blame",
        "(worst is None or over > worst[0])",
        "(worst is None or over < worst[0])",
    ),
    Mutant(
        WATCHDOG,
        "a message may have a limit of its own",
        "        limit = cell.settings.handler_limit if own is None else own",
        "        limit = cell.settings.handler_limit",
    ),
    Mutant(
        WATCHDOG,
        "a deferred answer that blocks its loop is to blame",
        "acting[1] or _at_hand(life, task) or task.get_name()",
        "_at_hand(life, task) or task.get_name()",
    ),
    Mutant(
        WATCHDOG,
        "a background task that blocks its loop blames no message",
        "return life.handling if life.runner is not None and life.runner.is_main(task) else None",
        "return life.handling",
    ),
    Mutant(
        WATCHDOG,
        "bystanders of a stuck loop start anew",
        "            system.endings.stall(life, name, silence)",
        "            pass",
    ),
    Mutant(
        WATCHDOG,
        "the thread of a stuck loop is counted",
        "        system.endings.leave_behind(stuck.thread)",
        "        pass",
    ),
    Mutant(WATCHDOG, "a stuck loop ends when it comes back", "        stuck.abandon()", "        pass"),
    Mutant(
        BACKOFF,
        "the curve",
        "self.factor ** (attempt - 1)",
        "self.factor ** attempt",
    ),
    Mutant(
        BACKOFF,
        "a healthy life starts the count anew",
        "return 1 if lived >= self.reset",
        "return 1 if lived > self.reset",
    ),
    Mutant(
        RESTARTS,
        "a backoff grows over failed starts after a healthy life",
        "        child.lived = 0.0\n",
        "",
    ),
    Mutant(
        RESTARTS,
        "a restart that waits grows",
        "backoff.attempt_after(failed.attempt, failed.lived)",
        "backoff.attempt_after(0, failed.lived)",
    ),
)

THREADS = (
    Mutant(
        ENVELOPE,
        "a reply settles a future on its own loop",
        "        if self._calls.are_here():\n            if not",
        "        if True:\n            if not",
    ),
    Mutant(
        ENVELOPE,
        "a refusal settles a future on its own loop",
        "        if self._calls.are_here():\n            self._finish(None",
        "        if True:\n            self._finish(None",
    ),
    Mutant(
        ENVELOPE,
        "only the first answer counts",
        "        if self.future.done() or self._calls.loop.is_closed():",
        "        if self._calls.loop.is_closed():",
    ),
    Mutant(
        CALLS,
        "one call that fails keeps nobody from the others",
        "            except BaseException as error:",
        "            except ZeroDivisionError as error:",
    ),
    Mutant(
        CALLS,
        "calls are made in turns",
        "            self.loop.call_soon(self._make, context=self._context)",
        "            pass",
    ),
    Mutant(
        CALLS,
        "a wake-up that is on its way is not sent again",
        "        if not self._due:\n            self._due = True\n            # The loop",
        "        if True:\n            self._due = True\n            # The loop",
    ),
    Mutant(
        CALLS,
        "whoever wakes a loop leaves nothing of its own there",
        "self.loop.call_soon_threadsafe(self._make, context=self._context)",
        "self.loop.call_soon_threadsafe(self._make)",
    ),
    Mutant(
        CALLS,
        "a call to a loop that is closed is dropped",
        "            with contextlib.suppress(RuntimeError):",
        "            with contextlib.suppress(ZeroDivisionError):",
    ),
    Mutant(
        GUARDED,
        "a callback that exits ends one actor",
        '        except (SystemExit, KeyboardInterrupt) as error:\n            blame(error, "a callback")',
        '        except (ZeroDivisionError) as error:\n            blame(error, "a callback")',
    ),
    Mutant(
        GUARDED,
        "a task that exits ends one actor",
        "    except (SystemExit, KeyboardInterrupt) as error:\n        raise blame",
        "    except (ZeroDivisionError) as error:\n        raise blame",
    ),
    Mutant(
        GUARDED,
        "whoever exits in a task is to blame",
        '        life.crash(worse, "task" if envelope is None else "receive", envelope)',
        "        pass",
    ),
    Mutant(
        GUARDED,
        "the message that exits in a task is to blame",
        '        life.crash(worse, "task" if envelope is None else "receive", envelope)',
        '        life.crash(worse, "task")',
    ),
    Mutant(
        GUARDED,
        "timers are guarded",
        "return super().call_later(delay, _guarded(callback), *args, context=context)",
        "return super().call_later(delay, callback, *args, context=context)",
    ),
    Mutant(
        GUARDED,
        "timers at a time are guarded",
        "return super().call_at(when, _guarded(callback), *args, context=context)",
        "return super().call_at(when, callback, *args, context=context)",
    ),
    Mutant(
        GUARDED,
        "callbacks from other threads are guarded",
        "return super().call_soon_threadsafe(_guarded(callback), *args, context=context)",
        "return super().call_soon_threadsafe(callback, *args, context=context)",
    ),
    Mutant(
        DISPATCHER,
        "a loop goes on whatever it is made to call",
        "            except (SystemExit, KeyboardInterrupt) as error:",
        "            except ZeroDivisionError as error:",
    ),
    Mutant(
        LOOP,
        "what a life begets is its own",
        "        context.run(ACTING.set, (self._life, None))\n",
        "",
    ),
    Mutant(
        LOOP,
        "what a deferred answer begets is its own",
        "        token = ACTING.set((life, envelope))",
        "        token = ACTING.set((life, None))",
    ),
    Mutant(
        BUS,
        "a subscriber that fails is not felt by the publisher",
        "            except BaseException:",
        "            except ZeroDivisionError:",
    ),
    Mutant(
        BUS,
        "a subscriber that has ended is not called again",
        "                self._end(subscribed, subscription)\n",
        "",
    ),
    Mutant(
        BUS,
        "one of two subscriptions ends",
        "if other is not subscription)",
        "if other.subscriber is not subscription.subscriber)",
    ),
    Mutant(
        BUS,
        "a prefix hears of all below it",
        "            self._publish_to(topic[: end + 1], topic, event)",
        "            pass",
    ),
    Mutant(
        REFERENCE,
        "an ask over a reference that has run out of time is not begun",
        "                future.give_up()",
        "                pass",
    ),
    Mutant(
        REFERENCE,
        "a stop over a reference comes in its turn",
        "Envelope(StopInTurn(), reply, serial=life.serial)",
        "Envelope(Stop(), reply, serial=life.serial)",
    ),
    Mutant(
        REFERENCE,
        "a stop over a reference is for one incarnation",
        "Envelope(StopInTurn(), reply, serial=life.serial)",
        "Envelope(StopInTurn(), reply)",
    ),
    Mutant(
        REFERENCE,
        "a stop over a reference is taken by a full mailbox",
        "            system.deliver(life.cell.address, stop, beyond=True)",
        "            system.deliver(life.cell.address, stop)",
    ),
    Mutant(
        REFERENCE,
        "there are no proxies",
        '        raise TypeError(f"{self.actor_class.__name__} is spoken to by messages, it has no proxy")',
        "        return super().proxy()  # type: ignore",
    ),
    Mutant(
        ACTOR,
        "nobody starts an actor without a supervisor",
        '        raise TypeError(f"{cls.__name__} is started by a supervisor, from a child spec")',
        "        return super().start(*_args, **_kwargs)",
    ),
    Mutant(
        REGISTRY,
        "an actor that was entered long ago is taken out",
        "    pykka.ActorRegistry.unregister(ref)",
        "    pass",
    ),
    Mutant(REGISTRY, "one of those that entered last is taken out", "                del refs[place]\n", ""),
    Mutant(
        DISPATCHERS,
        "a loop is made once",
        "                self._by_name[name] = found\n",
        "",
    ),
    Mutant(
        ACTOR,
        "who is fenced off can't spawn",
        "            work.close()\n            raise Fenced",
        "            pass",
    ),
)

SUPERVISION = (
    Mutant(
        DECISIONS, "the boundary of intensity", "len(history) > spec.intensity", "len(history) >= spec.intensity"
    ),
    Mutant(DECISIONS, "the boundary of the period", "now - at <= period)", "now - at < period)"),
    Mutant(
        DECISIONS,
        "rest_for_one leaves the earlier ones alone",
        "return order[order.index(name) :]",
        "return order",
    ),
    Mutant(
        DECISIONS, "the last significant child ends its supervisor", "return significant_left == 0", "return True"
    ),
    Mutant(
        DECISIONS,
        "a temporary child that ends is forgotten",
        '    forget = child.restart == "temporary" or spec.dynamic',
        "    forget = spec.dynamic",
    ),
    Mutant(
        RESTARTS,
        "a late exit of an earlier life does not count",
        'if child is None or child.state != "running" or child.serial != exited.serial:',
        'if child is None or child.state != "running":',
    ),
    Mutant(
        RESTARTS,
        "the exit of a child that was stopped does not count",
        'if child is None or child.state != "running" or child.serial != exited.serial:',
        "if child is None or child.serial != exited.serial:",
        "the serial of one that does not run is 0, and no life has that",
    ),
    Mutant(
        RESTARTS,
        "a failed start counts",
        "        self._set_history(child, history)\n        if is_too_often(children.spec, history):",
        "        if is_too_often(children.spec, history):",
    ),
    Mutant(
        RESTARTS,
        "a restart counts",
        "            case Group(names):\n                self._set_history(child, history)",
        "            case Group(names):\n                pass",
    ),
    Mutant(
        RESTARTS,
        "those whose turn did not come are tried again",
        "                await self.start_failed(child, failure, group[index + 1 :])",
        "                await self.start_failed(child, failure)",
    ),
    Mutant(
        RESTARTS,
        "members of a group are stopped from the last to the first",
        "        for child in reversed(group):",
        "        for child in group:",
    ),
    Mutant(
        RESTARTS,
        "a retry without delay lets a stop come between",
        "        if delay == 0 and not retry:",
        "        if delay == 0:",
    ),
    Mutant(
        RESTARTS,
        "a temporary bystander is not restarted",
        '            if child.spec.restart == "temporary" and child is not failed:\n                children.forget(child)',
        "            pass",
    ),
    Mutant(
        RESTARTS,
        "a child that does not want to run again rests",
        "            else:\n                children.settle_absent(child)",
        "            else:\n                pass",
    ),
    Mutant(
        RESTARTS,
        "a supervisor that parks does not give up",
        "        if self._children.spec.park:\n            self._children.park(child, why)\n            return\n",
        "",
    ),
    Mutant(
        RESTARTS,
        "intensity of a supervisor that parks is counted for each child",
        "recent(child.history if spec.park else self._history, now, spec.period)",
        "recent(self._history, now, spec.period)",
    ),
    Mutant(
        SUPERVISOR,
        "the children of a killed supervisor are killed",
        "brutally=isinstance(self._bound_life.reason, Killed)",
        "brutally=False",
    ),
    Mutant(
        SUPERVISOR,
        "a child that ignores the supervisor's start rests",
        '            elif child.state == "absent":\n                children.settle_absent(child)',
        '            elif child.state == "absent":\n                pass',
    ),
    Mutant(
        SUPERVISOR,
        "a supervisor has no limit to let go",
        "    release_timeout: ClassVar[float | None] = None",
        "    release_timeout: ClassVar[float | None] = 1.0",
    ),
    Mutant(SUPERVISOR, "addresses of an earlier spec are removed", "        children.clear_strangers()\n", ""),
    Mutant(
        CHILDREN,
        "a dynamic supervisor stops all at the same time",
        "        if self.spec.dynamic:\n            async with",
        "        if False:\n            async with",
    ),
    Mutant(
        CHILDREN,
        "others are stopped from the last to the first",
        "for child in reversed(self._by_name.values())",
        "for child in self._by_name.values()",
    ),
    Mutant(
        CHILDREN,
        "what waits for a child that rests is refused",
        '        self.system.directory.rest(child.cell, "stopped", f"{child.cell.address} is stopped")',
        '        child.cell.state = "stopped"',
    ),
    Mutant(
        CHILDREN,
        "a child that is started is parked no more",
        "            self.system.alarms.clear(parked_alarm(child.cell.address))\n            if",
        "            if",
    ),
    Mutant(
        CHILDREN,
        "what the factory of a temporary child holds is not kept",
        "                child.spec = replace(child.spec, factory=_made_already)",
        "                pass",
    ),
    Mutant(
        CHILDREN, "a brutal stop gives no time", "0 if brutally else child.spec.shutdown", "child.spec.shutdown"
    ),
    Mutant(
        CHILDREN,
        "nobody takes another's address",
        "        if cell.parent != self.supervisor:",
        "        if False:",
    ),
    Mutant(
        CHILDREN,
        "a new spec's limits count for an address that exists",
        "        cell.resettle(spec.settings, spec.kind)\n        return cell",
        "        return cell",
    ),
    Mutant(
        CHILDREN,
        "who is taken out of a group is not restarted with it",
        "            waiting.remove(child.spec.name)",
        "            pass",
    ),
    Mutant(
        CHILDREN,
        "a parked child has an alarm",
        "        self.system.alarms.raise_(parked_alarm(cell.address), why)",
        "        pass",
    ),
    Mutant(
        ADMINISTRATION,
        "an operator's restart forgets the attempts",
        "        child.attempt, child.history = 0, ()",
        "        child.history = ()",
    ),
    Mutant(
        ADMINISTRATION,
        "an operator's restart forgets the history",
        "        child.attempt, child.history = 0, ()",
        "        child.attempt = 0",
    ),
    Mutant(ADMINISTRATION, "an operator's restart is shown as no attempt", "        child.cell.attempt = 0\n", ""),
    Mutant(
        ADMINISTRATION,
        "a parked child whose restart fails stays parked",
        'child.state = "parked" if was_parked else "absent"',
        'child.state = "absent"',
    ),
    Mutant(
        ADMINISTRATION,
        "a child that is stopped waits for no restart",
        "        children.unwait(child)\n        if child.cell.life is not None:",
        "        if child.cell.life is not None:",
    ),
    Mutant(
        ADMINISTRATION,
        "a child that does not start is forgotten",
        "            children.forget(child)\n            raise Unavailable",
        "            raise Unavailable",
    ),
    Mutant(
        ADMINISTRATION,
        "a child that ignores its start rests",
        '        if child.state == "absent":\n            children.settle_absent(child)\n        return info',
        "        return info",
    ),
    Mutant(
        ADMINISTRATION,
        "a child that ignores its restart rests",
        '        if child.state == "absent":\n            children.rest(child)\n        return _info(child)',
        "        return _info(child)",
    ),
    Mutant(
        ADMINISTRATION,
        "a child that runs is not started again",
        '        if child.state in {"running", "restarting"}:',
        '        if child.state == "running":',
    ),
    Mutant(
        BOOT,
        "a tree that does not start ends its watch",
        "            self._watch.cancel()\n            raise StartFailed",
        "            raise StartFailed",
    ),
    Mutant(
        BOOT,
        "a tree that has stopped ends its watch",
        "        if self._watch is not None:\n            self._watch.cancel()",
        "        pass",
    ),
    Mutant(
        SPEC,
        "a permanent child is not significant",
        '        if self.significant and self.restart == "permanent":',
        "        if False:",
    ),
    Mutant(
        SPEC,
        "a worker has a limit to start",
        '(("shutdown", WORKER_SHUTDOWN), ("start_timeout", START_TIMEOUT))',
        '(("shutdown", WORKER_SHUTDOWN), ("start_timeout", None))',
    ),
)

MUTANTS = (*CUSTODY, *BOUNDS, *POISON, *LIVES_AND_ENDS, *TIME, *THREADS, *SUPERVISION)
