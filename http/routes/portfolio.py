"""What the accounts hold."""

from aviary.actors.messages.portfolio import GetAccountDistribution, GetPortfolioState, GetTokenDistribution
from aviary.http.routing import Row

PORTFOLIO = "portfolio"

ROWS = (
    Row("POST", "/portfolio/state", GetPortfolioState, PORTFOLIO),
    Row("POST", "/portfolio/distribution", GetTokenDistribution, PORTFOLIO),
    Row("GET", "/portfolio/accounts-distribution", GetAccountDistribution, PORTFOLIO),
    # As the released server documents them.
    Row("GET", "/portfolio/balances", GetPortfolioState, PORTFOLIO),
    Row("GET", "/portfolio/distribution", GetTokenDistribution, PORTFOLIO),
)
