"""The simulated exchange: spot and perpetual markets in Binance's protocol, and their connectors."""
