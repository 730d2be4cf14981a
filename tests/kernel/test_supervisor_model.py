"""Hypothesis drives random trees of supervisors, with random ends and orders, against a small model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from aviary.actors.core.refusal import Refusal
from aviary.actors.core.simulation import Simulation
from aviary.supervisors.messages import DeleteChild, RestartChild, StartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kernel_stage import Die, Stage, check_journal

PERIOD = 10.0


@dataclass
class Node:
    """A child as the model knows it: a leaf if it has no `inner`."""

    name: str
    restart: str = "permanent"
    significant: bool = False
    inner: Inner | None = None
    running: bool = False


@dataclass
class Inner:
    """What a supervisor consists of."""

    strategy: str = "one_for_one"
    intensity: int = 1
    auto_shutdown: str = "never"
    specs: list[Node] = field(default_factory=list)
    children: dict[str, Node] = field(default_factory=dict)
    history: list[float] = field(default_factory=list)


class GaveUp(Exception):
    """A supervisor of the model has ended: abnormally or, through a significant child, normally."""

    def __init__(self, *, normal: bool = False) -> None:
        super().__init__(normal)
        self.normal = normal


class Model:
    """What OTP's documentation says, in as few words as possible. All restarts are immediate."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lives: dict[str, int] = {}
        """Incarnations by address; forgotten with the address."""
        self.scripts: dict[str, list[str]] = {}

    def start(self, node: Node, address: str) -> str:
        self.lives[address] = self.lives.get(address, 0) + 1
        node.running = False
        if node.inner is None:
            script = self.scripts.get(node.name, [])
            outcome = script.pop(0) if script else "ok"
            node.running = outcome == "ok"
            return outcome
        inner = node.inner
        inner.history = []
        kept = {spec.name for spec in inner.specs}
        for known in list(self.lives):
            below = known.removeprefix(f"{address}/")
            if known != below and below.split("/")[0] not in kept:
                del self.lives[known]
        inner.children = {spec.name: spec for spec in inner.specs}
        for child in inner.specs:
            child.running = False
        for child in inner.specs:
            outcome = self.start(child, f"{address}/{child.name}")
            if outcome == "fail":
                self.stop(node)
                return "fail"
            if outcome == "ignore" and child.restart == "temporary":
                self.forget(inner, child, f"{address}/{child.name}")
        node.running = True
        return "ok"

    def stop(self, node: Node) -> None:
        node.running = False
        for child in node.inner.children.values() if node.inner else ():
            self.stop(child)

    def forget(self, inner: Inner, child: Node, address: str) -> None:
        inner.children.pop(child.name, None)
        for known in [known for known in self.lives if known == address or known.startswith(f"{address}/")]:
            del self.lives[known]

    def ended(self, path: list[Node], *, normal: bool) -> None:
        """The last of `path` has ended by itself; what its supervisors do about it."""
        *above, child = path
        self.stop(child)
        if not above:
            raise GaveUp(normal=normal)
        parent = above[-1]
        assert parent.inner is not None
        prefix = "/".join(node.name for node in above)
        try:
            self.decide(parent.inner, child, prefix, normal=normal)
        except GaveUp as up:
            self.ended(above, normal=up.normal)

    def decide(self, inner: Inner, child: Node, prefix: str, *, normal: bool) -> None:
        again = child.restart == "permanent" or (child.restart == "transient" and not normal)
        if not again:
            if child.restart == "temporary":
                self.forget(inner, child, f"{prefix}/{child.name}")
            left = any(other.significant and other.running for other in inner.children.values())
            if child.significant and (
                inner.auto_shutdown == "any_significant" or (inner.auto_shutdown == "all_significant" and not left)
            ):
                raise GaveUp(normal=True)
            return
        while True:
            inner.history = [at for at in inner.history if self.now - at <= PERIOD] + [self.now]
            if len(inner.history) > inner.intensity:
                raise GaveUp
            names = list(inner.children)
            group = {
                "one_for_one": [child.name],
                "one_for_all": names,
                "rest_for_one": names[names.index(child.name) :],
            }[inner.strategy]
            members = [inner.children[name] for name in group]
            for other in members:
                self.stop(other)
                if other is not child and other.restart == "temporary":
                    self.forget(inner, other, f"{prefix}/{other.name}")
            for other in [other for other in members if other.name in inner.children]:
                outcome = self.start(other, f"{prefix}/{other.name}")
                if outcome == "fail":
                    child = other
                    break
                if outcome == "ignore" and other.restart == "temporary":
                    self.forget(inner, other, f"{prefix}/{other.name}")
            else:
                return


LEAVES = ["zeta", "alpha", "mike", "bravo"]
restarts = st.sampled_from(["permanent", "transient", "temporary"])
scripts = st.lists(st.sampled_from(["ok", "fail", "ignore"]), max_size=4)


@st.composite
def nodes(draw: st.DrawFn, name: str, auto: str, depth: int) -> Node:
    restart = draw(restarts)
    significant = auto != "never" and restart != "permanent" and draw(st.booleans())
    inner = draw(inners(depth - 1)) if depth and draw(st.integers(0, 2)) == 0 else None
    return Node(name, restart, significant, inner)


@st.composite
def inners(draw: st.DrawFn, depth: int) -> Inner:
    auto = draw(st.sampled_from(["never", "never", "any_significant", "all_significant"]))
    names = draw(st.lists(st.sampled_from(LEAVES), unique=True, max_size=4))
    return Inner(
        draw(st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])),
        draw(st.integers(0, 3)),
        auto,
        [draw(nodes(name, auto, depth)) for name in names],
    )


class SupervisorMachine(RuleBasedStateMachine):
    """Does the same to the model and to the tree, and compares them."""

    @initialize(seed=st.integers(0, 1_000), tree=inners(2))
    def begin(self, seed: int, tree: Inner) -> None:
        self.sim = Simulation(seed, shuffle=True)
        self.sim.__enter__()
        self.stage = Stage(self.sim)
        self.model = Model()
        self.open(tree)

    def open(self, tree: Inner) -> None:
        self.top = Node("sup", "temporary", inner=tree)
        self.model.lives.clear()
        self.alive = self.model.start(self.top, "sup") == "ok"
        assert self.alive
        self.stage.up(self.spec(tree))
        self.come_to_rest()

    def spec(self, inner: Inner) -> SupervisorSpec:
        return SupervisorSpec(
            strategy=inner.strategy,  # type: ignore[arg-type]
            intensity=inner.intensity,
            period=PERIOD,
            auto_shutdown=inner.auto_shutdown,  # type: ignore[arg-type]
            children=tuple(self.child(node) for node in inner.specs),
        )

    def child(self, node: Node) -> ChildSpec:
        more: dict[str, Any] = {"restart": node.restart, "significant": node.significant}
        if node.inner is None:
            return self.stage.child(node.name, **more)
        return self.stage.nested(node.name, self.spec(node.inner), **more)

    def come_to_rest(self) -> None:
        # Virtual time moves only when there is nothing left to do.
        self.sim.advance(0.001)
        self.model.now = self.sim.clock.monotonic()

    def paths(self) -> list[list[Node]]:
        found: list[list[Node]] = []

        def walk(path: list[Node]) -> None:
            found.append(path)
            for child in path[-1].inner.children.values() if path[-1].inner else ():
                walk([*path, child])

        walk([self.top])
        return found

    def pick(self, data: st.DataObject, *, leaf: bool | None, running: bool | None) -> list[Node] | None:
        fitting = [
            path
            for path in self.paths()
            if len(path) > 1
            and all(node.running for node in path[:-1])
            and leaf in {None, path[-1].inner is None}
            and running in {None, path[-1].running}
        ]
        return data.draw(st.sampled_from(fitting)) if fitting else None

    def script(self, name: str, outcomes: list[str]) -> None:
        words = {"ok": None, "fail": ValueError("scripted"), "ignore": "ignore"}
        self.model.scripts[name] = list(outcomes)
        self.stage.world.starts[name].clear()
        self.stage.world.starts[name].extend(words[word] for word in outcomes)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), how=st.sampled_from(["normal", "shutdown", "error", "exit", "cancel"]), outcomes=scripts)
    def a_leaf_ends(self, data: st.DataObject, how: str, outcomes: list[str]) -> None:
        path = self.pick(data, leaf=True, running=True)
        if path is None:
            return
        self.script(path[-1].name, outcomes)
        self.stage.tell("/".join(node.name for node in path), Die(how=how))
        try:
            self.model.ended(path, normal=how in {"normal", "shutdown"})
        except GaveUp:
            self.alive = False
        self.come_to_rest()

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def a_child_is_terminated(self, data: st.DataObject) -> None:
        path = self.pick(data, leaf=None, running=None)
        if path is None:
            return
        self.stage.ask("/".join(node.name for node in path[:-1]), TerminateChild(name=path[-1].name))
        self.model.stop(path[-1])
        inner = path[-2].inner
        assert inner is not None
        if path[-1].restart == "temporary":
            self.model.forget(inner, path[-1], "/".join(node.name for node in path))
        self.come_to_rest()

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), delete=st.booleans(), outcomes=scripts)
    def an_absent_child_is_restarted_or_deleted(
        self, data: st.DataObject, outcomes: list[str], *, delete: bool
    ) -> None:
        path = self.pick(data, leaf=None, running=False)
        if path is None:
            return
        node, inner, address = path[-1], path[-2].inner, "/".join(node.name for node in path)
        assert inner is not None
        sup = "/".join(node.name for node in path[:-1])
        if delete:
            self.stage.ask(sup, DeleteChild(name=node.name))
            self.model.forget(inner, node, address)
        else:
            if node.inner is None:
                self.script(node.name, outcomes)
            expected = self.model.start(node, address)
            self.compare(expected, lambda: self.stage.ask(sup, RestartChild(name=node.name)))
        self.come_to_rest()

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), outcomes=scripts)
    def a_child_is_added(self, data: st.DataObject, outcomes: list[str]) -> None:
        sups = [path for path in self.paths() if path[-1].inner is not None and all(node.running for node in path)]
        path = data.draw(st.sampled_from(sups))
        inner, sup = path[-1].inner, "/".join(node.name for node in path)
        assert inner is not None
        name = data.draw(st.sampled_from(LEAVES))
        node = data.draw(nodes(name, inner.auto_shutdown, 0))
        if name in inner.children:
            with pytest.raises(Refusal, match="already"):
                self.stage.ask(sup, StartChild(spec=self.child(node)))
            return
        self.script(name, outcomes)
        inner.children[name] = node
        expected = self.model.start(node, f"{sup}/{name}")
        self.compare(expected, lambda: self.stage.ask(sup, StartChild(spec=self.child(node))))
        if expected == "fail" or (expected == "ignore" and node.restart == "temporary"):
            self.model.forget(inner, node, f"{sup}/{name}")
        self.come_to_rest()

    def compare(self, expected: str, start: Any) -> None:
        if expected == "fail":
            with pytest.raises(Refusal, match="did not start"):
                start()
        else:
            assert start().state == {"ok": "running", "ignore": "absent"}[expected]

    @rule(seconds=st.floats(0.1, 12.0))
    def time_passes(self, seconds: float) -> None:
        self.sim.advance(seconds)
        self.model.now = self.sim.clock.monotonic()

    @precondition(lambda self: not self.alive)
    @rule(tree=inners(2))
    def a_new_tree_is_started(self, tree: Inner) -> None:
        self.model.scripts.clear()
        self.stage.world.starts.clear()
        self.open(tree)

    @invariant()
    def the_tree_is_as_the_model_says(self) -> None:
        if not hasattr(self, "stage"):
            return
        assert self.stage.exists() is self.alive
        if not self.alive:
            return
        for path in self.paths():
            node, address = path[-1], "/".join(node.name for node in path)
            cell = self.stage.system.cell(address)
            assert cell is not None, address
            assert (cell.life is not None) is node.running, address
            assert cell.incarnation == self.model.lives.get(address, 0), address
            if node.inner is not None and node.running:
                states = {name: "running" if n.running else "absent" for name, n in node.inner.children.items()}
                assert list(self.stage.which(address).items()) == list(states.items()), address

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            check_journal(self.stage.system.events())
            self.sim.__exit__(None, None, None)


logging.getLogger("aviary.kernel").setLevel(logging.CRITICAL)
TestSupervisor = SupervisorMachine.TestCase
TestSupervisor.settings = hypothesis_settings(max_examples=60, stateful_step_count=25, deadline=None)
