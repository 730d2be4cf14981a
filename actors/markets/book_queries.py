"""The questions that clients ask of an order book, answered from its levels."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aviary.actors.markets.order_book import Take, levels_of, reaches, take_quote, take_to_price, take_volume
from aviary.actors.messages.market_data import (
    BookQuestion,
    GetPriceForQuoteVolume,
    GetPriceForVolume,
    GetQuoteVolumeForPrice,
    GetVolumeForPrice,
    GetVwapForVolume,
)


def answer_to(question: BookQuestion, book: Mapping[str, Any], *, whole: bool) -> dict[str, float | None] | None:
    """The fields of the answer, from the side that would be traded against.

    `None` if more levels are needed than are given, unless these are the `whole` book.
    """
    levels = levels_of(book["asks" if question.is_buy else "bids"])
    match question:
        case GetPriceForVolume(volume=volume) | GetVwapForVolume(volume=volume):
            take = take_volume(levels, _decimal(volume))
            asked = {"query_volume": volume}
        case GetPriceForQuoteVolume(quote_volume=quote):
            take = take_quote(levels, _decimal(quote))
            asked = {"query_quote_volume": quote}
        case GetVolumeForPrice(price=price) | GetQuoteVolumeForPrice(price=price):
            take = take_to_price(levels, _decimal(price), is_buy=question.is_buy)
            asked = {"query_price": price}
            if not whole and not reaches(levels, _decimal(price), is_buy=question.is_buy):
                return None
        case _:
            raise TypeError(f"not a question about a book: {type(question).__name__}")
    if not take.enough and not whole:
        return None
    return {**asked, **_numbers(take)}


def _numbers(take: Take) -> dict[str, float | None]:
    return {
        "result_price": float(take.worst) if take.enough and take.worst is not None else None,
        "result_volume": float(take.volume),
        "result_quote_volume": float(take.quote),
        "average_price": float(take.average) if take.enough and take.average is not None else None,
    }


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))
