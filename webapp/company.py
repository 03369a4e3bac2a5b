"""The company's identity provider, where a plant has one (OpenID Connect): who signs in there, anew where they sign."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, current_app, request, session, url_for
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from werkzeug.wrappers import Response

from engine.database import new_id
from engine.errors import Refused
from records.company import CompanySession
from records.company_sign_in import CompanyPerson
from rules.company_groups import roles_of
from webapp import visit

PATIENCE = 10
"""Seconds that the provider has for an answer."""
SKEW = 120
SIGNED_BY = ("RS", "PS", "ES", "Ed")
"""Signatures with a key that only the provider has; none at all, or a shared secret, proves nothing."""
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
WAYS = "company_ways"
ENDS_AT = "company_ends_at"
MOST_WAYS = 5


class NotReached(Refused):
    """The provider does not answer, or answers what cannot be used."""

    status = 502
    code = "COMPANY_NOT_REACHED"


class NotSignedIn(Refused):
    """The provider did not say who it is."""

    status = 403
    code = "NOT_SIGNED_IN"


@dataclass(frozen=True, slots=True)
class Company:
    """How one plant's people sign in at their company. only: whoever has done so once may not use a password here any more."""

    name: str
    issuer: str
    client_id: str
    client_secret: str
    login_claim: str
    groups_claim: str
    title_claim: str
    scopes: str
    only: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. way: what was kept on the way out. authenticated_at: when the provider checked, if it says so."""

    person: CompanyPerson
    way: Mapping[str, str]
    nonce: str
    authenticated_at: dt.datetime | None


def company_of(settings: Mapping[str, Any]) -> Company | None:
    """Return the provider that the settings name, or None. Raises: ValueError when they name half of one."""
    given = {
        name: str(settings.get(f"company_{name}") or "").strip() for name in ("issuer", "client_id", "client_secret")
    }
    if not any(given.values()):
        return None
    missing = ", ".join(f"company_{name}" for name, value in given.items() if not value)
    if missing:
        raise ValueError(
            f"Expected company_issuer, company_client_id and company_client_secret together, but missing: {missing}"
        )
    return Company(
        **given,
        name=str(settings.get("company_name") or "your company"),
        login_claim=str(settings.get("company_login_claim") or "preferred_username"),
        groups_claim=str(settings.get("company_groups_claim") or "groups"),
        title_claim=str(settings.get("company_title_claim") or "title"),
        scopes=str(settings.get("company_scopes") or "openid profile email"),
        only=str(settings.get("company_only") or "").lower() in ("1", "true", "yes"),
    )


def install(app: Flask, settings: Mapping[str, Any]) -> None:
    """Let the application know the provider, if there is one. Nothing is asked of it before somebody signs in."""
    found = company_of(settings)
    app.extensions["company"] = found
    if found is None:
        return
    OAuth(app).register(
        "company", client_id=found.client_id, client_secret=found.client_secret,
        server_metadata_url=f"{found.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": found.scopes, "code_challenge_method": "S256", "default_timeout": PATIENCE},
    )  # fmt: skip


def company() -> Company | None:
    """Return the provider of this application, if it has one."""
    found: Company | None = current_app.extensions.get("company")
    return found


def send(way: Mapping[str, str], *, nonce: str = "", anew: bool = False) -> Response:
    """Send the visitor to the provider. way: what to know when they come back. anew: ask for a sign-in whatever is open there."""
    with _asking():
        _metadata()
        asked: dict[str, Any] = {"state": new_id()} | ({"nonce": nonce} if nonce else {})
        if anew:
            asked |= {"prompt": "login", "max_age": 0}
        answer: Response = _client().authorize_redirect(address_of("company.come_back"), **asked)
    kept = dict(session.get(WAYS, {}))
    session[WAYS] = dict(list(kept.items())[-MOST_WAYS + 1 :]) | {asked["state"]: dict(way)}
    return answer


def received() -> Answer:
    """Return what the provider says of the visitor who comes back.

    Raises: NotReached; NotSignedIn when they gave up there, or what it says does not fit the question.
    """
    ways = dict(session.get(WAYS, {}))
    way = ways.pop(request.args.get("state", ""), None)
    session[WAYS] = ways
    if way is None:
        raise NotSignedIn(
            "Expected to come back from a sign-in that began in this browser, but it did not, or it came back twice"
        )
    with _asking():
        _metadata()
        token = _client().authorize_access_token()
        claims = dict(token.get("userinfo") or {})
        if not claims:
            raise NotReached("Expected the company to say who signed in, but it sent no identity token")
        claims = _more(token, claims)
    at = claims.get("auth_time")
    return Answer(
        _person(claims, str(token["id_token"])), way, str(claims.get("nonce", "")),
        # By how long ago it was: the house's clock counts, however the provider's is set.
        visit.now() - dt.timedelta(seconds=time.time() - at) if isinstance(at, int | float) else None,
    )  # fmt: skip


def end_session_address(id_token: str) -> str:
    """Return where the provider ends its session, too; empty when it has no such place."""
    with _asking():
        metadata = _metadata()
        if not metadata.get("end_session_endpoint"):
            return ""
        made = _client().create_logout_url(
            post_logout_redirect_uri=address_of("account.sign_in"), id_token_hint=id_token, state=new_id()
        )
    return str(made["url"])


def signed_out(logout_token: str) -> tuple[str, str]:
    """Return (sid, subject) of the session whose end the provider announces; one of them may be empty.

    Source: OpenID Connect Back-Channel Logout 1.0, section 2.6. Raises: NotSignedIn when the token is not the provider's.
    """
    with _asking():
        metadata = _metadata()
        keys = _client().fetch_jwk_set(force=True)
    registry = JWSRegistry(algorithms=metadata["id_token_signing_alg_values_supported"], strict_check_header=False)
    try:
        claims = jwt.decode(logout_token, key=KeySet.import_key_set(keys), registry=registry).claims
    except (JoseError, ValueError) as error:
        raise NotSignedIn("Expected a logout token that the company signed, but it is not") from error
    known = company()
    audience = claims.get("aud")
    is_ours = known is not None and known.client_id in ([audience] if isinstance(audience, str) else audience or [])
    is_fresh = abs(time.time() - float(claims.get("iat") or 0)) < PATIENCE + SKEW
    if (
        not is_ours or not is_fresh or claims.get("iss") != metadata["issuer"] or "nonce" in claims
        or LOGOUT not in (claims.get("events") or {})
    ):  # fmt: skip
        raise NotSignedIn("Expected a fresh logout token of the company for this application, but it is another one")
    return str(claims.get("sid") or ""), str(claims.get("sub") or "")


def end_there(session_id: str) -> None:
    """Remember where the provider ends the session that has just ended here, for the next page."""
    if company() is None:
        return
    with visit.installation().reading() as found:
        kept = found.get(CompanySession, session_id)
        token = kept.id_token if kept is not None else ""
    try:
        session[ENDS_AT] = end_session_address(token) if token else ""
    except Refused:
        # Signed out here in any case; whoever runs the provider sees that it does not answer.
        session.pop(ENDS_AT, None)


def issuer() -> str:
    """Return the name under which the provider signs."""
    with _asking():
        return str(_metadata()["issuer"])


def address_of(endpoint: str) -> str:
    """Return the full address of a page of ours, as people reach it."""
    public = str(visit.installation().settings.get("public_url") or "").rstrip("/")
    return f"{public}{url_for(endpoint)}" if public else url_for(endpoint, _external=True)


def _client() -> Any:
    return current_app.extensions["authlib.integrations.flask_client"].company


def _metadata() -> dict[str, Any]:
    """Return what the provider says of itself, read once; of its ways to sign only those that prove something."""
    found: dict[str, Any] = _client().load_server_metadata()
    offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
    found["id_token_signing_alg_values_supported"] = [one for one in offered if one.startswith(SIGNED_BY)]
    return found


def _more(token: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for what the identity token leaves out; what it says itself counts more."""
    known = company()
    assert known is not None
    if (
        all(name in claims for name in (known.login_claim, known.groups_claim))
        or "userinfo_endpoint" not in _metadata()
    ):
        return dict(claims)
    more = dict(_client().userinfo(token=token))
    # OpenID Connect Core 1.0, 5.3.2: an answer about somebody else must not be used.
    return {**more, **claims} if more.get("sub") == claims["sub"] else dict(claims)


def _person(claims: Mapping[str, Any], id_token: str) -> CompanyPerson:
    known = company()
    assert known is not None
    groups = claims.get(known.groups_claim) or ()
    return CompanyPerson(
        issuer=str(claims["iss"]), subject=str(claims["sub"]), login=str(claims.get(known.login_claim) or ""),
        name=str(claims.get("name") or "")[:200], title=str(claims.get(known.title_claim) or "")[:200],
        email=str(claims.get("email") or "")[:200],
        roles=roles_of([groups] if isinstance(groups, str) else _texts(groups)), sid=str(claims.get("sid") or ""),
        id_token=id_token,
    )  # fmt: skip


def _texts(values: Sequence[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


@contextmanager
def _asking() -> Iterator[None]:
    """Say in the house's words what went wrong between us and the provider."""
    known = company()
    name = known.name if known is not None else "the company"
    try:
        yield
    except requests.RequestException as error:
        raise NotReached(
            f"Expected {name} to answer within {PATIENCE} seconds, but it did not; try again, or tell whoever runs it"
        ) from error
    except (AuthlibBaseError, JoseError) as error:
        said = getattr(error, "description", "") or getattr(error, "error", "") or type(error).__name__
        raise NotSignedIn(f"Expected {name} to say who you are, but it said: {said!s:.200}. Sign in again") from error
    except (KeyError, ValueError, RuntimeError) as error:
        raise NotReached(
            f"Expected {name} to answer as OpenID Connect has it, but it did not; tell whoever runs it"
        ) from error
