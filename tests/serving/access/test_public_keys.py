"""Tokens that are checked with public keys, from a file or from the list that a provider publishes."""

import hashlib
import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from test_identity_tokens import claims, unsigned

from recbole_llmfb.errors import AccessError, DataError
from recbole_llmfb.serving.access import tokens as tokens_module
from recbole_llmfb.serving.access.settings import TokenSettings
from recbole_llmfb.serving.access.tokens import Tokens

pytest.importorskip("cryptography", reason="needs the extra `tokens`")
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from cryptography.hazmat.primitives.serialization import (  # noqa: E402
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
OTHERS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
FIXED = {"issuer": "https://id.example/", "audience": "recbole-llmfb"}


def pem(key: Any) -> bytes:
    made: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return made


def from_file(folder: Path, key: bytes, *algorithms: str) -> Tokens:
    file = folder / "provider.pem"
    file.write_bytes(key)
    return Tokens(TokenSettings.model_validate({**FIXED, "algorithms": algorithms, "key_file": file}))


def signed_as_a_secret(public: bytes) -> str:
    """The confusion of algorithms: HS256 with the text of a public key as if that were a secret, by hand, as PyJWT refuses to."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "typ": "JWT"}, claims())]
    signature = hmac.new(public, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_is_believed_by_the_providers_public_key_alone(tmp_path: Path, algorithm: str) -> None:
    public = pem(KEYS[algorithm])
    tokens = from_file(tmp_path, public, algorithm)
    assert tokens.principal(jwt.encode(claims(), KEYS[algorithm], algorithm=algorithm)).name == "token:ada"
    made_elsewhere = jwt.encode(claims(), OTHERS[algorithm], algorithm=algorithm)
    secrets = [signed_as_a_secret(text) for text in (public, public.strip(), public.rstrip() + b"\n")]
    for forged in (made_elsewhere, unsigned("none"), unsigned("None"), *secrets):
        with pytest.raises(AccessError) as refused:
            tokens.principal(forged)
        assert refused.value.status == 401


def test_an_algorithm_that_is_not_in_the_settings_is_refused_though_its_key_fits(tmp_path: Path) -> None:
    tokens = from_file(tmp_path, pem(KEYS["RS256"]), "RS256")
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(AccessError, match="not valid here"):
            tokens.principal(jwt.encode(claims(), KEYS["RS256"], algorithm=algorithm))


def private_pem() -> bytes:
    made: bytes = KEYS["RS256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made


@pytest.mark.parametrize(
    ("key", "algorithms", "problem"),
    [
        (lambda: pem(KEYS["ES256"]), ["RS256"], "no key for RS256"),
        (lambda: pem(KEYS["RS256"]), ["ES256"], "no key for ES256"),
        (lambda: pem(KEYS["RS256"]), ["RS256", "ES256"], "no key for ES256"),
        (lambda: pem(ec.generate_private_key(ec.SECP384R1())), ["ES256"], "no key for ES256"),
        (lambda: pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), ["RS256"], "no key for RS256"),
        (lambda: pem(KEYS["RS256"]), ["HS256"], "no key for HS256"),
        (lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ["RS256"], "no key for RS256"),
        (lambda: b"no key at all", ["EdDSA"], "no key for EdDSA"),
        (lambda: b"", ["RS256"], "no key for RS256"),
        (private_pem, ["RS256"], "a private key"),
    ],
)
def test_a_file_that_holds_no_key_of_the_algorithm_is_refused_at_the_start(
    tmp_path: Path, key: Callable[[], bytes], algorithms: list[str], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        from_file(tmp_path, key(), *algorithms)


# -- the list of keys that a provider publishes


class Provider:
    """An identity provider's list of keys on this machine. body: what it answers, None for a connection that breaks off."""

    def __init__(self) -> None:
        self.body: bytes | None = b""
        self.asked = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                if provider.body is not None:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(provider.body)))
                    self.end_headers()
                    self.wfile.write(provider.body)

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def publish(self, **keys: Any) -> None:
        listed = []
        for name, key in keys.items():
            algorithm: Any = jwt.get_algorithm_by_name(name.partition("_")[0])
            listed.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig"})
        self.body = json.dumps({"keys": listed}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def published(provider: Provider) -> Tokens:
    url = f"http://127.0.0.1:{provider.server.server_port}/jwks"
    return Tokens(TokenSettings.model_validate({**FIXED, "algorithms": ["RS256", "ES256"], "jwks_url": url}))


def token(algorithm: str, kid: str | None, key: Any = None) -> str:
    return jwt.encode(claims(), key or KEYS[algorithm], algorithm=algorithm, headers={"kid": kid} if kid is not None else None)


def test_keys_are_read_from_the_providers_list_once(provider: Provider, published: Tokens) -> None:
    provider.publish(RS256=KEYS["RS256"], ES256=KEYS["ES256"])
    for algorithm in ("RS256", "ES256"):
        assert published.principal(token(algorithm, algorithm)).name == "token:ada"
    forged = [
        token("RS256", "RS256", OTHERS["RS256"]),
        token("RS256", "ES256"),
        token("ES256", "RS256"),
        token("RS256", "unknown"),
        token("RS256", None),
        token("EdDSA", "RS256"),
        signed_as_a_secret(pem(KEYS["RS256"])),
        unsigned("none"),
        "no token",
    ]
    for one in forged:
        with pytest.raises(AccessError) as refused:
            published.principal(one)
        assert refused.value.status == 401
    assert provider.asked == 1


@pytest.mark.parametrize(
    "body", [None, b"", b"<html>", b"[]", b"{}", b'{"keys": []}', b'{"keys": 3}', b"\xff", b'{"keys": [{"kty": "x"}]}']
)
def test_a_provider_that_gives_no_keys_is_left_alone_for_a_moment_and_asked_again(
    provider: Provider, published: Tokens, body: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may send a token: it must not have the service wait for the provider each time."""
    now = 1000.0
    monkeypatch.setattr(tokens_module.time, "monotonic", lambda: now)
    provider.body = body
    for _ in range(3):
        with pytest.raises(AccessError) as refused:
            published.principal(token("RS256", "RS256"))
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    assert provider.asked == 1
    provider.publish(RS256=KEYS["RS256"])
    now += 6
    assert published.principal(token("RS256", "RS256")).name == "token:ada"


def test_keys_that_were_read_count_while_the_provider_is_away(provider: Provider, published: Tokens) -> None:
    provider.publish(RS256=KEYS["RS256"])
    assert published.principal(token("RS256", "RS256")).name == "token:ada"
    provider.body = b"gone"
    with pytest.raises(AccessError):
        published.principal(token("RS256", "another"))
    assert published.principal(token("RS256", "RS256")).name == "token:ada"
