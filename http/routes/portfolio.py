"""What the accounts hold."""

from aviary.actors.messages.portfolio import GetAccountDistribution, GetPortfolioState, GetTokenDistribution
from aviary.http.routing import Row
from aviary.http.views.portfolio import AccountDistribution, TokenDistribution

PORTFOLIO = "portfolio"

ROWS = (
    Row("POST", "/portfolio/state", GetPortfolioState, PORTFOLIO),
    Row("POST", "/portfolio/distribution", GetTokenDistribution, PORTFOLIO, answers=TokenDistribution),
    Row("GET", "/portfolio/accounts-distribution", GetAccountDistribution, PORTFOLIO, answers=AccountDistribution),
    # As the released server documents them.
    Row("GET", "/portfolio/balances", GetPortfolioState, PORTFOLIO),
    Row("GET", "/portfolio/distribution", GetTokenDistribution, PORTFOLIO, answers=TokenDistribution),
)
