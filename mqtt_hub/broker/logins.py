"""Failed logins make whoever sends them wait, and nobody else. Pure: the time is passed in.

::

    CONNECT ──▶ wait_s(address, name) ── 0: ask the authenticator ──▶ failed | succeeded
                        └── more: return code 3, unverified

Of an address ``login_failures_free_max`` failures are free; each further one makes it wait: 1 s, 2 s, 4 s … up to
``login_backoff_s_max``. A name
that fails from many addresses waits in the same way, but only where the *address* has failed before: the first
login from an address without failures is always verified. So nobody can lock an account out by failing under its
name, and many addresses together buy one guess each. What is refused unverified prolongs no wait; a success
forgives its address and its name. Memory is bounded: names are kept as digests, the longest quiet is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address

from mqtt_hub.broker.limits import Limits

__all__ = ["LoginThrottle", "RefusedError", "address_group"]

_IPV6_PREFIX_BYTES = 8  # one network is given at least a /64, so its addresses are one sender's


class RefusedError(Exception):
    """A CONNECT that is answered with a return code above 0 (3.2.2.3)."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


def address_group(address: str) -> str:
    """Return what counts as one address: an IPv4 address, an IPv6 /64, or the text if it is neither."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return parsed.packed[:_IPV6_PREFIX_BYTES].hex()
        parsed = parsed.ipv4_mapped
    return str(parsed)


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float
    free_at_s: float


class _Book:
    """Failures by key, the longest quiet first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures: OrderedDict[bytes, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def left_s(self, key: bytes, now_s: float) -> float | None:
        """Return how long the key must wait, or None if it has not failed."""
        failures = self._failures.get(key)
        if failures is None:
            return None
        if now_s - failures.last_s > self._limits.login_memory_s:
            del self._failures[key]
            return None
        left_s = max(failures.free_at_s - now_s, 0.0)
        return min(left_s, self._limits.login_backoff_s_max)  # a sum and a difference of floats may be a hair more

    def add(self, key: bytes, now_s: float) -> None:
        failures = self._failures.setdefault(key, _Failures(0, now_s, now_s))
        self._failures.move_to_end(key)
        failures.count += 1
        failures.last_s = now_s
        beyond = failures.count - self._limits.login_failures_free_max
        if beyond > 0:
            failures.free_at_s = now_s + min(2.0 ** min(beyond - 1, 32), self._limits.login_backoff_s_max)
        if len(self._failures) > self._limits.login_keys_max:
            self._failures.popitem(last=False)

    def forget(self, now_s: float) -> None:
        while self._failures:
            key, oldest = next(iter(self._failures.items()))
            if now_s - oldest.last_s <= self._limits.login_memory_s:
                return
            del self._failures[key]

    def forgive(self, key: bytes) -> None:
        self._failures.pop(key, None)


class LoginThrottle:
    """Who has to wait before the next login is verified."""

    def __init__(self, limits: Limits) -> None:
        self._addresses = _Book(limits)
        self._names = _Book(limits)

    def __len__(self) -> int:
        """Return how many addresses and names are remembered."""
        return len(self._addresses) + len(self._names)

    def wait_s(self, address: str, name: str, now_s: float) -> float:
        """Return for how long a login is not to be verified; 0 if it is."""
        by_address = self._addresses.left_s(_key(address_group(address)), now_s)
        if by_address is None:  # never failed, so it is not what the name suffers from
            return 0.0
        return max(by_address, self._names.left_s(_key(name), now_s) or 0.0)

    def failed(self, address: str, name: str, now_s: float) -> None:
        """Note a login that the authenticator refused."""
        self._addresses.add(_key(address_group(address)), now_s)
        self._names.add(_key(name), now_s)

    def succeeded(self, address: str, name: str) -> None:
        """Forget the failures of an address and of a name."""
        self._addresses.forgive(_key(address_group(address)))
        self._names.forgive(_key(name))

    def forget(self, now_s: float) -> None:
        """Forget all failures of long ago."""
        self._addresses.forget(now_s)
        self._names.forget(now_s)


def _key(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
