"""Secrets that the service makes: random, shown once, and stored as a hash alone.

They have 256 bits from the system's generator, so that a fast hash is enough; passwords, which people choose, are hashed slowly
in `accounts`.
"""

import hashlib
import hmac
from secrets import token_urlsafe

_BYTES = 32


def new_secret() -> str:
    return token_urlsafe(_BYTES)


def hashed(secret: str) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_hash_of(stored: str, secret: str) -> bool:
    """Compares in a time that does not tell where the two differ."""
    return hmac.compare_digest(stored, hashed(secret))
