"""The planted application: each scene hides values in places of one sort, then something happens that Sentry reports.

``PLANTED`` says whose Sentry watches: "ours" is the generated backend as it is; "bare" the SDK with its defaults;
"open" the SDK collecting all it can, without any scrubbing, which proves that a place leads out at all.
To add a place, add a line to a scene, with a name of its own.
"""

import asyncio
import contextvars
import enum
import functools
import json
import logging
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import ChainMap, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx2
import sentry_sdk
from app.planted.canaries import Planter
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, WebSocket
from pydantic import BaseModel
from sentry_sdk import crons, metrics, traces
from sentry_sdk import logger as sentry_logger
from starlette.datastructures import FormData

WATCHER = os.environ["PLANTED"]
OPTIONS = json.loads(os.environ.get("PLANTED_OPTIONS", "{}"))
STREAMED = OPTIONS.get("trace_lifecycle") == "stream"
SINK = os.environ["PLANTED_SINK"]
CUT = 1024

plant = Planter()
router = APIRouter(prefix="/planted")
logger = logging.getLogger("app.planted")

Scene = Callable[[], Awaitable[None]]
SCENES: dict[str, Scene] = {}


def scene(function: Scene) -> Scene:
    """Make a function a scene: a request of its own."""
    SCENES[function.__name__] = function
    return function


class PlantedError(Exception):
    """Something breaks."""


def fail(**values: Any) -> NoReturn:
    """Raise from a frame with these local variables and no others."""
    code = compile("raise PlantedError('values')", __file__, "exec")
    exec(code, {"__name__": __name__, "PlantedError": PlantedError}, values)  # noqa: S102
    raise AssertionError


def failures(values: dict[str, dict[str, Any]]) -> list[Exception]:
    """Return an exception for each group of local variables."""
    caught: list[Exception] = []
    for place, variables in values.items():
        try:
            fail(mark=f"place={place}", **variables)
        except PlantedError as error:
            # Only the frame that was made for it.
            caught.append(error.with_traceback(error.__traceback__.tb_next.tb_next))  # type: ignore[union-attr]
    return caught


# Exceptions


@scene
async def exception_message() -> None:
    raise RuntimeError(plant.text("exception.message"))


@scene
async def exception_note() -> None:
    error = RuntimeError("with a note")
    error.add_note(plant.text("exception.note"))
    raise error


@scene
async def exception_cause() -> None:
    raise RuntimeError("caused") from ValueError(plant.text("exception.cause"))


@scene
async def exception_context() -> None:
    try:
        raise ValueError(plant.text("exception.context"))
    finally:
        raise RuntimeError("while handling")


@scene
async def exception_group() -> None:
    raise ExceptionGroup(plant.text("exception.group"), [ValueError(plant.text("exception.member"))])


@scene
async def exception_repr() -> None:
    raise KeyError(plant.text("exception.escaped"))


@scene
async def exception_data() -> None:
    raise KeyError(plant.record("exception.data"))


@scene
async def exception_arguments() -> None:
    raise RuntimeError(plant.text("exception.argument"), {"password": plant.one("exception.argument.data")})


@scene
async def exception_validation() -> None:
    class Settings(BaseModel):
        mark: str
        password: int
        api_key: list[int]

    Settings.model_validate(
        {
            "mark": ["place=exception.validation"],
            "password": plant.one("exception.validation", "password"),
            "api_key": plant.one("exception.validation", "api_key"),
        }
    )


@scene
async def exception_command() -> None:
    command = ["mysql", "place=exception.command", "--password", plant.one("exception.command", "api_key"), "-h", "db"]
    raise subprocess.CalledProcessError(1, command)


@scene
async def exception_url() -> None:
    url = f"https://api.example.com/place=exception.url?token={plant.one('exception.url', 'access_token')}&page=1"
    httpx2.Response(401, request=httpx2.Request("GET", url)).raise_for_status()


@scene
async def exception_sql() -> None:
    statement = "UPDATE users SET password=:password, token=:token WHERE id = :id"
    parameters = plant.flat("exception.sql")
    raise RuntimeError(f"UNIQUE constraint failed: place=exception.sql\n[SQL: {statement}]\n[parameters: {parameters}]")


@scene
async def exception_type() -> None:
    raise type(f"Failure_place=exception.type {plant.line('exception.type')}", (Exception,), {})


# Local variables


class Texts:
    """Says what it holds."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<Texts {self.text}>"


class SentryTexts(Texts):
    """Says it to the SDK only."""

    def __sentry_repr__(self) -> str:
        return self.text


@dataclass
class Account:
    """A dataclass."""

    mark: str
    password: str
    api_key: str


class Login(BaseModel):
    """A model."""

    mark: str
    password: str
    token: str | None = None
    contact: Any = None


Triple = namedtuple("Triple", ["mark", "password", "token"])  # noqa: PYI024 the oldest of its kind


class Color(enum.Enum):
    """An enumeration of what should not be one."""

    RED = plant.line("local.enum")


def _two(place: str) -> dict[str, str]:
    return {
        "mark": f"place={place}",
        "password": plant.one(place),
        "token": plant.one(place, "access_token"),
    }


def objects() -> dict[str, Any]:
    """Return what local variables may hold, by place."""
    request = httpx2.Request(
        "POST",
        f"https://bob:{plant.one('local.request', 'api_key')}@api.example.com/place=local.request"
        f"?token={plant.one('local.request', 'access_token')}",
        headers={"Authorization": f"Bearer {plant.one('local.request', 'bearer')}"},
    )
    deep: Any = {"mark": "place=local.deep", "password": plant.one("local.deep")}
    for _ in range(8):
        deep = {"mark": "place=local.deep", "below": deep, "also": [deep]}
    return {
        "local.text": plant.text("local.text"),
        "local.bytes": plant.text("local.bytes").encode(),
        "local.bytearray": bytearray(plant.text("local.bytearray").encode()),
        "local.memory": memoryview(plant.text("local.memory").encode()).tobytes(),
        "local.record": plant.record("local.record"),
        "local.records": [plant.record("local.records")],
        "local.flat": plant.flat("local.flat"),
        "local.repr": Texts(plant.text("local.repr")),
        "local.sentry_repr": SentryTexts(plant.text("local.sentry_repr")),
        "local.objects": [Texts(plant.text("local.objects"))],
        "local.dataclass": Account(
            "place=local.dataclass", plant.one("local.dataclass"), plant.one("local.dataclass", "api_key")
        ),
        "local.model": Login(**_two("local.model"), contact=plant.flat("local.model.contact")),
        "local.models": {"logins": [Login(**_two("local.models"))]},
        "local.namespace": SimpleNamespace(**_two("local.namespace")),
        "local.namedtuple": Triple(**_two("local.namedtuple")),
        "local.enum": Color.RED,
        "local.partial": functools.partial(print, **_two("local.partial")),
        "local.exception": ValueError(plant.text("local.exception")),
        "local.exceptions": [KeyError(plant.text("local.exceptions"))],
        "local.set": {plant.text("local.set")},
        "local.frozenset": frozenset({plant.text("local.frozenset")}),
        "local.tuple": (plant.text("local.tuple"), plant.one("local.tuple", "jwt")),
        "local.pairs": [("mark", "place=local.pairs"), *_two("local.pairs").items()],
        "local.byte_pairs": [(name.encode(), value.encode()) for name, value in _two("local.byte_pairs").items()],
        "local.byte_keys": {name.encode(): value.encode() for name, value in _two("local.byte_keys").items()},
        "local.items": _two("local.items").items(),
        "local.values": {"a": plant.text("local.values")}.values(),
        "local.keys": {plant.text("local.keys"): 1},
        "local.deque": deque([_two("local.deque")]),
        "local.ordered": OrderedDict(_two("local.ordered")),
        "local.defaultdict": defaultdict(list, _two("local.defaultdict")),
        "local.userdict": UserDict(_two("local.userdict")),
        "local.userlist": UserList([_two("local.userlist")]),
        "local.chainmap": ChainMap(_two("local.chainmap")),
        "local.proxy": MappingProxyType(_two("local.proxy")),
        "local.deep": deep,
        "local.split_url": urlsplit(f"https://bob:{plant.one('local.split_url', 'api_key')}@h/place=local.split_url"),
        "local.url": httpx2.URL(f"https://h/place=local.url?token={plant.one('local.url', 'access_token')}"),
        "local.request": [request, request.url, "place=local.request"],
        "local.request_headers": [
            request.headers,
            "place=local.request_headers",
            plant.one("local.request_headers", "jwt"),
        ],
        "local.form": FormData(_two("local.form")),
        "local.json": json.dumps(plant.flat("local.json")),
        "local.json_in_json": json.dumps({"body": json.dumps(plant.flat("local.json_in_json"))}),
        "local.json_bytes": json.dumps(plant.flat("local.json_bytes"), indent=2).encode(),
        "local.arguments": ["mysql", "place=local.arguments", "--password", plant.one("local.arguments", "api_key")],
        "local.number": {"mark": "place=local.number", "card": int(plant.one("local.number", "card"))},
        "local.numbers": ["place=local.numbers", int(plant.one("local.numbers", "card"))],
        "local.statement": (
            "UPDATE users SET password = ? -- place=local.statement",
            {"password": plant.one("local.statement")},
        ),
    }


@scene
async def local_objects() -> None:
    raise ExceptionGroup("objects", failures({place: {"value": value} for place, value in objects().items()}))


@scene
async def local_names() -> None:
    raise ExceptionGroup(
        "names",
        failures(
            {
                "local.named": {
                    "password": plant.one("local.named"),
                    "db_password": plant.one("local.named", "assignment"),
                    "x_api_key": plant.one("local.named", "api_key"),
                    "accessToken": plant.one("local.named", "access_token"),
                    "session_id": plant.one("local.named", "session"),
                    "mfa_code": plant.one("local.named", "mfa"),
                    "DATABASE_URL": plant.one("local.named", "db_url"),
                    "card": int(plant.one("local.named", "card")),
                },
                "local.credentials": {
                    "credentials": (b"svc", plant.one("local.credentials").encode()),
                    "secret": Texts(plant.one("local.credentials", "client_secret")),
                    "tokens": [plant.one("local.credentials", "access_token")],
                    "cookies": {"theme": plant.one("local.credentials", "session")},
                    "authorization": {plant.one("local.credentials", "api_key"): 1},
                    "email": plant.one("local.credentials", "email"),
                },
            }
        ),
    )


@scene
async def local_environment() -> None:
    os.environ["PLANTED_DB_PASSWORD"] = plant.one("local.environment")
    os.environ["PLANTED_MARK"] = "place=local.environment"
    environ = {name: value for name, value in os.environ.items() if name.startswith("PLANTED")}
    raise RuntimeError(f"{len(environ)} variables")


@scene
async def source_lines() -> None:
    # Sentry shows five lines before the one that breaks.
    _password = "7rXq2LmVd84!zKpW"
    url = "postgresql://svc:nB6tYw3QfHs9@db/app"
    _headers = {"X-Api-Key": "Lm29QpXv77RtKd01", "Authorization": "Bearer hG5sVw8eNq2ZkP4r"}
    _command = "mysql --password Vd83KsmQ20pLxWnZ -h db"
    _settings = "Server=db;User Id=svc;Password=Jw48RnTb61XcYzLf;Encrypt=yes"
    raise RuntimeError("place=source.lines " + url[:4])


@scene
async def source_key() -> None:
    _key = b"""-----BEGIN PRIVATE KEY-----
NVY8V7bD8P5hEpIKanr6XkZiNia3nn+3s9IRn8S95txkjetMaRvt0EuETd+bV2bY
xLacl9mW78wwHXgVZ3c8fvN6v7ItulfjS/kd/IzpM0DAd6cF1iU8OYgBj2sD/2+D
FUEszjy/9OFvfrY3xYXSQWxTrFXSs8PLaJqQD0PZwP==
-----END PRIVATE KEY-----"""
    raise RuntimeError("place=source.key")


@scene
async def source_parts() -> None:
    _key = (
        "V1w13S+9HHk17ESUUkXLQANXOUbkCPoROcEodiulmcDyNLp5azrAh1xcNgIvL90A\n"
        "0PxjMK99Mw5agKNjO5yBos+y96Mq+FAu+FsEhNCsY0aIr7Yprj/sMEPMVhWtIvsH"
    )
    _text = "login with password=Kt5vXn83WbqZ failed"
    raise RuntimeError("place=source.parts")


# Logs and breadcrumbs


@scene
async def log_texts() -> None:
    logger.info(plant.text("log.message"))
    logger.info("%s", plant.text("log.argument"))
    logger.info("got %(body)s", {"body": plant.text("log.named_argument")})
    logger.info("%s and password=%s", "place=log.positional", plant.one("log.positional"))
    logger.info("%(mark)s %(password)s", _two("log.named_arguments"))
    logger.info("got %s", plant.record("log.record"))
    logger.info("got %r", Login(**_two("log.model")))
    logger.info(
        "got %s", Account("place=log.dataclass", plant.one("log.dataclass"), plant.one("log.dataclass", "api_key"))
    )
    logger.info("extra", extra=plant.flat("log.extra"))
    logger.info("extra", extra={"data": plant.record("log.extra_record")})
    logger.info("extra", extra={"data": Texts(plant.text("log.extra_object"))})
    logging.getLogger(f"app.{plant.line('log.logger')}").info("from a logger with a name")
    sentry_logger.info(plant.text("sentry_log.message"), attributes=plant.flat("sentry_log.attributes"))
    sentry_logger.info(
        "got {password} {mark} {data}", data=plant.record("sentry_log.data"), **_two("sentry_log.parameters")
    )
    logger.error(plant.text("log.error"))
    logger.error("%s and password=%s", "place=log.error_positional", plant.one("log.error_positional"))
    logger.error("%(mark)s %(password)s %(token)s", _two("log.error_arguments"))
    logger.error("%s", plant.text("log.error_argument"), extra=plant.record("log.error_extra"))
    logger.error("failed", exc_info=ValueError(plant.text("log.exception")))


@scene
async def breadcrumbs() -> None:
    sentry_sdk.add_breadcrumb(message=plant.text("breadcrumb.message"))
    sentry_sdk.add_breadcrumb(category=plant.line("breadcrumb.category"), type=plant.line("breadcrumb.type"))
    sentry_sdk.add_breadcrumb(message="data", data=plant.record("breadcrumb.data"))
    url = f"https://api.example.com/place=breadcrumb.url?token={plant.one('breadcrumb.url', 'access_token')}"
    sentry_sdk.add_breadcrumb(type="http", category="httplib", data={"url": url, "method": "GET"})
    query = f"mark=place%3Dbreadcrumb.query&token={plant.one('breadcrumb.query', 'access_token')}"
    sentry_sdk.add_breadcrumb(category="httplib", data={"url": "https://h/", "http.query": query})
    sentry_sdk.capture_message("breadcrumbs")


# What the scope carries


@scene
async def scope_values() -> None:
    scope = sentry_sdk.get_isolation_scope()
    for name, value in plant.flat("scope.tags").items():
        scope.set_tag(name, value)
    scope.set_tag("text", plant.text("scope.tag_text"))
    scope.set_tag(plant.line("scope.tag_name"), 1)
    scope.set_context("login", plant.record("scope.context"))
    scope.set_context("text", {"text": plant.text("scope.context_text")})
    scope.set_context(plant.line("scope.context_name"), {"a": 1})
    scope.set_extra("record", plant.record("scope.extra"))
    scope.set_extra("text", plant.text("scope.extra_text"))
    scope.set_extra("password", plant.one("scope.extra_named"))
    scope.set_extra("object", Texts(plant.text("scope.extra_object")))
    scope.fingerprint = ["{{ default }}", plant.text("scope.fingerprint")]
    scope.set_attribute("password", plant.one("scope.attribute"))
    scope.set_attribute("text", plant.text("scope.attribute_text"))
    sentry_sdk.get_current_scope().set_transaction_name(f"/jobs {plant.text('scope.transaction')}")
    logger.info("with what the scope carries")
    sentry_sdk.capture_exception(
        RuntimeError("with what the scope carries place=scope.extra_named place=scope.attribute")
    )


@scene
async def scope_user() -> None:
    sentry_sdk.set_user(
        {
            "id": "user-4711",
            "email": plant.one("user.email", "email"),
            "username": plant.one("user.name", "email"),
            "ip_address": plant.one("user.address", "ip"),
            "password": plant.one("user.named"),
            "data": {"token": plant.one("user.data", "access_token"), "phone": plant.one("user.data", "phone")},
        }
    )
    sentry_sdk.capture_message(
        "a user place=user.email place=user.name place=user.address place=user.named place=user.data"
    )
    scope = sentry_sdk.get_isolation_scope()
    scope.start_session(session_mode="application")
    scope.end_session()


@scene
async def session_user() -> None:
    sentry_sdk.set_user({"email": plant.one("session.user", "email"), "ip_address": plant.one("session.address", "ip")})
    scope = sentry_sdk.get_isolation_scope()
    scope.start_session(session_mode="application")
    scope.end_session()
    sentry_sdk.capture_message("a session place=session.user place=session.address")


# Spans, metrics, check-ins, attachments


def span(name: str, op: str, attributes: dict[str, Any]) -> Any:
    """Open a span, whichever way they are sent."""
    if STREAMED:
        return traces.start_span(name, {"sentry.op": op, **attributes})
    opened = sentry_sdk.start_span(op=op, name=name)
    for key, value in attributes.items():
        opened.set_data(key, value)
    return opened


@scene
async def spans() -> None:
    with span(plant.text("span.name"), "task", {}):
        pass
    with span("op", plant.line("span.op"), {}):
        pass
    with span("SELECT 1", "db.sql.query", {"db.statement": plant.text("span.statement")}):
        pass
    with span("attributes", "task", plant.flat("span.attributes")):
        pass
    with span("data", "task", {"data": plant.record("span.data")}):
        pass
    with span("object", "task", {"data": Texts(plant.text("span.object"))}):
        pass
    with span("texts", "task", {"texts": [plant.text("span.texts"), "b"]}):
        pass
    with span("json", "task", {"body": json.dumps(plant.flat("span.json"))}):
        pass
    with span("tags", "task", {}) as opened:
        set_tag = opened.set_attribute if STREAMED else opened.set_tag
        for name, value in plant.flat("span.tags").items():
            set_tag(name, value)
    with span("profiled", "task", {}):
        name = plant.one("profile.function", "github")
        # Long enough for the profiler, which looks a hundred times a second, to see it.
        space: dict[str, Any] = {"time": time}
        exec(f"def {name}():\n    time.sleep(0.2)", space)  # noqa: S102 a function with a name that only code can make
        space[name]()


@scene
async def outgoing() -> None:
    token, note, login = (plant.one("outgoing.query", kind) for kind in ("access_token", "stripe", "jwt"))
    host = f"bob:{plant.one('outgoing.userinfo', 'api_key')}@{SINK}"
    path = f"place=outgoing.query/{plant.one('outgoing.path', 'github')}"
    headers = {"Authorization": f"Bearer {plant.one('outgoing.header', 'bearer')}"}
    async with httpx2.AsyncClient() as client:
        await client.get(f"http://{host}/{path}?token={token}&note={note}#id_token={login}", headers=headers)

    def open_url() -> None:
        with suppress(urllib.error.HTTPError):
            secret = plant.one("outgoing.urllib", "access_token")
            urllib.request.urlopen(f"http://{SINK}/place=outgoing.urllib?token={secret}")

    await asyncio.to_thread(open_url)
    sentry_sdk.capture_message("after requests")


@scene
async def process() -> None:
    def run() -> None:
        arguments = ["true", "place=process.arguments", "--password", plant.one("process.arguments", "api_key")]
        subprocess.run(arguments, check=True)

    await asyncio.to_thread(run)
    sentry_sdk.capture_message("after a process")


@scene
async def measurements() -> None:
    metrics.count("planted.count", 1, attributes=plant.flat("metric.attributes"))
    metrics.gauge("planted.gauge", 1, unit=plant.line("metric.unit"), attributes={"text": plant.text("metric.text")})
    metrics.distribution(f"planted.{plant.line('metric.name')}", 1)


@scene
async def check_ins() -> None:
    config: Any = {"schedule": {"type": "crontab", "value": "0 0 * * *"}, "password": plant.one("check_in.config")}
    crons.capture_checkin(f"nightly {plant.text('check_in.slug')}", status="ok", monitor_config=config)


@scene
async def attachments() -> None:
    scope = sentry_sdk.get_isolation_scope()
    text = plant.text("attachment.text").encode()
    scope.add_attachment(bytes=text, filename="log.txt", content_type="text/plain")
    scope.add_attachment(bytes=plant.text("attachment.binary").encode(), filename="dump.bin")
    scope.add_attachment(bytes=json.dumps(plant.flat("attachment.json")).encode(), filename="data.json")
    scope.add_attachment(
        bytes=plant.text("attachment.csv").encode("utf-16"), filename="table.csv", content_type="text/csv"
    )
    wide = plant.text("attachment.wide").encode("utf-16-le")
    scope.add_attachment(bytes=wide, filename="wide.txt", content_type="text/plain")
    scope.add_attachment(bytes=b"-", filename=f"{plant.line('attachment.name')}.txt", content_type="text/plain")
    sentry_sdk.capture_message("with attachments")


@scene
async def feedback() -> None:
    sentry_sdk.capture_event(
        {
            "type": "feedback",
            "contexts": {
                "feedback": {
                    "message": plant.text("feedback.message"),
                    "contact_email": plant.one("feedback.contact", "email"),
                    "url": f"https://h/place=feedback.contact?token={plant.one('feedback.url', 'access_token')}",
                }
            },
        }
    )


@scene
async def raw_event() -> None:
    # Outside of the request: what integrations know about it would take the place of this.
    contextvars.Context().run(sentry_sdk.capture_event, event())


def event() -> Any:
    """Return an event that the application has made itself."""
    return {
        "message": plant.text("event.message"),
        "logentry": {"message": plant.text("event.template"), "params": [plant.text("event.params")]},
        "logger": plant.line("event.logger"),
        "transaction": plant.line("event.transaction"),
        "culprit": plant.line("event.culprit"),
        "tags": [["password", plant.one("event.tag_pair")], ["mark", "place=event.tag_pair"]],
        "extra": {"command": ["app", "place=event.argv", "--password", plant.one("event.argv", "api_key")]},
        "server_name": plant.line("event.server_name"),
        "dist": plant.line("event.dist"),
        "request": {
            "url": f"https://h/place=event.url?token={plant.one('event.url', 'access_token')}",
            "query_string": f"mark=place%3Devent.query&token={plant.one('event.query', 'access_token')}",
            "cookies": {"theme": plant.one("event.cookies", "session")},
            "headers": {"Authorization": plant.one("event.headers", "api_key"), "X-Mark": "place=event.headers"},
            "env": {"REMOTE_ADDR": plant.one("event.address", "ip"), "DB_PASSWORD": plant.one("event.env")},
            "data": plant.text("event.body"),
        },
        "planted": plant.record("event.unknown"),
    }


@scene
async def cut_texts() -> None:
    """Let the SDK cut the text in the middle of each value."""
    for number, kind in enumerate(
        ("jwt", "github", "stripe", "aws", "slack", "db_url", "email", "pem", "basic", "openai", "sendgrid")
    ):
        place = f"cut.{kind}"
        sentence = plant.sentence(place, kind)
        start = f"place={place} "
        end = sentence.index(plant.one(place, kind)[-12:]) if kind != "pem" else sentence.index("\n") + 90
        padding = "x " * CUT
        sentry_sdk.set_context(f"text {number}", {"text": start + padding[: CUT - 3 - len(start) - end] + sentence})
    sentry_sdk.capture_message("cut texts")


# Requests


@router.get("/scenes/{name}")
async def play(name: str) -> dict[str, str]:
    await SCENES[name]()
    return {"played": name}


@router.get("/scenes")
async def scenes() -> list[str]:
    return list(SCENES)


@router.get("/planted")
async def planted() -> list[tuple[str, str]]:
    await asyncio.to_thread(sentry_sdk.flush, 60)
    return sorted(plant.planted)


@router.api_route("/break", methods=["GET", "POST"])
async def break_request(request: Request) -> None:
    parts = [request.headers, request.cookies, request.query_params, request.scope, request.client, request.url]
    pairs, raw, views = request.headers.items(), list(request.headers.raw), [dict(request.headers).values()]
    bare = list(request.headers.values())
    raise RuntimeError(f"broken with {len(parts) + len(pairs) + len(raw) + len(views) + len(bare)}")


@router.post("/read")
async def read_body(request: Request) -> None:
    body = await request.body()
    text = body.decode("latin-1")
    raise RuntimeError(f"read {len(text)}")


@router.post("/form")
async def read_form(request: Request) -> None:
    form = await request.form()
    fields = list(form.multi_items())
    raise RuntimeError(f"read {len(fields)}")


@router.post("/log")
async def log_request(request: Request) -> None:
    logger.error(
        "%s %s %s %s", request.method, request.url, dict(request.headers), (await request.body()).decode("latin-1")
    )


@router.post("/login")
async def log_in(login: Login) -> None:
    credentials = login.model_dump()
    raise RuntimeError(f"logged in with {len(credentials)}")


@router.get("/reset-password/{token}")
@router.get("/orders/{token}")
def reset(token: str) -> None:
    raise RuntimeError(f"no such place={len(token)}")


@router.get("/background")
async def background(tasks: BackgroundTasks) -> None:
    def work(mark: str, password: str) -> None:
        raise RuntimeError(plant.text("background.message") + mark + str(len(password)))

    tasks.add_task(work, "place=background.local", plant.one("background.local"))


@router.get("/stream")
async def stream() -> AsyncIterator[str]:
    yield "a"
    raise RuntimeError(plant.text("stream.message"))


@router.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    headers, query = dict(websocket.headers), websocket.query_params
    raise RuntimeError(f"{plant.text('socket.message')} {len(headers) + len(query)}")


class Breaking:
    """A middleware that breaks."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Break where the path says so."""
        if scope.get("path") == "/planted/middleware":
            headers = dict(scope["headers"])
            raise RuntimeError(f"{plant.text('middleware.message')} {len(headers)}")
        await self.app(scope, receive, send)


def build() -> FastAPI:
    """Return the application, watched as ``PLANTED`` says."""
    if WATCHER == "ours":
        from app.api.routes.health import PATHS  # noqa: PLC0415 starts the application
        from app.core.config import load_settings  # noqa: PLC0415
        from app.core.sentry import configure_sentry, find_release  # noqa: PLC0415
        from app.main import app as application  # noqa: PLC0415

        more = ["httpx2.Httpx2Integration"]
        configure_sentry(load_settings(), find_release(), ignored_paths=PATHS, integrations=more, **OPTIONS)
    else:
        logging.basicConfig(level="INFO")
        sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], release="planted@1", traces_sample_rate=1.0, **OPTIONS)
        application = FastAPI()
    # Profiles say which threads there are.
    threading.Thread(target=time.sleep, args=(3600,), name=plant.line("profile.thread"), daemon=True).start()
    application.include_router(router)
    application.add_middleware(Breaking)
    return application


app = build()
