"""What the accounts hold and held, and how they have done."""

from collections.abc import Mapping

from aviary.actors.core.refusal import Invalid, Refusal
from aviary.actors.messages.portfolio import GetAccountDistribution, GetPortfolioState, GetTokenDistribution
from aviary.actors.messages.portfolio_history import GetPortfolioHistory, GetPortfolioPerformance
from aviary.http.routing import Row
from aviary.http.views.portfolio import AccountDistribution, TokenDistribution

PORTFOLIO = "portfolio"

HISTORY = "portfolio-history"

UNREADABLE: Mapping[type[Refusal], int] = {Invalid: 422}
"""A cursor or a time that makes no sense is told as any other field that can't be read."""

ROWS = (
    Row("POST", "/portfolio/state", GetPortfolioState, PORTFOLIO),
    Row("POST", "/portfolio/distribution", GetTokenDistribution, PORTFOLIO, answers=TokenDistribution),
    Row("GET", "/portfolio/accounts-distribution", GetAccountDistribution, PORTFOLIO, answers=AccountDistribution),
    Row("POST", "/portfolio/history", GetPortfolioHistory, HISTORY, refusals=UNREADABLE),
    # As the released server documents them.
    Row("GET", "/portfolio/balances", GetPortfolioState, PORTFOLIO),
    Row("GET", "/portfolio/distribution", GetTokenDistribution, PORTFOLIO, answers=TokenDistribution),
    Row("GET", "/portfolio/history", GetPortfolioHistory, HISTORY, refusals=UNREADABLE),
    Row("GET", "/portfolio/performance", GetPortfolioPerformance, HISTORY, refusals=UNREADABLE),
)
