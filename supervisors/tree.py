"""The whole tree on one page: what runs, in which order it starts, and how each part is restarted.

How each actor is made is in `actor_factory.py`; accounts, connectors, feeds and bots are added while the
server runs, under the specs of `branches/`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.portfolio import Portfolio
from aviary.actors.accounts.trading import TradingService
from aviary.actors.core.events import TOPIC
from aviary.actors.keeping.database import READERS, WRITER
from aviary.actors.keeping.journal import JournalKeeper
from aviary.actors.keeping.service_manager import ServiceManager
from aviary.actors.markets.catalogue import Catalogue
from aviary.actors.messages.journal import KernelEventRecorded
from aviary.actors.messaging.link import MqttLink
from aviary.supervisors.actor_factory import MARKET_HOST, ActorFactory
from aviary.supervisors.backoff import FEED, Backoff
from aviary.supervisors.branches.accounts import HOST
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aviary.actors.core.system import System
    from aviary.config.layout import Layout
    from aviary.config.settings import Settings

ROOT_INTENSITY, ROOT_PERIOD = 10, 60.0
"""A branch that fails more than ten times a minute is parked; its backoff keeps it well below that
unless it dies as soon as it has come up."""

BRANCH = Backoff(first=0.2, cap=30.0)
"""For what the others need: soon at first, patient later."""

MANY = SupervisorSpec(dynamic=True, intensity=None)
"""Many alike children, each with its own patience: one that keeps failing is never given up for the others."""


def tree_spec(settings: Settings, layout: Layout, system: System) -> SupervisorSpec:
    """The root's spec for these settings."""
    keep_journal(system)
    children = tuple(branches(settings, ActorFactory(settings, layout, system)))
    return SupervisorSpec(park=True, intensity=ROOT_INTENSITY, period=ROOT_PERIOD, children=children)


def keep_journal(system: System) -> None:
    """Have the journal told of everything that happens from now on."""
    system.bus.subscribe(TOPIC, lambda _topic, event: _note(system, event))


def _note(system: System, event: Any) -> None:
    journal = system.cell("journal")
    # While it rests it is told nothing, and reads itself what happened meanwhile once it lives.
    if journal is not None and journal.state not in {"stopped", "parked"}:
        system.tell("journal", KernelEventRecorded(event=event))


def branches(settings: Settings, factory: ActorFactory) -> Iterator[ChildSpec]:
    """The root's children, in their order of start."""
    yield ChildSpec(WRITER, factory.database, backoff=BRANCH)
    for reader in READERS:
        yield ChildSpec(reader, factory.reader, backoff=FEED)
    yield ChildSpec("database-inspector", factory.inspector, backoff=BRANCH)
    yield ChildSpec("journal", lambda: JournalKeeper(WRITER), backoff=BRANCH)
    yield ChildSpec("disk", factory.disk, backoff=FEED)
    yield ChildSpec("resources", factory.resources, backoff=FEED)
    yield ChildSpec("supervision", factory.supervision, backoff=BRANCH)
    if settings.template:
        yield ChildSpec("template", factory.template, backoff=BRANCH)
    if settings.sandbox:
        yield ChildSpec("sandbox", factory.sandbox, backoff=BRANCH)
    yield chain(
        "broker",
        ChildSpec("server", factory.broker, backoff=BRANCH),
        ChildSpec("link", lambda: MqttLink("broker/server"), backoff=FEED),
    )
    yield chain(
        "market",
        ChildSpec("host", lambda: factory.host("market"), backoff=HOST),
        ChildSpec("catalogue", lambda: Catalogue(MARKET_HOST), backoff=FEED),
    )
    yield ChildSpec("rate-oracle", factory.rate_oracle, backoff=FEED)
    yield supervisor("feeds", MANY)
    yield ChildSpec("feed-registry", factory.feed_registry, backoff=BRANCH)
    yield ChildSpec("market-data", factory.market_data, backoff=BRANCH)
    yield supervisor("accounts", MANY)
    yield ChildSpec("account-registry", factory.account_registry, backoff=BRANCH)
    yield ChildSpec("trading", TradingService, backoff=FEED)
    yield ChildSpec("portfolio", Portfolio, backoff=FEED)
    yield ChildSpec("portfolio-history", factory.portfolio_history, backoff=BRANCH)
    yield ChildSpec("strategy-library", factory.strategy_library, backoff=BRANCH)
    yield supervisor("bots", MANY)
    yield ChildSpec("bot-registry", factory.bot_registry, backoff=BRANCH)
    yield ChildSpec("service-manager", lambda: ServiceManager(os.environ), backoff=BRANCH)


def chain(name: str, *children: ChildSpec) -> ChildSpec:
    """A branch whose later children stand on the earlier ones; each child's backoff is patience enough."""
    return supervisor(name, SupervisorSpec(strategy="rest_for_one", intensity=None, children=children))


def supervisor(name: str, spec: SupervisorSpec) -> ChildSpec:
    """The spec of a child that is a supervisor itself."""
    return ChildSpec(
        name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS, backoff=BRANCH
    )
