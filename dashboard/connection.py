"""The service, as this browser's session may use it, and what a page says when it cannot."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from dashboard.words import LANGUAGES, Language, word
from recbole_llmfb import Client, LlmfbError, ServiceError

_COOKIES = ("__Host-llmfb_session", "llmfb_session")
_PROBLEMS = {
    401: "session_over",
    403: "forbidden",
    404: "not_found",
    409: "invalid",
    422: "invalid",
    429: "too_many",
    503: "away",
}

Answer = TypeVar("Answer")


def language() -> Language:
    """In which language this session reads: what its switch says."""
    chosen: str | None = st.session_state.get("language")
    return LANGUAGES[chosen or next(iter(LANGUAGES))]


def say(name: str) -> str:
    """Words of this session's language; see `words.word`."""
    return word(name, language())


def service_url() -> str:
    """Where the service is."""
    return os.environ.get("LLMFB_SERVICE_URL", "http://127.0.0.1:8000")


def is_mounted() -> bool:
    """Whether the console runs inside the service, which then signs in and out with its own cookie."""
    return os.environ.get("LLMFB_CONSOLE") == "mounted"


@dataclass(frozen=True, slots=True)
class Proof:
    """Who is signed in: the token of a session, or that of an identity provider, or neither (at first start)."""

    session: str | None = None
    provider: str | None = None


def proof() -> Proof:
    """What signing in gave, on this page before at the identity provider before at the service's own door (its cookie)."""
    signed_in: str | None = st.session_state.get("session_token")
    if signed_in:
        return Proof(session=signed_in)
    token = provider_token()
    if token:
        return Proof(provider=token)
    return Proof(session=next((value for name in _COOKIES if (value := st.context.cookies.get(name))), None))


def has_provider() -> bool:
    """Whether an identity provider is configured for `st.login`: the section `auth` of Streamlit's secrets.toml."""
    return hasattr(st.user, "is_logged_in")


def provider_token() -> str | None:
    """The token that the identity provider gave whoever is signed in there; `expose_tokens` must let the console have it."""
    if not has_provider() or not st.user.is_logged_in:
        return None
    token: str | None = st.user.tokens.get("id")
    return token


def client() -> Client:
    """The client of this browser's session; a new one when somebody else signs in.

    Raises:
        LlmfbError: the address of the service cannot be one.
    """
    who = (service_url(), proof())
    kept: tuple[tuple[str, Proof], Client] | None = st.session_state.get("client")
    if kept is None or kept[0] != who:
        made = Client(who[0], session=who[1].session, key=who[1].provider, retries=1)
        if kept is not None:
            kept[1].close()
        kept = (who, made)
        st.session_state["client"] = kept
    return kept[1]


def ask(question: Callable[[Client], Answer]) -> Answer | None:
    """The answer to a question; None after saying on the page what went wrong."""
    try:
        return question(client())
    except LlmfbError as error:
        tell(error)
        return None


def tell(error: LlmfbError, unknown: str = "session_over") -> None:
    """What went wrong and what to try. The service's own sentence may quote ids, so it is no markdown.

    unknown: the words for a proof that does not count.
    """
    name, detail = "bad_address", str(error)
    if isinstance(error, ServiceError):
        name = "away" if error.status is None else {**_PROBLEMS, 401: unknown}.get(error.status, "failed")
        detail = error.detail
    st.error(say(name), icon=":material/error:")
    if name in ("invalid", "not_found", "forbidden", "failed", "bad_address"):
        st.text(detail)
