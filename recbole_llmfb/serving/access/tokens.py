"""JSON Web Tokens of an outer identity provider (RFC 7519, with the advice of RFC 8725)."""

from typing import Any

import jwt
from jwt.algorithms import has_crypto
from pydantic import TypeAdapter, ValidationError

from recbole_llmfb.errors import AccessError, DataError, MissingExtraError
from recbole_llmfb.serving.access.principal import SCOPES, Principal
from recbole_llmfb.serving.access.settings import TokenSettings
from recbole_llmfb.serving.access.words import Name, UserId

_REQUIRED = ["exp", "iss", "aud", "sub"]
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_USER: TypeAdapter[str] = TypeAdapter(UserId)


class Tokens:
    """Believes tokens as its settings say. Reaches the network only for `jwks_url`, at most every few minutes."""

    def __init__(self, settings: TokenSettings) -> None:
        """
        Raises:
            DataError: the key file is missing, or shorter than the algorithm's hash.
            MissingExtraError: public-key algorithms need the library cryptography.
        """
        if not settings.is_symmetric and not has_crypto:
            raise MissingExtraError(f"tokens with {settings.algorithms[0]}", "cryptography", extra="tokens")
        self._settings, self._key = settings, _read_key(settings)
        self._published = jwt.PyJWKClient(settings.jwks_url, timeout=5) if settings.jwks_url else None

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
            raise AccessError(503, "the identity provider's keys cannot be read now: try again", {"Retry-After": "5"}) from error
        except jwt.PyJWTError as error:
            raise AccessError(401, f"the token is not valid here: {error}", _INVALID) from error


def _read_key(settings: TokenSettings) -> bytes:
    if settings.key_file is None:
        return b""
    try:
        key = settings.key_file.read_bytes().strip()
    except OSError as error:
        raise DataError(
            settings.key_file, None, error.strerror or str(error), remedy="name the file of the tokens' key"
        ) from error
    need = int(settings.algorithms[0][2:]) // 8 if settings.is_symmetric else 1
    if len(key) < need:
        raise DataError(settings.key_file, None, f"a key of {len(key)} bytes", remedy=f"{settings.algorithms[0]} needs {need}")
    return key


def _words(claim: object) -> set[str]:
    listed = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return {word for word in listed if isinstance(word, str)}
