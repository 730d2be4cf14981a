"""Keeps what the accounts held and were worth, and tells from it how they have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.portfolio_flows import (
    Look,
    first_snapshot,
    gone_snapshot,
    knows_less,
    next_snapshot,
    tells_flows,
)
from aviary.actors.accounts.portfolio_views import (
    INTERVALS,
    Results,
    fitting_interval,
    page_of,
    place_of,
    unpriced,
)
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Invalid, Refusal
from aviary.actors.keeping.records import Records
from aviary.actors.messages.accounts import ListConnections
from aviary.actors.messages.portfolio import GetKnownHoldings
from aviary.actors.messages.portfolio_history import (
    GetPortfolioHistory,
    GetPortfolioPerformance,
    PortfolioHistory,
    PortfolioPerformance,
    TakeSnapshot,
    ThinOut,
)
from aviary.actors.messages.rates import GetQuote, ValueTokens
from aviary.persistence.portfolio import Chosen, Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aviary.actors.core.address import Address
    from aviary.actors.messages.portfolio import Holding, PortfolioState
    from aviary.persistence.portfolio import Snapshot
    from aviary.persistence.repositories import Repositories

PERIOD = 300.0
"""Seconds between two snapshots."""

LOOK_PERIOD = 20.0
"""Seconds between two looks whether a snapshot is due: one is taken at once of a credential that is new."""

NEWCOMER_LOOKS = 15
"""Looks that a new credential is given to tell what it holds, before it waits for the next snapshot like the others."""

THIN_PERIOD = 3_600.0
"""Seconds between two times that old snapshots are thinned out."""

READ_TIMEOUT = 20.0

STATE_TIMEOUT = 70.0
"""Seconds for asking every connector, then the market."""

PRICE_TIMEOUT = 15.0

type Credential = tuple[str, str]


class PortfolioHistoryKeeper(AsyncActor):
    """Takes a snapshot every few minutes; what it can't write down it tries again at the next look."""

    keeps_nothing = True

    def __init__(
        self,
        *,
        period: float = PERIOD,
        look_period: float = LOOK_PERIOD,
        portfolio: Address = "portfolio",
        registry: Address = "account-registry",
        oracle: Address = "rate-oracle",
    ) -> None:
        super().__init__()
        self._period = period
        self._look_period = min(look_period, period)
        self._portfolio = portfolio
        self._registry = registry
        self._oracle = oracle

    def prepare(self) -> None:
        """Begin to look; what was kept is read at the first one."""
        self._last: dict[Credential, Snapshot] | None = None
        self._looks: dict[Credential, int] = {}
        self.every(self._look_period, TakeSnapshot(), first=min(self._look_period, 5.0))
        self.every(THIN_PERIOD, ThinOut(), first=60.0)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetPortfolioHistory():
                return self.defer(self._history(message))
            case GetPortfolioPerformance():
                return self.defer(self._performance(message))
            case TakeSnapshot():
                return self.defer(self._look())
            case ThinOut():
                return self.defer(self._thin())
            case _:
                return super().receive(message)

    # Taking snapshots

    async def _look(self) -> None:
        try:
            await self._take_if_due()
        except (Refusal, ActorCrashed) as trouble:
            self.degrade(f"the portfolio could not be kept: {trouble}")
        else:
            self.recover()

    async def _take_if_due(self) -> None:
        if self._last is None:
            kept = await Records(self).read(lambda r: r.portfolio.latest())
            self._last = {(one.account, one.connector): one for one in kept}
        last = self._last
        connections = await self.ask(self._registry, ListConnections(), timeout=READ_TIMEOUT)
        held = {(one.account_name, one.connector_name) for one in connections}
        live = {credential for credential, one in last.items() if one.state != "gone"}
        now = int(self.clock.now())
        newest = max((one.at for one in last.values()), default=0)
        # Half a look early rather than a whole one late.
        due = now - newest >= self._period - self._look_period / 2 or not live <= held or self._has_newcomers(held - live)
        # The clock may have been set back: two snapshots of one moment would contradict each other.
        if due and now > newest and (held or live):
            await self._take(held, now)

    def _has_newcomers(self, credentials: set[Credential]) -> bool:
        """Whether somebody new may have something to tell by now. One that stays silent is not asked for ever."""
        self._looks = {credential: self._looks.get(credential, 0) + 1 for credential in credentials}
        return any(looks <= NEWCOMER_LOOKS for looks in self._looks.values())

    async def _take(self, held: set[Credential], now: int) -> None:
        last = self._last or {}
        state = await self.ask(self._portfolio, GetKnownHoldings(), timeout=STATE_TIMEOUT)
        quote = await self.ask(self._oracle, GetQuote(), timeout=PRICE_TIMEOUT)
        taken = []
        for look in _looks(state, now, quote):
            before = last.get((look.account, look.connector))
            if before is None or not knows_less(before, look):
                taken.append(await self._snapshot(before, look))
        taken += [
            gone_snapshot(one, now) for credential, one in last.items() if one.state != "gone" and credential not in held
        ]
        if not taken:
            return
        snapshots = tuple(taken)
        await Records(self).write(lambda r: r.portfolio.add(snapshots))
        self._last = {**last, **{(one.account, one.connector): one for one in snapshots}}

    async def _snapshot(self, before: Snapshot | None, look: Look) -> Snapshot:
        if before is None:
            return first_snapshot(look)
        fills = await Records(self).read(lambda r: r.portfolio.fills(look.account, look.connector, before.at, look.at))
        return next_snapshot(before, look, fills)

    async def _thin(self) -> None:
        now = self.clock.now()
        try:
            await Records(self).write(lambda r: r.portfolio.thin(now))
        except Refusal as refusal:
            self.degrade(f"old snapshots could not be thinned out: {refusal.detail}")

    # The past

    async def _history(self, wanted: GetPortfolioHistory) -> PortfolioHistory:
        before = place_of(wanted)
        since, until = _stretch(wanted.start_time, wanted.end_time)
        chosen = _chosen(wanted)
        # Every snapshot is shown at the shortest interval.
        step = None if wanted.interval == "5m" else INTERVALS[wanted.interval]

        def work(r: Repositories) -> PortfolioHistory:
            moments = r.portfolio.moments(
                chosen, since=since, until=until, before=before, step=step, limit=wanted.limit + 1
            )
            # A large page takes its time to make: on the reader's thread it holds up no loop.
            return page_of(wanted, moments, r.portfolio.at(chosen, moments[: wanted.limit]))

        return await Records(self).read(work)

    async def _performance(self, wanted: GetPortfolioPerformance) -> PortfolioPerformance:
        since, until = _stretch(wanted.start_time, wanted.end_time)
        chosen = _chosen(wanted)
        quote = await self.ask(self._oracle, GetQuote(), timeout=PRICE_TIMEOUT)
        span = await Records(self).read(lambda r: r.portfolio.span(chosen, quote))
        if span is None:
            return PortfolioPerformance(
                quote_token=quote,
                interval=wanted.interval or "5m",
                total=None,
                accounts={},
                unpriced=(),
                notes=(f"Nothing is kept in {quote} yet.",),
            )
        begin = int(max(since or 0, span[0]))
        end = span[1] if until is None else int(until)
        interval = wanted.interval or fitting_interval(max(0, end - begin))

        fees = await Records(self).read(lambda r: r.portfolio.fees(chosen, begin, end))
        prices = {credential: await self._worth(credential, tokens) for credential, tokens in fees.items()}

        def work(r: Repositories) -> PortfolioPerformance:
            points = r.portfolio.points(chosen, quote=quote, since=begin, until=end, step=INTERVALS[interval])
            present = tuple(one for one in r.portfolio.latest(chosen, until=end) if one.state != "gone")
            results = Results(points, begin, fees, prices)
            missing = tuple(unpriced(present))
            return PortfolioPerformance(
                quote_token=quote,
                interval=interval,
                total=results.total(),
                accounts=results.accounts(),
                unpriced=missing,
                notes=tuple(_notes(present, unpriced_tokens=bool(missing))),
            )

        return await Records(self).read(work)

    async def _worth(self, credential: Credential, tokens: Iterable[str]) -> dict[str, float]:
        """What tokens are worth now; those without a price are left out."""
        question = ValueTokens(connector=credential[1], tokens=tuple(tokens))
        try:
            found = await self.ask(self._oracle, question, timeout=PRICE_TIMEOUT)
        except (Refusal, ActorCrashed):
            return {}
        return {token: float(price.price) for token, price in found.prices.items()}


def _looks(state: PortfolioState, now: int, quote: str) -> Iterable[Look]:
    for account, connectors in state.items():
        for connector, holdings in connectors.items():
            held = tuple(_held(one) for one in holdings)
            yield Look(at=now, account=account, connector=connector, quote=quote, holdings=held)


def _held(holding: Holding) -> Held:
    return Held(
        token=holding.token,
        units=holding.units,
        available=holding.available_units,
        price=holding.price,
        stale=holding.stale,
    )


def _chosen(wanted: GetPortfolioHistory | GetPortfolioPerformance) -> Chosen:
    return Chosen(accounts=tuple(wanted.account_names or ()), connectors=tuple(wanted.connector_names or ()))


def _stretch(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    if start is not None and end is not None and start > end:
        raise Invalid("start_time is after end_time", "start_time")
    return start, end


def _notes(present: Sequence[Snapshot], *, unpriced_tokens: bool) -> Iterable[str]:
    if any(not tells_flows(snapshot.connector) for snapshot in present):
        yield (
            "On perpetual connectors deposits and withdrawals can't be told from realised profit, funding and fees:"
            " they count as profit or loss. The profit of open positions is not in the values."
        )
    yield "Fees are those of orders that were placed here; those of bots are in the bots' own records."
    if unpriced_tokens:
        yield "Tokens without a price count in no value and no profit."
