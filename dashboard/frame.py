"""What stands around every page: the language, signing in and out."""

from typing import Any

import streamlit as st

from dashboard.connection import Proof, ask, client, has_provider, is_mounted, proof, provider_token, say, tell
from dashboard.theme import emphasis
from dashboard.words import LANGUAGES
from recbole_llmfb import Client, LlmfbError

_SIGN_OUT = st.components.v2.component(
    "llmfb_sign_out",
    html="""<button type="button"></button>
""",
    css="""button { all: unset; cursor: pointer; font-family: var(--st-font); font-size: 14px; color: var(--st-link-color);
  text-decoration: underline; }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
""",
    js="""export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button")
  button.textContent = data.label
  button.onclick = () => fetch("/logout", { method: "POST" }).finally(() => location.reload())
}
""",
)


def choose_language() -> None:
    """A switch in the side bar; at first the browser's language."""
    languages = list(LANGUAGES)
    if "language" not in st.session_state:
        st.session_state["language"] = languages[(st.context.locale or "").lower().startswith("zh")]
    with st.sidebar:
        st.segmented_control(say("language"), languages, key="language", label_visibility="collapsed", required=True)


def identify() -> Any:
    """Who is signed in, as the service says (`name`, `scope`); until somebody is, the page is a form to sign in."""
    try:
        return client().me()
    except LlmfbError as error:
        if getattr(error, "status", None) != 401:
            tell(error)
            st.button(say("try_again"))
            st.stop()
    st.session_state.pop("session_token", None)
    _sign_in()
    st.stop()


def _sign_in() -> None:
    st.title(say("console"))
    if is_mounted():  # the page itself is behind the service's door: loading it again shows the door
        st.warning(say("session_over"))
        _SIGN_OUT(key="sign_in_again", data={"label": say("sign_in")})
        return
    if has_provider():
        _sign_in_elsewhere()
    with st.form("sign_in", width=420):
        name = st.text_input(say("name"), autocomplete="username")
        password = st.text_input(say("password"), type="password", autocomplete="current-password")
        if st.form_submit_button(say("sign_in"), type=emphasis()):
            try:
                st.session_state["session_token"] = client().login(name, password)
            except LlmfbError as error:
                tell(error, unknown="wrong_password")
            else:
                st.rerun()


def _sign_in_elsewhere() -> None:
    """By the identity provider; what it says of somebody, the service must take as well."""
    if not st.user.is_logged_in:
        st.button(say("sign_in_elsewhere"), icon=":material/passkey:", on_click=st.login)
        return
    st.error(say("not_taken" if provider_token() else "not_exposed"), icon=":material/error:")
    st.button(say("sign_out"), on_click=st.logout)


def show_account(me: Any) -> None:
    """In the side bar: who is signed in, and the way out."""
    with st.sidebar:
        st.caption(say("signed_in"))
        st.text(f"{me.name} · {say('role_admin' if me.scope == 'admin' else 'role_operator')}")
        if proof() == Proof():
            st.caption(say("first_start"))
        elif proof().provider:
            st.button(say("sign_out"), on_click=st.logout)
        elif is_mounted():
            _SIGN_OUT(key="sign_out", data={"label": say("sign_out")})
        elif st.button(say("sign_out")):
            ask(Client.logout)
            st.session_state.pop("session_token", None)
            st.rerun()
