"""The catalogue of connectors."""

from aviary.actors.messages.connectors import (
    GetConfigMap,
    GetConnectorDetails,
    GetOrderTypes,
    GetTradingRules,
    ListConnectors,
    ListMarkets,
)
from aviary.http.routing import Row
from aviary.http.views.accounts import KeyFields

CATALOGUE = "market/catalogue"

BY_NAME = {"name": "connector_name"}

ROWS = (
    Row("GET", "/connectors/", ListConnectors, CATALOGUE),
    Row("GET", "/connectors/{connector_name}/config-map", GetConfigMap, CATALOGUE, answers=KeyFields),
    Row("GET", "/connectors/{connector_name}/trading-rules", GetTradingRules, CATALOGUE),
    Row("GET", "/connectors/{connector_name}/order-types", GetOrderTypes, CATALOGUE),
    # As the released server documents them.
    Row("GET", "/connectors", ListConnectors, CATALOGUE),
    Row("GET", "/connectors/{name}", GetConnectorDetails, CATALOGUE, names=BY_NAME),
    Row("GET", "/connectors/{name}/markets", ListMarkets, CATALOGUE, names=BY_NAME),
)
