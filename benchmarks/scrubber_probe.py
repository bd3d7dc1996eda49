"""Measures the scrubber of the backend that is on the path, and prints figures as JSON.

Runs in the generated backend's environment, and so imports nothing of this repository.
"""

import copy
import json
import random
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from importlib import import_module
from math import log
from statistics import linear_regression, median
from typing import Any

Scrubber: Any = import_module("app.core.sentry.scrubber").Scrubber
EventScrubber: Any = import_module("sentry_sdk.scrubber").EventScrubber
RULES: Any = import_module("app.core.sentry.rules").load_rules()
UNLIMITED = {"max_string_length": 10**8, "max_size": 10**10, "max_width": 10**7, "max_depth": 10**4}
SEED = 20261122
ROUNDS = 60
PROGRESS = 10_000

KEYS = ["password", "api_key", "X-Auth-Token", "clientSecret", "cookie", "DB_PASSWORD", "pin", "sessionid", "mfa_code"]
SECRETS = [
    "{key}={canary}", "{key}: {canary}", "{key} = '{canary}'", "'{key}': 'two {canary} words'", '"{key}":"{canary}"',
    '\\"{key}\\": \\"{canary}\\"', "{key}%3D{canary}", "a=1&{key}={canary}&b=2", "?{key}={canary}", "--{key} {canary}",
    "User(id=1, {key}='{canary}', n=2)", "Config({key}=Secret('{canary}'))", "{key}=b'{canary}'",
    "('{key}', '{canary}')",
    "(b'{key}', b'{canary}')", "<{key}>{canary}</{key}>", "{{'{key}': '{canary}'}}", "{key}=['{canary}']",
    'form-data; name="{key}"\r\n\r\n{canary}\r\n--', "https://host.example/?a=1&{key}={canary}", "/cb?code={canary}",
    "https://user:{canary}@host.example/", "redis://:{canary}@cache", "db://app:{canary}", "Bearer {canary}",
    "Authorization: Basic {canary}", "Cookie: a=b; c={canary}", "eyJhbGciOiJIUzI1NiJ9.{canary}.c2ln", "AKIA{upper}0123",
    "-----BEGIN PRIVATE KEY-----\n{canary}", "ghp_{canary}0123456789", "sk-ant-{canary}", "/invite/{canary}/accept",
    "/reset-password/{canary}", "https://hooks.slack.com/services/T/B/{canary}", "{canary}@host.example",
]  # fmt: skip
WRAPPED = ["{}", "{} ", "see {}", "'{}'", "({})", "a=1, {}", "[{}]", "x\n{}\ny"]
SURVIVORS = [
    "{uuid}", "{sha}", "my-app@0.1.0+{sha}", "2026-11-22T04:04:07.{micro}Z", "order-{number}",
    "user {number} not found",
    "GET /users/{{id}} 200 in {number} ms", "/srv/app/core/session_{number}.py", "version {digit}.0.{digit}.1",
    "SELECT a FROM t WHERE token = %s AND n = ${digit}", "Mozilla/5.0 (X11; Linux x86_64) Chrome/15{digit}.0.0.0",
    "token refreshed in {number} ms", "password reset requested", "https://host.example:80{digit}/orders/{number}",
    "<Order id={number} status='paid'>", "retry {digit}/5", "pydantic-core==2.{number}.{digit}",
]  # fmt: skip


def fuzz(count: int) -> dict[str, Any]:
    """Scrub random events with canaries in them, and count what left, what changed and what is not stable."""
    scrubber = Scrubber(RULES)
    chance = random.Random(SEED)  # noqa: S311 repeatable, and no secret
    found: dict[str, list[str]] = {"left": [], "changed": [], "unstable": []}
    for number in range(count):
        canary = f"Zx{number:06}CanaryQ7"
        kept, secret = survivors(chance), planted(chance, canary)
        event = nested(chance, {"kept": kept, "message": secret})
        scrubbed = scrubber.scrub(event)
        text = json.dumps(scrubbed)
        if canary.lower() in text.lower():
            found["left"].append(json.dumps(secret))
        if scrubber.scrub(kept) != kept:
            found["changed"].append(json.dumps(kept))
        if number % 10 == 0 and scrubber.scrub(scrubbed) != scrubbed:
            found["unstable"].append(text)
        if number % PROGRESS == 0:
            print(f"{number} of {count} events", file=sys.stderr, flush=True)
    counts: dict[str, Any] = {name: len(texts) for name, texts in found.items()}
    first = {f"first_{name}": "".join(texts[:1])[:200] for name, texts in found.items()}
    return {"events": count, **counts, **first}


def planted(chance: random.Random, canary: str) -> object:
    """Return a canary in one of the places and syntaxes that give a secret away."""
    key = chance.choice(KEYS)
    line = chance.choice(SECRETS).format(key=key, canary=canary, upper=canary.upper())
    structures: list[Any] = [
        {key: canary}, {key: [canary, {"a": canary}]}, [[key, canary]], (key, canary), {"name": key, "value": canary},
        [f"--{key}", canary], {"token": {"value": canary, "type": "string"}}, {"user": {"id": 1, "plan": canary}},
        json.dumps({"outer": [{key: canary}]}), json.dumps(json.dumps({key: canary})),
    ]  # fmt: skip
    return chance.choice(structures) if chance.random() < 1 / 3 else chance.choice(WRAPPED).format(line)


def survivors(chance: random.Random) -> list[str]:
    """Return ordinary texts."""
    values = {
        "uuid": uuid.UUID(int=chance.getrandbits(128), version=4),
        "sha": f"a{chance.getrandbits(156):039x}",
        "micro": chance.randrange(100_000, 1_000_000),
        "number": chance.randrange(1, 100_000),
        "digit": chance.randrange(1, 10),
    }
    return [line.format_map(values) for line in chance.sample(SURVIVORS, 4)]


def nested(chance: random.Random, value: object) -> object:
    """Return a value somewhere in a tree."""
    for _ in range(chance.randrange(5)):
        wrap = chance.randrange(4)
        if wrap == 0:
            value = [1, value, {"ok": True}]
        elif wrap == 1:
            value = {"data": value, "n": 2.5}
        elif wrap == 2:  # noqa: PLR2004 one of four ways
            value = (value,)
        else:
            value = json.dumps([value])
    return value


def growth() -> dict[str, float]:
    """Return by which power of the size the CPU time grows, for inputs made to be slow; limits are off."""
    rules = RULES.model_copy(update=UNLIMITED)
    megabyte = [125_000, 250_000, 500_000, 1_000_000]
    marks = [12_500, 25_000, 50_000, 100_000]
    shapes: dict[str, tuple[Callable[[int], Any], list[int]]] = {
        "1 MB of words": (partial(repeated, "no secret here, 12 times "), megabyte),
        "1 MB of secrets": (partial(repeated, "password=hunter2 mail ada@example.com "), megabyte),
        "10,000 keys": (lambda size: {f"key_{n}": f"value {n}" for n in range(size)}, [1250, 2500, 5000, 10_000]),
        "200 levels": (levels, [25, 50, 100, 200]),
        "JSON in JSON": (
            lambda size: json.dumps(json.dumps(json.dumps(["a b=c"] * size))),
            [2500, 5000, 10_000, 20_000],
        ),
    }
    for mark in ["x", "=", '"', "'", "\\", "[", "{", "/", "4", "%40", "token=", "eyJ", "key-", "Bearer+", "a.", "<a>"]:
        shapes[f"100,000 characters of {mark}"] = (partial(repeated, mark), marks)
    exponents = {}
    for name, (build, sizes) in shapes.items():
        inputs = [build(size) for size in sizes]
        taken = [min(seconds(Scrubber(rules).scrub, value) for _ in range(5)) for value in inputs]
        slope = linear_regression([log(size) for size in sizes], [log(used) for used in taken]).slope
        exponents[name] = round(slope, 3)
        print(f"{name}: {slope:.2f}, {taken[-1] * 1000:.1f} ms", file=sys.stderr, flush=True)
    return exponents


def repeated(mark: str, size: int) -> str:
    """Return as many characters of a text that repeats itself."""
    return (mark * size)[:size]


def levels(size: int) -> object:
    """Return arrays within arrays, many beside each other, so that there is something to measure."""
    value: object = "bottom"
    for _ in range(size):
        value = {"level": [value]}
    return [value] * 50


def seconds(action: Callable[[object], object], value: object) -> float:
    """Return the CPU seconds of one call."""
    began = time.process_time()
    action(value)
    return time.process_time() - began


def cost() -> dict[str, dict[str, float]]:
    """Return microseconds of CPU for ordinary items, in turns with the SDK's own scrubber, and their size."""
    figures = {}
    for name, build in {"20 kB error event": error_event, "3 kB transaction": transaction}.items():
        own, sdk = Scrubber(RULES), EventScrubber(recursive=True)
        own_seconds, sdk_seconds = [], []
        for number in range(ROUNDS):
            event = build(number)
            copied = copy.deepcopy(event)
            own_seconds.append(seconds(own.scrub, event))
            sdk_seconds.append(seconds(sdk.scrub_event, copied))
        figures[name] = {
            "own": median(own_seconds) * 1e6,
            "sdk": median(sdk_seconds) * 1e6,
            "bytes": float(len(json.dumps(build(0)))),
        }
    return figures


def error_event(number: int) -> dict[str, Any]:
    """Return an error event as the SDK makes them: the code is the same each time, the values are not."""
    frames = [
        {
            "filename": f"app/services/part_{place}.py",
            "abs_path": f"/srv/backend/app/services/part_{place}.py",
            "function": f"handle_part_{place}",
            "module": f"app.services.part_{place}",
            "lineno": 40 + place,
            "pre_context": [f"    step_{line} = prepare(order, step={line})" for line in range(5)],
            "context_line": "    return ship(order, carrier=carrier)",
            "post_context": [
                "",
                "",
                "async def cancel(order: Order) -> None:",
                '    """Cancel an order."""',
                "    ...",
            ],
            "vars": {
                "order": {"id": number, "items": [{"sku": f"A-{number}-{n}", "price": 1.5 * n} for n in range(4)]},
                "carrier": f"<Carrier id={number} at 0x7f{number:010x}>",
                "request_id": str(uuid.UUID(int=number * 7919 + place)),
                "password": f"hunter{number}",
                "retries": 3,
            },
            "in_app": True,
        }
        for place in range(16)
    ]
    message = f"cannot ship order {number}"
    return {
        "event_id": f"{number:032x}",
        "level": "error",
        "platform": "python",
        "timestamp": "2026-11-22T04:04:07.233412Z",
        "transaction": "/orders/{order_id}",
        "exception": {"values": [{"type": "ShippingError", "value": message, "stacktrace": {"frames": frames}}]},
        "breadcrumbs": {
            "values": [
                {"category": "query", "message": "SELECT id FROM orders WHERE id = %s", "data": {"ms": number + n}}
                for n in range(20)
            ]
        },
        "request": {"url": f"http://host/orders/{number}", "method": "POST", "headers": {"user-agent": "curl/8.5.0"}},
        "contexts": {"trace": {"trace_id": f"{number + 1:032x}", "span_id": f"{number + 2:016x}", "op": "http.server"}},
        "modules": {f"package-{n}": f"1.{n}.0" for n in range(60)},
    }


def transaction(number: int) -> dict[str, Any]:
    """Return a plain transaction."""
    span = {"op": "db", "description": "SELECT id FROM orders WHERE id = %s", "data": {"db.system": "postgresql"}}
    return {
        "type": "transaction",
        "event_id": f"{number:032x}",
        "transaction": "/orders/{order_id}",
        "timestamp": 1_764_000_000.25 + number,
        "start_timestamp": 1_764_000_000.0 + number,
        "contexts": {"trace": {"trace_id": f"{number + 1:032x}", "span_id": f"{number + 2:016x}", "status": "ok"}},
        "request": {"url": f"http://host/orders/{number}", "method": "GET", "headers": {"user-agent": "curl/8.5.0"}},
        "modules": {f"package-{n}": f"1.{n}.0" for n in range(60)},
        "spans": [{**span, "span_id": f"{number + n:016x}", "trace_id": f"{number + 1:032x}"} for n in range(5)],
    }


def main() -> None:
    """Print the figures that the first argument names."""
    actions: dict[str, Callable[[], Any]] = {"growth": growth, "cost": cost, "fuzz": lambda: fuzz(int(sys.argv[2]))}
    print(json.dumps(actions[sys.argv[1]]()))


if __name__ == "__main__":
    main()
