"""What the callers of the planted application send, with values of their own."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from tests.planted.canaries import Planter

TIMEOUT = 120


def visit(url: str) -> Planter:
    """Play each scene and send each request once; return what was planted on both sides."""
    plant = Planter()
    # Servers close the connection after an error.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=f"{url}/planted", timeout=TIMEOUT, limits=limits) as client:
        for name in client.get("/scenes").json():
            send(client, "GET", f"/scenes/{name}")
        for request in requests(plant):
            send(client, **{"method": "GET", "url": "/break", **request})
        plant.planted |= {(place, kind) for place, kind in client.get("/planted").json()}
    return plant


def send(client: httpx.Client, method: str, url: str, **more: Any) -> None:  # noqa: ANN401 httpx's own options
    """Send a request whose answer does not matter."""
    with suppress(httpx.NetworkError, httpx.RemoteProtocolError):
        client.request(method, url, **more)


def requests(plant: Planter) -> list[dict[str, Any]]:
    """Return the requests, each where it differs from a plain one."""
    body = {name: value for name, value in plant.record("client.json").items() if name != "bytes"}
    plant.planted.discard(("client.json.bytes", "password"))
    form = plant.flat("client.form")
    prefs, session = (plant.one("client.cookie", kind) for kind in ("mfa", "session"))
    multipart = {name: (None, value) for name, value in plant.flat("client.multipart").items()}
    model = {
        "mark": "place=client.model",
        "password": plant.one("client.model"),
        "token": plant.one("client.model", "jwt"),
    }
    return [
        {},
        {"headers": headers(plant, "client.header")},
        {
            "headers": {"Cookie": f"prefs={prefs}; sessionid={session}"},
        },
        {"params": plant.flat("client.query")},
        {"params": {"q": plant.text("client.query_text")}},
        {"method": "POST", "json": body, "headers": headers(plant, "client.json_header")},
        {"method": "POST", "url": "/read", "json": plant.flat("client.read_json")},
        {"method": "POST", "url": "/read", "data": plant.flat("client.read_form")},
        {
            "method": "POST",
            "url": "/read",
            "files": {n: (None, v) for n, v in plant.flat("client.read_multipart").items()},
        },
        {"method": "POST", "url": "/read", "content": plant.text("client.read_text").encode()},
        {"method": "POST", "url": "/form", "data": form},
        {"method": "POST", "url": "/form", "files": multipart},
        {
            "method": "POST",
            "url": "/log",
            "json": plant.flat("client.logged"),
            "headers": headers(plant, "client.logged_header"),
            "params": {"token": plant.one("client.logged_query", "access_token")},
        },
        {"method": "POST", "url": "/login", "json": {**model, "contact": plant.flat("client.model_contact")}},
        {
            "method": "POST",
            "url": "/login",
            "json": {"mark": "invalid", "password": [plant.one("client.invalid")]},
        },
        {"url": f"/reset-password/{plant.one('client.path', 'api_key')}"},
        {"url": f"/orders/{plant.one('client.path_pattern', 'stripe')}"},
        {"url": f"/orders/{quote(plant.one('client.path_email', 'email'))}"},
        {"url": f"/unknown/{plant.one('client.unknown', 'jwt')}?token={plant.one('client.unknown', 'access_token')}"},
        {"headers": baggage(plant)},
        {"url": "/background"},
        {"url": "/stream"},
        {"url": "/middleware", "headers": few_headers(plant, "client.middleware_header")},
        {
            "url": "/socket",
            "params": {"token": plant.one("client.socket", "access_token")},
            "headers": {
                **few_headers(plant, "client.socket_header"),
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        },
    ]


def headers(plant: Planter, place: str) -> dict[str, str]:
    """Return headers as browsers, scripts and proxies send them."""
    return {
        "Authorization": f"Bearer {plant.one(place, 'bearer')}",
        "Proxy-Authorization": f"Basic {plant.one(place, 'basic')}",
        "X-Api-Key": plant.one(place, "api_key"),
        "X-Auth-Token": plant.one(place, "access_token"),
        "X-CSRF-Token": plant.one(place, "mfa"),
        "X-Forwarded-For": plant.one(place, "ip"),
        "X-Real-IP": plant.one(f"{place}.real", "ip"),
        "CF-Connecting-IP": plant.one(f"{place}.edge", "ip"),
        "Forwarded": f"for={plant.one(f'{place}.forwarded', 'ip')};proto=https",
        "Referer": f"https://app.example.com/?reset_token={plant.one(place, 'query')}",
        "User-Agent": f"planted/1.0 ({plant.one(place, 'jwt')})",
        "Cookie": f"theme=dark; sessionid={plant.one(place, 'session')}; prefs={plant.one(place, 'client_secret')}",
        "X-Request-Body": json.dumps({"password": plant.one(place, "password")}),
    }


def few_headers(plant: Planter, place: str) -> dict[str, str]:
    """Return fewer than the SDK looks at."""
    return {
        "Authorization": f"Bearer {plant.one(place, 'bearer')}",
        "X-Api-Key": plant.one(place, "api_key"),
        "Cookie": f"sessionid={plant.one(place, 'session')}",
    }


def baggage(plant: Planter) -> dict[str, str]:
    """Return a trace that somebody else started."""
    values = {"user_email": plant.one("client.baggage", "email"), "transaction": plant.line("client.baggage_name")}
    pairs = ",".join(f"sentry-{name}={quote(value)}" for name, value in values.items())
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    return {"sentry-trace": f"{trace}-00f067aa0ba902b7-1", "baggage": f"sentry-trace_id={trace},{pairs}"}
