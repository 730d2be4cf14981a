"""Orders, trades and positions."""

from aviary.actors.messages.trading import (
    CancelOrder,
    CancelOrderById,
    ClosePosition,
    GetPositionMode,
    ListActiveOrders,
    ListFundingPayments,
    ListPage,
    ListPositions,
    ListTrades,
    PlaceOrder,
    SearchOrders,
    SetLeverage,
    SetPositionMode,
)
from aviary.http.routing import Row
from aviary.http.views.markets import FundingPayment

TRADING = "trading"

ROWS = (
    # As the released server has them.
    Row("POST", "/trading/orders", PlaceOrder, TRADING, status=201),
    Row("POST", "/trading/orders/active", ListActiveOrders, TRADING),
    Row("POST", "/trading/orders/search", SearchOrders, TRADING),
    Row("POST", "/trading/trades", ListTrades, TRADING),
    Row("POST", "/trading/positions", ListPositions, TRADING),
    Row("POST", "/trading/funding-payments", ListFundingPayments, TRADING, answers=ListPage[FundingPayment]),
    Row(
        "POST",
        "/trading/{account_name}/{connector_name}/orders/{client_order_id}/cancel",
        CancelOrder,
        TRADING,
    ),
    Row("POST", "/trading/{account_name}/{connector_name}/leverage", SetLeverage, TRADING),
    Row("GET", "/trading/{account_name}/{connector_name}/position-mode", GetPositionMode, TRADING),
    Row("POST", "/trading/{account_name}/{connector_name}/position-mode", SetPositionMode, TRADING),
    # As it documents them.
    Row("GET", "/trading/orders", ListActiveOrders, TRADING),
    Row("DELETE", "/trading/orders/{id}", CancelOrderById, TRADING, names={"id": "client_order_id"}),
    Row("GET", "/trading/positions", ListPositions, TRADING),
    Row("GET", "/trading/history", ListTrades, TRADING),
    Row("POST", "/trading/close-position", ClosePosition, TRADING, status=201),
)
