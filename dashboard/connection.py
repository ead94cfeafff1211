"""The service, as this browser's session may use it, and what a page says when it cannot."""

import os
from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from dashboard.words import Language, word
from recbole_llmfb import Client, LlmfbError

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
    """In which language this session reads."""
    chosen: Language = st.session_state.get("language_now", "en")
    return chosen


def say(name: str) -> str:
    """Words of this session's language; see `words.word`."""
    return word(name, language())


def service_url() -> str:
    """Where the service is."""
    return os.environ.get("LLMFB_SERVICE_URL", "http://127.0.0.1:8000")


def is_mounted() -> bool:
    """Whether the console runs inside the service, which then signs in and out with its own cookie."""
    return os.environ.get("LLMFB_CONSOLE") == "mounted"


def session_token() -> str | None:
    """The proof of who is signed in: the service's cookie, or what signing in on this page gave."""
    signed_in: str | None = st.session_state.get("session_token")
    return signed_in or next((value for name in _COOKIES if (value := st.context.cookies.get(name))), None)


def client() -> Client:
    """The client of this browser's session; a new one when somebody else signs in."""
    who = (service_url(), session_token())
    kept: tuple[tuple[str, str | None], Client] | None = st.session_state.get("client")
    if kept is None or kept[0] != who:
        kept = (who, Client(who[0], session=who[1], retries=1))
        st.session_state["client"] = kept
    return kept[1]


def ask(question: Callable[[Client], Answer]) -> Answer | None:
    """The answer to a question; None after saying on the page what went wrong."""
    try:
        return question(client())
    except LlmfbError as error:
        tell(error)
        return None


def tell(error: LlmfbError) -> None:
    """What went wrong and what to try. The service's own sentence may quote ids, so it is no markdown."""
    status = getattr(error, "status", None)
    name = _PROBLEMS.get(status, "failed") if status else "away"
    st.error(say(name), icon=":material/error:")
    if name in ("invalid", "not_found", "forbidden", "failed"):
        st.text(getattr(error, "detail", None) or str(error))
