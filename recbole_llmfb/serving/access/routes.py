"""The routes of access: signing in and out, keys, accounts, and the audit.

Every error is an `AccessError` or a `UsageError`, for the application's handlers to turn into a problem document.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access.accounts import Account, NewPassword, Password, Role
from recbole_llmfb.serving.access.assembly import Access
from recbole_llmfb.serving.access.audit import AuditPage
from recbole_llmfb.serving.access.keys import Key, NewKey
from recbole_llmfb.serving.access.principal import Principal, Scope
from recbole_llmfb.serving.access.sessions import account_name, clear_cookie, read_cookie, set_cookie
from recbole_llmfb.serving.access.words import Name, UserId

_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Credentials(_Body):
    name: Name
    password: Password


class KeyRequest(_Body):
    """user: with the scope `user`, the one that the key reaches."""

    name: Name
    scope: Scope
    user: UserId | None = None


class AccountRequest(_Body):
    name: Name
    password: NewPassword
    role: Role


class AccountChange(_Body):
    """What is given changes. current_password: for changing the password of the account that asks."""

    name: Name
    password: NewPassword | None = None
    current_password: Password | None = None
    role: Role | None = None
    disabled: bool | None = None


class Me(BaseModel):
    """Who asks, and what that one may do."""

    name: str
    scope: Scope
    user: str | None

    @classmethod
    def of(cls, principal: Principal) -> "Me":
        return cls(name=principal.name, scope=principal.scope, user=principal.user)


def access_router(access: Access) -> APIRouter:
    """The routes over the parts of access."""
    router = APIRouter(tags=["access"], generate_unique_id_function=lambda route: route.name)
    _add_sessions(router, access)
    _add_keys(router, access)
    _add_accounts(router, access)
    _add_audit(router, access)
    return router


def admitted(access: Access, scope: Scope) -> Any:
    """A dependency: who asks, as `Gate.admit` says."""

    def admit(request: Request) -> Principal:
        return access.gate.admit(request, scope)

    return Depends(admit)


def _add_sessions(router: APIRouter, access: Access) -> None:
    anybody = admitted(access, "user")

    @router.post("/login", description="Sign in with a name and a password; the answer sets the session's cookie")
    def login(request: Request, response: Response, credentials: Credentials) -> Me:
        if "origin" in request.headers or "sec-fetch-site" in request.headers:
            access.gate.check_page(request)
        principal, token = access.sign_in.enter(credentials.name, credentials.password, access.gate.address(request))
        before = read_cookie(request)
        if before is not None:
            access.sessions.close(before)
        set_cookie(request, response, token)
        response.headers.update(_NO_STORE)
        return Me.of(principal)

    @router.get(
        "/login/link", description="Follow the link of the first start; the answer sets the session's cookie", status_code=303
    )
    def follow(request: Request, token: Annotated[str, Query(max_length=100)]) -> RedirectResponse:
        access.gate.check_machine(request)
        response = RedirectResponse("/", 303, headers=_NO_STORE)
        set_cookie(request, response, access.first_start.follow(token))
        return response

    @router.post("/logout", description="End the session", status_code=204)
    def logout(request: Request, response: Response) -> None:
        access.gate.check_page(request)
        token = read_cookie(request)
        if token is not None:
            access.sessions.close(token)
        clear_cookie(request, response)

    @router.get("/v1/me", description="Who asks")
    def me(response: Response, principal: Annotated[Principal, anybody]) -> Me:
        response.headers.update(_NO_STORE)
        return Me.of(principal)


def _add_keys(router: APIRouter, access: Access) -> None:
    admin = admitted(access, "admin")

    @router.get("/v1/keys", description="All keys, without their secrets", dependencies=[admin])
    def keys() -> list[Key]:
        return access.keys.all()

    @router.post("/v1/keys", description="Make a key; its secret is in this answer and nowhere else", status_code=201)
    def create_key(response: Response, wanted: KeyRequest, principal: Annotated[Principal, admin]) -> NewKey:
        response.headers.update(_NO_STORE)
        return access.keys.create(principal, wanted.name, wanted.scope, wanted.user)

    @router.delete("/v1/keys", description="Revoke a key")
    def revoke_key(id: Annotated[str, Query(max_length=100)], principal: Annotated[Principal, admin]) -> Key:
        return access.keys.revoke(principal, id)


def _add_accounts(router: APIRouter, access: Access) -> None:
    admin, operator = admitted(access, "admin"), admitted(access, "operator")

    @router.get("/v1/accounts", description="All accounts", dependencies=[admin])
    def accounts() -> list[Account]:
        return access.accounts.all()

    @router.post("/v1/accounts", description="Make an account", status_code=201)
    def create_account(wanted: AccountRequest, principal: Annotated[Principal, admin]) -> Account:
        return access.accounts.create(principal, wanted.name, wanted.password, wanted.role)

    @router.patch("/v1/accounts", description="Change an account: an admin any, an operator the password of the own one")
    def change_account(request: Request, wanted: AccountChange, principal: Annotated[Principal, operator]) -> Account:
        is_own = principal.name == account_name(wanted.name)
        if not principal.may("admin") and not (is_own and wanted.role is None and wanted.disabled is None):
            raise AccessError(403, f"this needs the scope 'admin'; {principal.name} may change the password of the own account")
        if is_own and wanted.password is not None:
            access.sign_in.confirm(wanted.name, wanted.current_password or "", access.gate.address(request))
        return access.accounts.change(
            principal, wanted.name, password=wanted.password, role=wanted.role, disabled=wanted.disabled
        )


def _add_audit(router: APIRouter, access: Access) -> None:
    @router.get("/v1/audit", description="Who changed what, newest first", dependencies=[admitted(access, "admin")])
    def audit(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        before: Annotated[
            str | None, Query(max_length=100, description="Where the last page said that this one goes on.")
        ] = None,
        actor: Annotated[Name | None, Query()] = None,
        action: Annotated[Name | None, Query()] = None,
    ) -> AuditPage:
        with access.database.reading() as session:
            return access.audit.page(session, limit=limit, before=before, actor=actor, action=action)
