"""The planted values: for each place and kind another one, the same in every run and in every process.

A value has a random core, of which no eight characters in sequence may leave. Out of scope is what nobody can
recognise: a password that stands in a sentence, or alone in a list, without name, syntax or pattern.
"""

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

Category = Literal["secret", "pattern", "personal"]

PIECE = 8
SURVIVORS = "ORD-2026-004217 2026-11-20T10:11:12+00:00 v1.12.3 /items/{item_id} 9007199254740993"


@dataclass(frozen=True)
class Kind:
    """A sort of value.

    Attributes:
        category: "secret" is known by a name or a syntax beside it, "pattern" by its own look.
        core: makes the random part.
        sentence: the text that people write with it, ``{}`` where it stands.
        value: what stands around the core.
    """

    category: Category
    core: Callable[[random.Random], str]
    sentence: str = "used {} once"
    value: str = "{}"


@dataclass(frozen=True)
class Canary:
    """One planted value."""

    place: str
    kind: str
    core: str

    @property
    def name(self) -> str:
        """Where and what."""
        return f"{self.place} ({self.kind})"

    @property
    def value(self) -> str:
        """The whole of it."""
        return KINDS[self.kind].value.replace("{}", self.core)

    @property
    def category(self) -> Category:
        """What it counts as."""
        return KINDS[self.kind].category


def canary(place: str, kind: str) -> Canary:
    """Return the value of a place and a kind."""
    seed = int.from_bytes(hashlib.sha256(f"{place}/{kind}".encode()).digest())
    return Canary(place, kind, KINDS[kind].core(random.Random(seed)))  # noqa: S311 the same in every run


def survivors(place: str) -> str:
    """Return ordinary values that have to arrive as they are."""
    return f"kept {uuid.uuid5(uuid.NAMESPACE_DNS, place)} {SURVIVORS}"


class Planter:
    """Hands values out and remembers them."""

    def __init__(self) -> None:
        self.planted: set[tuple[str, str]] = set()

    def one(self, place: str, kind: str = "password") -> str:
        """Return one value."""
        self.planted.add((place, kind))
        return canary(place, kind).value

    def sentence(self, place: str, kind: str) -> str:
        """Return one value in its sentence."""
        return KINDS[kind].sentence.replace("{}", self.one(place, kind))

    def text(self, place: str) -> str:
        """Return a line per kind, after the name of the place."""
        lines = [self.sentence(place, kind) for kind in KINDS]
        return "\n".join([f"place={place}", survivors(place), *lines])

    def line(self, place: str, kinds: tuple[str, ...] = ("assignment", "jwt", "stripe", "card", "email")) -> str:
        """Return a few kinds in one line, for places that hold no more."""
        return ", ".join([f"place={place}", *(self.sentence(place, kind) for kind in kinds)])

    def flat(self, place: str) -> dict[str, str]:
        """Return text under names."""
        return {
            "mark": f"place={place}",
            "password": self.one(place, "password"),
            "X-Api-Key": self.one(place, "api_key"),
            "userAccessToken": self.one(place, "access_token"),
            "db_url": self.one(place, "db_url"),
            "note": self.line(f"{place}.note"),
            "client_ip": self.one(place, "ip"),
        }

    def record(self, place: str) -> dict[str, Any]:
        """Return what data looks like: names at several depths, pairs, JSON in text, bytes, numbers."""
        return {
            "mark": f"place={place}",
            "password": self.one(place, "password"),
            "nested": {
                "deeper": {"clientSecret": self.one(place, "client_secret"), "mfa_code": [self.one(place, "mfa")]}
            },
            "items": [{"token": self.one(place, "access_token")}, {"email": self.one(place, "email")}],
            "pairs": [["X-Api-Key", self.one(place, "api_key")], ("set-cookie", f"sid={self.one(place, 'session')}")],
            "json": json.dumps({"user": {"passwd": self.one(f"{place}.json", "password")}}),
            "bytes": json.dumps({"password": self.one(f"{place}.bytes", "password")}).encode(),
            "number": int(self.one(place, "card")),
            "text": self.text(f"{place}.text"),
            "contact": {"phone": self.one(place, "phone"), "client_ip": self.one(place, "ip")},
        }


def _letters(count: int, alphabet: str = string.ascii_letters + string.digits) -> Callable[[random.Random], str]:
    return lambda source: "".join(source.choices(alphabet, k=count))


def _digits(source: random.Random, count: int) -> str:
    return "".join(source.choices(string.digits, k=count))


def _password(source: random.Random) -> str:
    # With a digit and a sign, as forms demand it.
    return f"7{_letters(12)(source)}!{_letters(4)(source)}"


def _basic(source: random.Random) -> str:
    return base64.b64encode(_letters(24)(source).encode()).decode()


def _card(source: random.Random) -> str:
    start = f"4{_digits(source, 14)}"
    return next(start + check for check in string.digits if _passes_luhn(start + check))


def _passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _spaced_card(source: random.Random) -> str:
    digits = _card(source)
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _ssn(source: random.Random) -> str:
    return f"{source.randint(100, 665)}-{source.randint(10, 99)}-{source.randint(1000, 9999)}"


def _iban(source: random.Random) -> str:
    account = _digits(source, 18)
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _phone(source: random.Random) -> str:
    return f"+1{source.randint(201, 989)}{source.randint(200, 999)}{_digits(source, 4)}"


def _address(source: random.Random) -> str:
    return (
        f"{source.randint(101, 126)}.{source.randint(100, 255)}.{source.randint(100, 255)}.{source.randint(100, 255)}"
    )


def _pem(source: random.Random) -> str:
    return "\n".join(_letters(64)(source) for _ in range(3))


_token = _letters(32)

KINDS: dict[str, Kind] = {
    # Known by the name or the syntax beside it.
    "password": Kind("secret", _password, "login as bob with password={} failed"),
    "api_key": Kind("secret", _token, "api_key: {}"),
    "client_secret": Kind("secret", _token, 'client_secret="{}"'),
    "access_token": Kind("secret", _token, "GET https://api.example.com/v1/items?access_token={}&page=2"),
    "session": Kind("secret", _token, "Cookie: theme=dark; sessionid={}; lang=de"),
    "mfa": Kind("secret", _letters(16), "mfa_code => {}"),
    "db_url": Kind("secret", _token, "connecting to {}", "postgresql://svc:{}@db.internal:5432/app"),
    "redis_url": Kind("secret", _token, "connecting to {}", "redis://:{}@cache.internal:6379/0"),
    "assignment": Kind("secret", _token, "DB_PASSWORD={}"),
    "python": Kind("secret", _password, "{'user': 'bob', 'password': '{}'}"),
    "json": Kind("secret", _token, 'got {"user": "bob", "refresh_token": "{}"}'),
    "escaped_json": Kind("secret", _password, r'body "{\"user\": \"bob\", \"password\": \"{}\"}"'),
    "dataclass": Kind("secret", _password, "Login(user='bob', password='{}')"),
    "header": Kind("secret", _token, "Authorization: Token {}"),
    "header_pair": Kind("secret", _token, "(b'host', b'api'), (b'x-api-key', b'{}')"),
    "option": Kind("secret", _token, "mysql --password {} -h db"),
    "arguments": Kind("secret", _token, "['mysql', '--password', '{}', '-h', 'db']"),
    "query": Kind("secret", _token, "GET /v1/items?page=2&token={}"),
    "encoded_query": Kind("secret", _token, "next=%2Fv1%3Ftoken%3D{}%26page%3D2"),
    "form": Kind("secret", _token, "user=bob&password={}&remember=1"),
    "multipart": Kind("secret", _token, 'Content-Disposition: form-data; name="password"\r\n\r\n{}\r\n--'),
    "xml": Kind("secret", _token, "<login><user>bob</user><password>{}</password></login>"),
    "connection_string": Kind("secret", _token, "Server=db;User Id=svc;Password={};Encrypt=yes"),
    "azure": Kind("secret", _token, "AccountName=store;AccountKey={}==;EndpointSuffix=core.windows.net"),
    "set_cookie": Kind("secret", _token, "Set-Cookie: session={}; Path=/; HttpOnly"),
    "basic": Kind("secret", _basic, "Authorization: Basic {}", "c3ZjOnBh{}"),
    "curl": Kind("secret", _token, "curl -u bob:{} https://api.example.com/v1"),
    "sql_detail": Kind("secret", _token, "DETAIL: Key (token)=({}) already exists."),
    "sql_literal": Kind("secret", _password, "UPDATE users SET password = '{}' WHERE id = 7"),
    "prose": Kind("secret", _password, "the password is {} by default"),
    "path": Kind("secret", _token, "GET /reset-password/{} answered 500"),
    "pem": Kind("secret", _pem, value="-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"),
    # Known by their own look.
    "jwt": Kind(
        "pattern", lambda source: ".".join(_token(source) for _ in range(2)), value="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{}"
    ),
    "bearer": Kind("pattern", _token, "sent Bearer {} again"),
    "aws": Kind("pattern", _letters(16, string.ascii_uppercase + string.digits), value="AKIA{}"),
    "github": Kind("pattern", _letters(36), value="ghp_{}"),
    "github_fine": Kind("pattern", _letters(60), value="github_pat_{}"),
    "gitlab": Kind("pattern", _letters(20), value="glpat-{}"),
    "slack": Kind("pattern", _letters(24), value="xoxb-1234567890-{}"),
    "slack_webhook": Kind("pattern", _letters(24), value="https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/{}"),
    "stripe": Kind("pattern", _letters(24), value="sk_live_{}"),
    "google": Kind("pattern", _letters(35), value="AIza{}"),
    "openai": Kind("pattern", _letters(48), value="sk-proj-{}"),
    "anthropic": Kind("pattern", _letters(48), value="sk-ant-api03-{}"),
    "sendgrid": Kind("pattern", lambda source: f"{_letters(22)(source)}.{_letters(43)(source)}", value="SG.{}"),
    "twilio": Kind("pattern", _letters(32, string.digits + "abcdef"), value="SK{}"),
    "npm": Kind("pattern", _letters(36), value="npm_{}"),
    "pypi": Kind("pattern", _letters(60), value="pypi-AgEIcHlwaS5vcmc{}"),
    "sentry": Kind("pattern", _letters(60), value="sntrys_{}"),
    "card": Kind("pattern", _card),
    "card_spaced": Kind("pattern", _spaced_card),
    "ssn": Kind("pattern", _ssn),
    "iban": Kind("pattern", _iban),
    # Of people.
    "email": Kind("personal", _letters(14), value="{}@mail.example.com"),
    "email_encoded": Kind("personal", _letters(14), value="{}%40mail.example.com"),
    "phone": Kind("personal", _phone, "called {} back"),
    "ip": Kind("personal", _address, "X-Forwarded-For: {}"),
}

# Of a small alphabet, so that eight characters occur by chance: of these, larger parts are looked for.
NUMBERS = frozenset({"card", "card_spaced", "ssn", "iban", "phone", "ip", "twilio"})
_PART = 12


def pieces(planted: Canary) -> Iterator[str]:
    """Give each text that may not be found: plain, backwards, in base64 at each of its three offsets."""
    if planted.kind in NUMBERS:
        yield from (planted.value, planted.core, planted.core[:_PART], planted.core[-_PART:])
        return
    forms = [planted.core, planted.core[::-1]]
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + planted.core.encode()).decode()
        # The first and the last characters depend on what stands around.
        forms.append(coded[4:-4])
    for form in forms:
        yield from (form[start : start + PIECE] for start in range(len(form) - PIECE + 1))


# These stand in the source of the application.
LITERALS = tuple(
    Canary("source.lines", "password", literal)
    for literal in (
        "7rXq2LmVd84!zKpW",
        "nB6tYw3QfHs9",
        "Lm29QpXv77RtKd01",
        "hG5sVw8eNq2ZkP4r",
        "Vd83KsmQ20pLxWnZ",
        "Jw48RnTb61XcYzLf",
        "NVY8V7bD8P5hEpIKanr6XkZiNia3nn+3s9IRn8S95txkjetMaRvt0EuETd+bV2bY",
        "xLacl9mW78wwHXgVZ3c8fvN6v7ItulfjS/kd/IzpM0DAd6cF1iU8OYgBj2sD/2+D",
        "FUEszjy/9OFvfrY3xYXSQWxTrFXSs8PLaJqQD0PZwP",
        "V1w13S+9HHk17ESUUkXLQANXOUbkCPoROcEodiulmcDyNLp5azrAh1xcNgIvL90A",
        "0PxjMK99Mw5agKNjO5yBos+y96Mq+FAu+FsEhNCsY0aIr7Yprj/sMEPMVhWtIvsH",
        "Kt5vXn83WbqZ",
    )
)
