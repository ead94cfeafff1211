"""What stands before the console: nobody reaches a page or its web socket whom the service's gate does not let in."""

import html
import secrets

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access import Gate

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>recbole-llmfb</title>
<style nonce="{nonce}">
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ max-width: 22rem; margin: 12vh auto; padding: 0 1rem; }}
label {{ display: block; margin: 1rem 0 .25rem; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; }}
button {{ margin-top: 1.25rem; }}
</style></head><body><main>
<h1>recbole-llmfb</h1>
<p>{what}</p>
<p id="why">{why}</p>
<form id="form">
<label for="name">Name · 用户名</label><input id="name" autocomplete="username" required>
<label for="password">Password · 密码</label><input id="password" type="password" autocomplete="current-password" required>
<button>Sign in · 登录</button>
<p role="alert" id="said"></p>
</form></main>
<script nonce="{nonce}">
const find = (id) => document.getElementById(id)
find("form").onsubmit = async (event) => {{
  event.preventDefault()
  const body = JSON.stringify({{ name: find("name").value, password: find("password").value }})
  try {{
    const answer = await fetch("/login", {{ method: "POST", headers: {{ "Content-Type": "application/json" }}, body }})
    if (answer.ok) return location.reload()
    const problem = await answer.json()
    find("said").textContent = problem.detail
  }} catch {{ find("said").textContent = "The service does not answer: try again. 服务没有响应，请重试。" }}
}}
</script></body></html>
"""
_WHAT = {
    401: "Sign in to see the console. 请登录以使用控制台。",
    403: "The console may not be opened so. 无法以此方式打开控制台。",
    429: "Too many requests: wait a little. 请求过多，请稍候。",
}


class Door:
    """Passes on what an operator may see; to others it shows a page to sign in, or closes."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            await run_in_threadpool(self.gate.admit, connection, "operator")
        except AccessError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "sign in"})
                return
            await _refusal(connection, error)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _refusal(connection: HTTPConnection, error: AccessError) -> Response:
    headers = {"Cache-Control": "no-store", **error.headers}
    if "text/html" not in connection.headers.get("accept", ""):
        return PlainTextResponse(error.detail, error.status, headers)
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; frame-ancestors 'none'"
    )
    headers |= {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    headers.pop("WWW-Authenticate", None)
    what = _WHAT.get(error.status, _WHAT[401])
    return HTMLResponse(_PAGE.format(nonce=nonce, what=what, why=html.escape(error.detail)), error.status, headers)
