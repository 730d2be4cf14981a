"""The whole tree on one page: what runs, in which order it starts, and how each part is restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.broker import Broker
from aviary.actors.core.events import TOPIC
from aviary.actors.database import READERS, Database, DatabaseReader, a_reader
from aviary.actors.engine_host import EngineHost
from aviary.actors.feed_registry import FeedRegistry
from aviary.actors.journal import JournalKeeper
from aviary.actors.market_data import MarketData
from aviary.actors.messages.broker import BrokerInfo
from aviary.actors.messages.journal import KernelEventRecorded
from aviary.actors.mqtt_link import MqttLink
from aviary.actors.sandbox_exchange import SandboxExchange
from aviary.actors.supervision import SupervisionDesk
from aviary.actors.template import TemplateKeeper
from aviary.supervisors.backoff import FEED, Backoff
from aviary.supervisors.families.accounts import HOST
from aviary.supervisors.families.feeds import Feeds
from aviary.supervisors.restarter import TreeRestarter
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


def tree_spec(settings: Settings, layout: Layout, system: System) -> SupervisorSpec:
    """The root's spec for these settings."""
    system.bus.subscribe(TOPIC, lambda _topic, event: system.tell("journal", KernelEventRecorded(event=event)))
    return SupervisorSpec(
        park=True,
        intensity=ROOT_INTENSITY,
        period=ROOT_PERIOD,
        children=tuple(branches(settings, layout, system)),
    )


def branches(settings: Settings, layout: Layout, system: System) -> Iterator[ChildSpec]:
    """The root's children, in their order of start."""
    url = None if settings.database_url is None else settings.database_url.get_secret_value()
    yield ChildSpec("database", lambda: Database(url, layout.database), backoff=BRANCH)
    for reader in READERS:
        yield ChildSpec(reader, lambda: DatabaseReader(url, layout.database), backoff=FEED)
    yield ChildSpec("journal", lambda: JournalKeeper("database"), backoff=BRANCH)
    if settings.sandbox:
        yield ChildSpec("sandbox", lambda: sandbox_exchange(settings, layout), backoff=BRANCH)
    yield supervisor(
        "broker",
        SupervisorSpec(
            strategy="rest_for_one",
            children=(
                ChildSpec("server", lambda: broker(settings, layout), backoff=BRANCH),
                ChildSpec("link", lambda: MqttLink("broker/server"), backoff=FEED),
            ),
        ),
    )
    if settings.template:
        yield ChildSpec("template", lambda: template(layout), backoff=BRANCH)
    market = EngineHosts(settings, layout)
    yield supervisor(
        "market",
        SupervisorSpec(
            strategy="rest_for_one",
            intensity=None,
            children=(ChildSpec("host", lambda: market.make("market"), backoff=HOST),),
        ),
    )
    yield supervisor("feeds", SupervisorSpec(dynamic=True, intensity=None))
    yield ChildSpec(
        "feed-registry", lambda: FeedRegistry(Feeds(system, MARKET_HOST), MARKET_HOST), backoff=BRANCH
    )
    yield ChildSpec("market-data", lambda: MarketData(MARKET_HOST), backoff=BRANCH)
    yield ChildSpec("supervision", lambda: SupervisionDesk(a_reader, TreeRestarter(system)), backoff=BRANCH)


MARKET_HOST = "market/host"
"""The engine host for public data."""


class EngineHosts:
    """Makes the keepers of engine hosts, each with a folder and a log of its own."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout

    def make(self, name: str) -> EngineHost:
        """The keeper of one engine host."""
        return EngineHost(
            self._layout.run / "hosts" / name,
            self._layout.logs / f"host-{name}.log",
            template="template" if self._settings.template else None,
            sandbox="sandbox" if self._settings.sandbox else None,
        )


def template(layout: Layout) -> TemplateKeeper:
    """The template's keeper."""
    return TemplateKeeper(layout.run / "template", layout.logs / "template.log")


def supervisor(name: str, spec: SupervisorSpec, backoff: Backoff = BRANCH) -> ChildSpec:
    """The spec of a child that is a supervisor itself."""
    return ChildSpec(
        name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS, backoff=backoff
    )


def sandbox_exchange(settings: Settings, layout: Layout) -> SandboxExchange:
    """The simulated exchange's keeper."""
    return SandboxExchange(
        layout.sandbox, layout.logs / "sandbox.log", settings.sandbox_port, settings.sandbox_seed
    )


def broker(settings: Settings, layout: Layout) -> Broker:
    """The broker's keeper: of ours, or of the one that the operator named."""
    external = None
    if settings.broker_host is not None:
        external = BrokerInfo(
            kind="external",
            host=settings.broker_host,
            port=settings.broker_port,
            username=settings.broker_username,
            password=settings.broker_password,
        )
    return Broker(layout.broker, layout.logs / "broker.log", settings.broker, external)


