"""Orders, trades and positions."""

from aviary.actors.messages.trading import (
    CancelOrder,
    CancelOrderById,
    ClosePosition,
    GetPositionMode,
    ListActiveOrders,
    ListFundingPayments,
    ListPositions,
    ListTrades,
    PlaceOrder,
    SearchOrders,
    SetLeverage,
    SetPositionMode,
)
from aviary.http.routing import Row

DESK = "trading"

ROWS = (
    # As the released server has them.
    Row("POST", "/trading/orders", PlaceOrder, DESK, status=201),
    Row("POST", "/trading/orders/active", ListActiveOrders, DESK),
    Row("POST", "/trading/orders/search", SearchOrders, DESK),
    Row("POST", "/trading/trades", ListTrades, DESK),
    Row("POST", "/trading/positions", ListPositions, DESK),
    Row("POST", "/trading/funding-payments", ListFundingPayments, DESK),
    Row(
        "POST",
        "/trading/{account_name}/{connector_name}/orders/{client_order_id}/cancel",
        CancelOrder,
        DESK,
    ),
    Row("POST", "/trading/{account_name}/{connector_name}/leverage", SetLeverage, DESK),
    Row("GET", "/trading/{account_name}/{connector_name}/position-mode", GetPositionMode, DESK),
    Row("POST", "/trading/{account_name}/{connector_name}/position-mode", SetPositionMode, DESK),
    # As it documents them.
    Row("GET", "/trading/orders", ListActiveOrders, DESK),
    Row("DELETE", "/trading/orders/{id}", CancelOrderById, DESK, names={"id": "client_order_id"}),
    Row("GET", "/trading/positions", ListPositions, DESK),
    Row("GET", "/trading/history", ListTrades, DESK),
    Row("POST", "/trading/close-position", ClosePosition, DESK, status=201),
)
