"""How a portfolio is spread over tokens, accounts and connectors. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aviary.actors.messages.portfolio import Holding, PortfolioState

ZERO = Decimal(0)


def token_distribution(state: PortfolioState, accounts: Sequence[str] | None) -> dict[str, Any]:
    """The share of each token, with the accounts and connectors it lies on; those without a price come last.

    Values and shares of what has no price are `None`: they are unknown, not nothing.
    """
    rows = list(_flat(state))
    total = _worth(rows) or ZERO
    tokens: dict[str, list[_Row]] = {}
    for row in rows:
        tokens.setdefault(row[2].token, []).append(row)
    shares = [_token(token, some, total) for token, some in tokens.items()]
    return {
        "total_portfolio_value": total,
        "token_count": len(shares),
        "distribution": sorted(shares, key=_largest_first),
        "account_filter": ",".join(accounts) if accounts else "all_accounts",
        "unpriced_tokens": sorted(_unpriced(rows)),
    }


def account_distribution(state: PortfolioState) -> dict[str, Any]:
    """The share of each account and connector in what has a price."""
    rows = list(_flat(state))
    total = _worth(rows) or ZERO
    shares = [
        {
            "account": account,
            "total_value": _sum(connectors.values()),
            "percentage": _percent(_sum(connectors.values()), total),
            "connectors": {
                connector: {"value": _sum((held,)), "percentage": _percent(_sum((held,)), total)}
                for connector, held in connectors.items()
            },
            "unpriced_tokens": sorted(_unpriced((account, "", one) for held in connectors.values() for one in held)),
        }
        for account, connectors in state.items()
        if any(connectors.values())
    ]
    return {
        "total_portfolio_value": total,
        "account_count": len(shares),
        "distribution": sorted(shares, key=_largest_first),
        "unpriced_tokens": sorted(_unpriced(rows)),
    }


type _Row = tuple[str, str, Holding]


def _flat(state: PortfolioState) -> Iterator[_Row]:
    for account, connectors in state.items():
        for connector, holdings in connectors.items():
            for holding in holdings:
                yield account, connector, holding


def _token(token: str, rows: Sequence[_Row], total: Decimal) -> dict[str, Any]:
    accounts: dict[str, list[_Row]] = {}
    for row in rows:
        accounts.setdefault(row[0], []).append(row)
    return {
        "token": token,
        "total_value": _worth(rows),
        "total_units": _units(rows),
        "percentage": _percent(_worth(rows), total),
        "accounts": {
            account: {
                "value": _worth(some),
                "units": _units(some),
                "percentage": _percent(_worth(some), total),
                "connectors": {
                    connector: {"value": holding.value, "units": holding.units} for _, connector, holding in some
                },
            }
            for account, some in accounts.items()
        },
    }


def _worth(rows: Iterable[_Row]) -> Decimal | None:
    """The value of what has a price; `None` if nothing of it has."""
    values = [holding.value for *_, holding in rows if holding.value is not None]
    return sum(values, ZERO) if values else None


def _sum(parts: Iterable[Sequence[Holding]]) -> Decimal:
    return sum((one.value for part in parts for one in part if one.value is not None), ZERO)


def _units(rows: Iterable[_Row]) -> Decimal:
    return sum((holding.units for *_, holding in rows), ZERO)


def _unpriced(rows: Iterable[_Row]) -> set[str]:
    return {holding.token for *_, holding in rows if holding.value is None and holding.units}


def _largest_first(row: dict[str, Any]) -> tuple[bool, Decimal]:
    value = row["total_value"]
    return value is None, -(value or ZERO)


def _percent(part: Decimal | None, total: Decimal) -> float | None:
    if part is None:
        return None
    return round(float(part / total * 100), 4) if total else 0.0
