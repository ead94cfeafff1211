"""JSON Web Tokens of an outer identity provider (RFC 7519, with the advice of RFC 8725)."""

import time
from typing import Any

import jwt
from jwt.algorithms import has_crypto
from pydantic import TypeAdapter, ValidationError

from recbole_llmfb.errors import AccessError, DataError, MissingExtraError
from recbole_llmfb.serving.access.principal import SCOPES, Principal
from recbole_llmfb.serving.access.settings import TokenSettings
from recbole_llmfb.serving.access.words import Name, UserId

_REQUIRED = ["exp", "iss", "aud", "sub"]
_AWAY_SECONDS = 5
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_USER: TypeAdapter[str] = TypeAdapter(UserId)


class Tokens:
    """Believes tokens as its settings say. Reaches the network only for `jwks_url`; see `Published`."""

    def __init__(self, settings: TokenSettings) -> None:
        """
        Raises:
            DataError: the key file is missing, holds no key of an algorithm or a private one, or a key that is too short.
            MissingExtraError: public-key algorithms need the library cryptography.
        """
        if not settings.is_symmetric and not has_crypto:
            raise MissingExtraError(f"tokens with {settings.algorithms[0]}", "cryptography", extra="tokens")
        self._settings, self._key = settings, _read_key(settings)
        self._published = Published(settings.jwks_url, timeout=5) if settings.jwks_url else None

    def principal(self, token: str) -> Principal:
        """Whom a token lets in.

        Raises:
            AccessError: 401, the token is not valid here; 403, it names no scope of this service; 503, the provider is away.
        """
        claims = self._claims(token)
        granted = _words(claims.get(self._settings.scope_claim))
        scope = next((one for one in reversed(SCOPES) if self._settings.scope_prefix + one in granted), None)
        if scope is None:
            wanted = ", ".join(self._settings.scope_prefix + one for one in SCOPES)
            raise AccessError(403, f"the token's claim {self._settings.scope_claim!r} names none of {wanted}")
        try:
            name = f"token:{_NAME.validate_python(claims['sub'])}"
            user = _USER.validate_python(claims.get(self._settings.user_claim)) if scope == "user" else None
        except ValidationError as error:
            raise AccessError(401, f"the token names nobody: {error.errors()[0]['msg']}", _INVALID) from error
        return Principal(name, scope, user)

    def _claims(self, token: str) -> dict[str, Any]:
        settings = self._settings
        try:
            return jwt.decode(
                token,
                self._published.get_signing_key_from_jwt(token).key if self._published else self._key,
                algorithms=list(settings.algorithms),
                issuer=settings.issuer,
                audience=settings.audience,
                leeway=settings.leeway_seconds,
                options={"require": _REQUIRED, "enforce_minimum_key_length": True},
            )
        except jwt.PyJWKClientConnectionError as error:
            wait = {"Retry-After": str(_AWAY_SECONDS)}
            raise AccessError(503, "the identity provider's keys cannot be read now: try again", wait) from error
        except (jwt.PyJWTError, TypeError) as error:  # TypeError: it names a published key of another kind than its algorithm's
            raise AccessError(401, f"the token is not valid here: {error}", _INVALID) from error


class Published(jwt.PyJWKClient):
    """The keys that a provider lists: read again after five minutes, or after half a minute when a token names an unknown one.

    A provider that does not answer is left alone for a few seconds, so that tokens, which anybody can send, do not hold up the
    service with waiting for it.
    """

    _again = 0.0

    def fetch_data(self) -> Any:
        """Raises PyJWKClientConnectionError where no list of keys comes."""
        if time.monotonic() < self._again:
            raise jwt.PyJWKClientConnectionError("the provider did not answer a moment ago")
        try:
            return super().fetch_data()
        except (jwt.PyJWKClientError, jwt.PyJWKSetError, OSError, ValueError) as error:
            self._again = time.monotonic() + _AWAY_SECONDS
            raise jwt.PyJWKClientConnectionError(f"no list of keys came ({type(error).__name__})") from error


def _read_key(settings: TokenSettings) -> bytes:
    if settings.key_file is None:
        return b""
    try:
        key = settings.key_file.read_bytes().strip()
    except OSError as error:
        raise DataError(
            settings.key_file, None, error.strerror or str(error), remedy="name the file of the tokens' key"
        ) from error
    if b"PRIVATE KEY" in key:
        raise DataError(settings.key_file, None, "a private key", remedy="give the public one: tokens are only checked here")
    for name in settings.algorithms:
        problem = _why_no_key(name, key)
        if problem is not None:
            raise DataError(settings.key_file, None, f"no key for {name} ({problem})", remedy="give the provider's key as it is")
    return key


def _why_no_key(name: str, key: bytes) -> str | None:
    algorithm = jwt.get_algorithm_by_name(name)
    try:
        return algorithm.check_key_length(algorithm.prepare_key(key))
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        return str(error) or type(error).__name__


def _words(claim: object) -> set[str]:
    listed = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return {word for word in listed if isinstance(word, str)}
