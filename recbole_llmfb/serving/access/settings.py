"""What an operator decides about access, in one TOML file; every value has a default that keeps strangers out.

limits = "redis://cache/0"             # where several workers count together; see `limits`
origins = ["https://console.example"]  # where browsers see the console, if a proxy changes the Host
proxies = ["10.0.0.5"]                 # what stands in front, and says in X-Forwarded-For who signs in
[rates]
user = "300/minute"
[session]
idle_minutes = 120
hours = 12
[tokens]                               # JSON Web Tokens of an outer identity provider
issuer = "https://id.example/"
audience = "recbole-llmfb"
algorithms = ["RS256"]
jwks_url = "https://id.example/jwks"
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, ValidationError, model_validator

from recbole_llmfb.errors import DataError

SYMMETRIC = ("HS256", "HS384", "HS512")
Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


def _rate(value: str) -> str:
    try:
        parse_many(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no rate: give one such as 300/minute") from error
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{value!r} is no origin: give one such as https://console.example, without a path")
    return value.lower()


Rate = Annotated[str, AfterValidator(_rate)]
Origin = Annotated[str, AfterValidator(_origin)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RateSettings(_Settings):
    """How often one key, account or token may ask, by its scope."""

    user: Rate = "300/minute"
    operator: Rate = "60000/minute"
    admin: Rate = "60000/minute"


class LoginSettings(_Settings):
    """How often somebody may try to sign in: with one name from one address, with one name, and from one address."""

    pair: Rate = "10/5 minute"
    name: Rate = "100/5 minute"
    address: Rate = "50/5 minute"


class SessionSettings(_Settings):
    """When a session of the console ends: after that long without a request, and in any case."""

    idle_minutes: int = Field(default=120, ge=1)
    hours: int = Field(default=12, ge=1)


class TokenSettings(_Settings):
    """Which tokens of an identity provider are believed.

    algorithms: fixed here and never taken from a token; all secret-key (HS) or all public-key.
    key_file: the shared secret (HS, at least as long as the hash), or a public key as PEM.
    jwks_url: where the provider lists its public keys.
    leeway_seconds: by how much the two clocks may differ.
    scope_claim: the claim, a list or words between blanks, that names the scope.
    scope_prefix: what stands before `user`, `operator` or `admin` there.
    user_claim: whose the scope `user` is.
    """

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    algorithms: tuple[Algorithm, ...] = Field(min_length=1)
    key_file: Path | None = None
    jwks_url: str | None = None
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    scope_claim: str = "scope"
    scope_prefix: str = ""
    user_claim: str = "sub"

    @property
    def is_symmetric(self) -> bool:
        return self.algorithms[0] in SYMMETRIC

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Self:
        if len({algorithm in SYMMETRIC for algorithm in self.algorithms}) > 1:
            raise ValueError(
                f"algorithms {list(self.algorithms)} mix secret and public keys: a public key would pass for a secret"
            )
        if (self.key_file is None) == (self.jwks_url is None):
            raise ValueError("give either key_file or jwks_url")
        if self.jwks_url is not None:
            parts = urlsplit(self.jwks_url)
            if self.is_symmetric:
                raise ValueError("HS algorithms need key_file: a secret is not published at jwks_url")
            if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in ("localhost", "127.0.0.1", "::1")):
                raise ValueError(f"jwks_url {self.jwks_url!r} must be https")
        return self


class AccessSettings(_Settings):
    """See the module. limits: a storage of the library `limits`, or `counts:///path`, by URI."""

    limits: str = "memory://"
    origins: tuple[Origin, ...] = ()
    proxies: tuple[IPvAnyNetwork, ...] = ()
    rates: RateSettings = RateSettings()
    logins: LoginSettings = LoginSettings()
    session: SessionSettings = SessionSettings()
    tokens: TokenSettings | None = None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a TOML file.

        Raises:
            DataError: the file cannot be read, is no TOML, or has a key or value that does not belong there.
        """
        try:
            return cls.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise DataError(path, None, error.strerror or str(error), remedy="name a file of access settings") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(path, None, f"no TOML ({error})", remedy="see docs/operating.md for an example") from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "settings"
            raise DataError(path, None, f"{key}: {first['msg']}", remedy="correct it") from error
