"""A small OpenID Connect provider on a port of this machine: discovery, keys, authorization codes with PKCE, tokens.

Its ID tokens are signed with joserfc. What it signs can be spoiled in every way that a client must notice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "pulse", "the client's secret"
CLAIMS: dict[str, Any] = {
    "sub": "248289761001",
    "email": "ada@vendor.example",
    "email_verified": True,
    "name": "Ada",
    "groups": ["everybody", "csm"],
}


class SmallProvider:
    """The provider. ``spoil`` is laid over the next token's claims, ``sign_with`` its key and algorithm."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.claims = dict(CLAIMS)
        self.spoil: dict[str, Any] = {}
        self.sign_with: tuple[str, Any] = ("RS256", self.key)
        self.now = 0
        self.asked: list[str] = []
        self.address = ""
        self._codes: dict[str, dict[str, str]] = {}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def authorize(self, query: dict[str, str]) -> str:
        """The address that the person's browser is sent back to, who agreed."""
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT)
        assert query["code_challenge_method"] == "S256"
        code = token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(form["code"], None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proven = asked and base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        if asked is None or not proven or authorization != f"Basic {basic}":
            return 400, {"error": "invalid_grant"}
        assert form["redirect_uri"] == asked["redirect_uri"]
        times = {"iat": self.now, "exp": self.now + 300}
        told = {**self.claims, **times, "iss": self.address, "aud": CLIENT, "nonce": asked["nonce"], **self.spoil}
        told = {name: value for name, value in told.items() if value is not None}
        algorithm, key = self.sign_with
        if algorithm == "HS256":  # with the public key as a shared secret: what no library would sign by itself
            return 200, {"access_token": "x", "token_type": "Bearer", "id_token": _by_hand(told, key)}
        text = jwt.encode({"alg": algorithm, "kid": key.kid}, told, key, algorithms=[algorithm])
        return 200, {"access_token": token_urlsafe(), "token_type": "Bearer", "id_token": text}


def _by_hand(claims: dict[str, Any], secret: bytes) -> str:
    parts = [json.dumps(one).encode() for one in ({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(one).rstrip(b"=") for one in parts)
    sealed = base64.urlsafe_b64encode(hmac.digest(secret, text, "sha256")).rstrip(b"=")
    return (text + b"." + sealed).decode()


@contextmanager
def running() -> Iterator[SmallProvider]:
    """A provider on a free port."""
    provider = SmallProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/.well-known/openid-configuration":
                self._say(200, provider.document())
            elif parts.path == "/keys":
                self._say(200, {"keys": [provider.key.as_dict(private=False)]})
            elif parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("location", provider.authorize(query))
                self.end_headers()
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._say(*provider.token(form, self.headers.get("authorization", "")))

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def _say(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
