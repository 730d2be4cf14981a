"""Markets: feeds, candles, order books and what connectors trade."""
