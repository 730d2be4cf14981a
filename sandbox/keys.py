"""API keys and the signatures made with their secrets."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from decimal import Decimal

from aviary.sandbox.instruments import DEFAULT_BALANCES, Market
from aviary.sandbox.refusals import Refused, bad_key, bad_signature
from aviary.sandbox.store import Store
from aviary.sandbox.venue import Venue

PREFIX = "sandbox"
"""Keys that begin so need not be created; their secret is whatever signs the first request."""

_LEGAL = re.compile(r"[A-Za-z0-9_.-]{1,128}")

_UNSIGNED = ""
"""The secret of a key that is known but has not signed anything yet."""


class Keys:
    """The known keys. A key opens accounts in both markets at once."""

    def __init__(self, store: Store, venues: Mapping[Market, Venue]) -> None:
        self._store = store
        self._venues = venues
        self._secrets = store.keys()

    def create(
        self, key: str | None, secret: str | None, balances: Mapping[Market, Mapping[str, Decimal]]
    ) -> tuple[str, str]:
        """Create a key with balances of its own; gives key and secret. Refused if the key is known or malformed."""
        key = key or secrets.token_hex(16)
        secret = secret or secrets.token_hex(16)
        if not _LEGAL.fullmatch(key) or key in self._secrets:
            raise Refused(-2014, "API-key format invalid or already in use.")
        self._open(key, secret, balances)
        return key, secret

    def known(self, key: str | None) -> str:
        """The key itself, opened if it begins with `PREFIX`; refused if it is unknown."""
        if key is None or not _LEGAL.fullmatch(key):
            raise bad_key()
        if key not in self._secrets:
            if not key.startswith(PREFIX):
                raise bad_key()
            self._open(key, _UNSIGNED, {})
        return key

    def verify(self, key: str, payloads: list[str], signature: str, introduced: str | None = None) -> None:
        """Check that a signature is that of one of the payloads, which are the same request written differently.

        A key that was not created has no secret yet. The sandbox's connectors introduce theirs with each
        request, and the first one is kept; until then, any signature is taken.
        """
        secret = self._secrets[key]
        if secret == _UNSIGNED:
            if not introduced:
                return
            secret = introduced
        for payload in payloads:
            expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
            if hmac.compare_digest(expected.encode(), signature.lower().encode()):
                if self._secrets[key] == _UNSIGNED:
                    self._secrets[key] = secret
                    with self._store.transaction():
                        self._store.write_key(key, secret)
                return
        raise bad_signature()

    def _open(self, key: str, secret: str, balances: Mapping[Market, Mapping[str, Decimal]]) -> None:
        with self._store.transaction():
            self._secrets[key] = secret
            self._store.write_key(key, secret)
            for market, venue in self._venues.items():
                venue.wallets.open(key, balances.get(market, DEFAULT_BALANCES[market]))
                venue.wallets.collect_touched()
