"""How often one may ask, and how often one may try to sign in.

Counting is in fixed windows, by the library `limits`. A URI says where the counts are: `memory://` for one worker, `counts:///path`
for several workers of one machine (see `counts`), `redis://host/0` for several machines.
When a shared storage cannot be reached, a worker counts alone until it can: a cache that is down must not close the service.
"""

import hashlib
import logging
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from recbole_llmfb.errors import AccessError, UsageError
from recbole_llmfb.serving.access import counts as _counts  # noqa: F401 - makes `counts://` known to the library
from recbole_llmfb.serving.access.principal import Principal
from recbole_llmfb.serving.access.settings import LoginSettings, RateSettings

_log = logging.getLogger(__name__)


class Limits:
    """Counts requests by principal and attempts to sign in by name and address."""

    def __init__(self, uri: str = "memory://", rates: RateSettings | None = None, logins: LoginSettings | None = None) -> None:
        """uri: see the module.

        Raises:
            UsageError: no storage can be made of the URI.
        """
        self._shared, self._own = _limiter(uri), FixedWindowRateLimiter(MemoryStorage())
        self._rates = {scope: parse_many(rate) for scope, rate in (rates or RateSettings()).model_dump().items()}
        self._logins = {by: parse_many(rate) for by, rate in (logins or LoginSettings()).model_dump().items()}

    def admit(self, principal: Principal) -> None:
        """Count a request.

        Raises:
            AccessError: 429 with Retry-After, one too many.
        """
        for rate in self._rates[principal.scope]:
            self._hit(rate, f"more than {_words(rate)} from {principal.name}", "ask", principal.name)

    def attempt(self, name: str, address: str) -> None:
        """Count an attempt to sign in, before the password is looked at, so that attempts at once cannot outrun the count.

        The limit of a name from anywhere is generous, or strangers could lock its owner out; that of a pair is not.

        Raises:
            AccessError: 429 with Retry-After, one too many.
        """
        for by, identifiers in _attempt(name, address):
            for rate in self._logins[by]:
                self._hit(rate, "too many attempts to sign in", by, *identifiers)

    def forgive(self, name: str, address: str) -> None:
        """Forget the attempts with a name from an address, after one that was right."""
        for limiter in (self._shared, self._own):
            for rate in self._logins["pair"]:
                with suppress(StorageError):
                    limiter.clear(rate, "pair", *(_short(one) for one in (name, _network(address))))

    def _hit(self, rate: RateLimitItem, problem: str, *identifiers: str) -> None:
        key = [identifiers[0], *(_short(one) for one in identifiers[1:])]
        try:
            is_in, limiter = self._shared.hit(rate, *key), self._shared
        except StorageError as error:
            _log.warning("shared rate limits cannot be reached, this worker counts alone: %s", error.storage_error)
            is_in, limiter = self._own.hit(rate, *key), self._own
        if not is_in:
            try:
                ends = limiter.get_window_stats(rate, *key).reset_time
            except StorageError:
                ends = time.time() + rate.get_expiry()
            seconds = max(1, math.ceil(ends - time.time()))
            raise AccessError(429, f"{problem}: try again in {seconds} s", {"Retry-After": str(seconds)})


def _limiter(uri: str) -> FixedWindowRateLimiter:
    try:
        return FixedWindowRateLimiter(storage_from_string(uri, wrap_exceptions=True))
    except (ConfigurationError, ValueError, OSError) as error:
        remedy = "give memory://, counts:///path/to/file, or redis://host/0 (pip install 'recbole-llmfb[redis]')"
        raise UsageError(f"limits {uri.partition('://')[0]}://...: no such storage ({type(error).__name__}); {remedy}") from error


def _attempt(name: str, address: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    network = _network(address)
    yield from (("address", (network,)), ("pair", (name, network)), ("name", (name,)))


def _network(address: str) -> str:
    """An IPv6 customer has 2^64 addresses, which count as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((int(parsed) >> 64 << 64, 64)))


def _words(rate: RateLimitItem) -> str:
    return f"{rate.amount} requests in {rate.get_expiry()} s"


def _short(identifier: str) -> str:
    """Of bounded length, and no name in a storage that others may read."""
    return hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
