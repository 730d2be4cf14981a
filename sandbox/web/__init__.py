"""The exchange's network side: Binance's REST and websocket protocols over HTTP, and the admin API."""
