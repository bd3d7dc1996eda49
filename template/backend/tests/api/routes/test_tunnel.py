"""The tunnel: it forwards the page's envelopes to one place, and nothing can make it do anything else."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi.testclient import TestClient
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.routes import tunnel as route
from app.core.sentry import tunnel as core
from app.core.sentry.tunnel import (
    MAX_CLIENTS,
    MAX_ENVELOPE_BYTES,
    MAX_HEADER_BYTES,
    REQUESTS_PER_WINDOW,
    BadEnvelopeError,
    ClientLimiter,
    Tunnel,
    read_dsn,
)
from tests.support import Ingest, MakeApp, StartSentry, receiving

PATH = "/api/v1/tunnel"
ORIGIN = {"Origin": "http://testserver"}
ITEM = b'{"type":"event"}\n{"message":"from the page"}\n'
LARGE = b"x" * (MAX_ENVELOPE_BYTES + 1)

Send = Callable[..., Response]


def envelope(dsn: object, **more: object) -> bytes:
    return json.dumps({"dsn": dsn, **more}).encode() + b"\n" + ITEM


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    with receiving() as server:
        yield server


@pytest.fixture
def caller(ingest: Ingest, make_app: MakeApp) -> Iterator[TestClient]:
    """Return a caller of the API, which forwards to the ingest."""
    with TestClient(make_app(VITE_SENTRY_DSN=ingest.dsn)) as client:
        yield client


@pytest.fixture
def send(caller: TestClient) -> Send:
    """Return a function that sends an envelope as the page does."""

    def post(body: bytes, /, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return caller.post(PATH, content=body, headers={"Content-Type": "text/plain;charset=UTF-8", **ORIGIN, **named})

    return post


def test_an_envelope_arrives_byte_for_byte_and_the_answer_is_empty(send: Send, ingest: Ingest) -> None:
    body = envelope(ingest.dsn, sdk={"name": "sentry.javascript.react"})

    answer = send(body)

    [request] = ingest.requests
    assert (request.path, request.body) == ("/api/1/envelope/", body)
    assert request.headers["x-sentry-auth"].endswith("sentry_key=public")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "cache-control" not in answer.headers


def test_nothing_of_the_visitor_but_the_envelope_is_passed_on(send: Send, ingest: Ingest) -> None:
    send(
        envelope(ingest.dsn),
        Cookie="session=secret",
        Authorization="Bearer secret",
        X_Forwarded_For="203.0.113.7",
        User_Agent="visitor",
        Referer="http://testserver/secret",
        Sentry_Trace="0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        Baggage="sentry-environment=x",
        X_Sentry_Auth="Sentry sentry_key=other",
    )

    assert set(ingest.requests[0].headers) == {
        "host",
        "content-length",
        "content-type",
        "user-agent",
        "x-sentry-auth",
    }
    assert "secret" not in str(ingest.requests[0].headers)
    assert "visitor" not in str(ingest.requests[0].headers)


def test_a_compressed_envelope_stays_compressed(send: Send, ingest: Ingest) -> None:
    body = gzip.compress(envelope(ingest.dsn))

    assert send(body, Content_Encoding="gzip").status_code == 200

    [request] = ingest.requests
    assert request.headers["content-encoding"] == "gzip"
    assert request.body == body


def test_the_largest_envelope_passes_and_one_byte_more_does_not(send: Send, ingest: Ingest) -> None:
    start = envelope(ingest.dsn)
    body = start + b"x" * (MAX_ENVELOPE_BYTES - len(start))

    assert send(body).status_code == 200
    assert send(body + b"x").status_code == 413
    assert [len(request.body) for request in ingest.requests] == [MAX_ENVELOPE_BYTES]


def test_many_items_and_none_are_forwarded_as_they_are(send: Send, ingest: Ingest) -> None:
    for body in (envelope(ingest.dsn) + ITEM * 20_000, envelope(ingest.dsn).split(b"\n")[0] + b"\n"):
        assert send(body).status_code == 200
        assert ingest.requests[-1].body == body


def tricks(dsn: str, evil: str) -> dict[str, object]:
    """Return DSNs that some reader might take for the right one."""
    host, bad = urlsplit(dsn).netloc.partition("@")[2], urlsplit(evil).netloc.partition("@")[2]
    port = urlsplit(dsn).port or 0
    return {
        "another host": evil,
        "userinfo": f"http://public@{host}@{bad}/1",
        "userinfo first": f"http://public@{bad}@{host}/1",
        "password": f"http://public:secret@{host}/1",
        "another key": dsn.replace("public", "other"),
        "another project": dsn[:-1] + "2",
        "another port": f"http://public@127.0.0.1:{port + 1}/1",
        "no port": "http://public@127.0.0.1/1",
        "another scheme": dsn.replace("http:", "https:"),
        "upper case scheme": dsn.replace("http:", "HTTP:"),
        "upper case key": dsn.replace("public", "PUBLIC"),
        "name": f"http://public@localhost:{port}/1",
        "IPv6": f"http://public@[::1]:{port}/1",
        "IPv6 mapped": f"http://public@[::ffff:127.0.0.1]:{port}/1",
        "decimal": f"http://public@2130706433:{port}/1",
        "octal": f"http://public@0177.0.0.1:{port}/1",
        "short": f"http://public@127.1:{port}/1",
        "metadata": "http://public@169.254.169.254/1",
        "encoded host": f"http://public@127%2e0%2e0%2e1:{port}/1",
        "full width": dsn.replace(".", "\uff0e"),
        "trailing dot": f"http://public@127.0.0.1.:{port}/1",
        "suffix": f"http://public@{host}.evil.example/1",
        "path": f"http://public@{host}/../1",
        "longer path": f"http://public@{host}/a/1",
        "slash": dsn + "/",
        "query": dsn + "?x=1",
        "fragment": dsn + "#x",
        "backslash": dsn.replace("@", "\\@"),
        "newline": dsn + "\n",
        "header in it": dsn + "\r\nHost: evil.example",
        "tab": dsn.replace("@", "@\t"),
        "NUL": dsn + "\0",
        "space": " " + dsn,
        "empty": "",
        "null": None,
        "list": [dsn],
        "object": {"dsn": dsn},
        "number": 1,
        "true": True,
        "file": "file:///etc/passwd",
    }


TRICKS = tuple(tricks("http://public@127.0.0.1:1/1", "http://public@127.0.0.1:2/1"))


@pytest.mark.parametrize("trick", TRICKS)
def test_any_other_dsn_is_refused_and_goes_nowhere(trick: str, send: Send, ingest: Ingest) -> None:
    with receiving() as evil:
        dsn = tricks(ingest.dsn, evil.dsn)[trick]

        answer = send(envelope(dsn))

        assert (answer.status_code, answer.content) == (403, b"")
        assert ingest.requests == evil.requests == []


def bad_headers(dsn: str) -> dict[str, bytes]:
    right = json.dumps(dsn).encode()
    return {
        "empty": b"",
        "no newline": b'{"dsn":' + right + b"}",
        "empty line": b"\n" + envelope(dsn),
        "text": b"hello\n" + ITEM,
        "string": right + b"\n" + ITEM,
        "list": b"[" + right + b"]\n" + ITEM,
        "number": b"1\n" + ITEM,
        "null": b"null\n" + ITEM,
        "twice": b'{"dsn":"http://public@evil.example/1","dsn":' + right + b"}\n" + ITEM,
        "twice, right first": b'{"dsn":' + right + b',"dsn":"http://public@evil.example/1"}\n' + ITEM,
        "twice, escaped": b'{"dsn":' + right + b',"\\u0064sn":"http://public@evil.example/1"}\n' + ITEM,
        "byte order mark": b"\xef\xbb\xbf" + envelope(dsn),
        "UTF-16": json.dumps({"dsn": dsn}).encode("utf-16") + b"\n",
        "not UTF-8": b'{"dsn":' + right + b',"x":"\xff"}\n',
        "NUL": b"\0" + envelope(dsn),
        "NUL behind": b'{"dsn":' + right + b"}\0\n",
        "deep": b'{"dsn":' + right + b',"x":' + b"[" * 8000 + b"]" * 8000 + b"}\n",
        "deep and open": b"[" * (MAX_HEADER_BYTES - 1) + b"\n",
        "long": envelope(dsn, x="x" * MAX_HEADER_BYTES),
        "long number": b'{"dsn":' + right + b',"x":' + b"1" * 5000 + b"}\n",
        "split over lines": b'{"dsn":\n' + right + b"}\n" + ITEM,
        "two objects": b'{"dsn":' + right + b'}{"dsn":"x"}\n',
        "single quotes": b"{'dsn':'x'}\n",
    }


@pytest.mark.parametrize("name", tuple(bad_headers("")))
def test_what_is_no_envelope_is_refused_and_goes_nowhere(name: str, send: Send, ingest: Ingest) -> None:
    answer = send(bad_headers(ingest.dsn)[name])

    assert (answer.status_code, answer.content) == (400, b"")
    assert ingest.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"not compressed",
        gzip.compress(b"")[:5],
        gzip.compress(b"\0" * 50_000_000),
        gzip.compress(b'{"dsn":"' + b"x" * 50_000_000),
        zlib.compress(b'{"dsn":"x"}\n'),
    ],
    ids=["plain", "cut", "bomb", "bomb in a header", "zlib"],
)
def test_compression_is_no_way_in(body: bytes, send: Send, ingest: Ingest) -> None:
    assert send(body, Content_Encoding="gzip").status_code == 400
    assert ingest.requests == []


def test_a_bomb_behind_a_good_header_is_never_unpacked_here(send: Send, ingest: Ingest) -> None:
    body = gzip.compress(envelope(ingest.dsn) + b"\0" * 50_000_000)

    assert send(body, Content_Encoding="gzip").status_code == 200
    assert ingest.requests[0].body == body


@pytest.mark.parametrize(
    "header",
    [
        {"Content_Encoding": "br"},
        {"Content_Encoding": "gzip, gzip"},
        {"Content_Encoding": "deflate"},
        {"Content_Type": "application/json"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ],
)
def test_other_types_and_encodings_are_refused(header: dict[str, str], send: Send, ingest: Ingest) -> None:
    assert send(envelope(ingest.dsn), **header).status_code == 415
    assert ingest.requests == []


GOOD_ORIGINS = ["http://testserver", "https://testserver", "http://testserver:80", "https://testserver:443"]
BAD_ORIGINS = [
    "",
    "null",
    "testserver",
    "http://",
    "http://evil.example",
    "http://testserver.evil.example",
    "http://eviltestserver",
    "http://testserver@evil.example",
    "http://evil@testserver",
    "http://testserver:8080",
    "http://testserver:443",
    "http://testserver/",
    "ftp://testserver",
    "file://",
    "chrome-extension://testserver",
]


@pytest.mark.parametrize("origin", GOOD_ORIGINS)
def test_pages_of_the_same_host_may_use_it(origin: str, send: Send, ingest: Ingest) -> None:
    assert send(envelope(ingest.dsn), Origin=origin).status_code == 200


@pytest.mark.parametrize("origin", BAD_ORIGINS)
def test_pages_of_other_hosts_may_not(origin: str, send: Send, ingest: Ingest) -> None:
    answer = send(envelope(ingest.dsn), Origin=origin)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert ingest.requests == []


def test_a_request_without_an_origin_comes_from_no_browser(caller: TestClient, ingest: Ingest) -> None:
    assert caller.post(PATH, content=envelope(ingest.dsn)).status_code == 403


def test_further_origins_may_be_allowed_and_can_read_the_answer(ingest: Ingest, make_app: MakeApp) -> None:
    ingest.headers = {"X-Sentry-Rate-Limits": "60:replay:organization"}
    origins = "https://app.example.com, https://www.example.com:8443"
    with TestClient(make_app(VITE_SENTRY_DSN=ingest.dsn, SENTRY_TUNNEL_ORIGINS=origins)) as caller:
        answers = [
            caller.post(PATH, content=envelope(ingest.dsn), headers={"Origin": origin})
            for origin in ("https://app.example.com", "https://www.example.com:8443", "https://www.example.com")
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert answers[0].headers["access-control-allow-origin"] == "https://app.example.com"
    assert answers[0].headers["vary"] == "Origin"
    assert "X-Sentry-Rate-Limits" in answers[0].headers["access-control-expose-headers"]


@pytest.mark.parametrize("variables", [{}, {"VITE_SENTRY_DSN": ""}, {"SENTRY_TUNNEL": "false"}])
def test_unconfigured_or_off_it_is_not_there(variables: dict[str, str], ingest: Ingest, make_app: MakeApp) -> None:
    known = {"VITE_SENTRY_DSN": ingest.dsn} if "SENTRY_TUNNEL" in variables else {}
    with TestClient(make_app(**known, **variables)) as caller:
        answer = caller.post(PATH, content=envelope(ingest.dsn), headers=ORIGIN)

    assert (answer.status_code, answer.content) == (404, b"")
    assert ingest.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 503])
def test_errors_and_rate_limits_of_sentry_are_passed_on_without_the_body(
    status: int, send: Send, ingest: Ingest
) -> None:
    ingest.status, ingest.body = status, b'{"detail":"about the organization"}'
    ingest.headers = {
        "X-Sentry-Rate-Limits": "60:error;transaction:organization",
        "Retry-After": "60",
        "Set-Cookie": "tracker=1",
        "Cache-Control": "no-store",
        "X-Other": "x",
    }

    answer = send(envelope(ingest.dsn))

    assert (answer.status_code, answer.content) == (status, b"")
    assert dict(answer.headers) == {
        "x-sentry-rate-limits": "60:error;transaction:organization",
        "retry-after": "60",
        "content-length": "0",
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, send: Send, ingest: Ingest) -> None:
    with receiving() as evil:
        ingest.status, ingest.headers = status, {"Location": f"http://127.0.0.1:{evil.port}/secret"}

        answer = send(envelope(ingest.dsn))

        assert answer.status_code == 502
        assert "location" not in answer.headers
        assert evil.requests == []


def test_an_upstream_that_closes_or_is_away_is_a_bad_gateway(send: Send, ingest: Ingest, make_app: MakeApp) -> None:
    ingest.closes = True
    assert send(envelope(ingest.dsn)).status_code == 502
    with receiving() as gone:
        pass
    with TestClient(make_app(VITE_SENTRY_DSN=gone.dsn)) as caller:
        assert caller.post(PATH, content=envelope(gone.dsn), headers=ORIGIN).status_code == 502


def test_an_upstream_that_is_silent_is_a_timeout(send: Send, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "FORWARD_SECONDS", 0.1)
    ingest.may_answer.clear()

    assert send(envelope(ingest.dsn)).status_code == 504


def test_an_endless_answer_is_not_read_to_the_end(send: Send, ingest: Ingest) -> None:
    ingest.body = b"x" * 10_000_000

    assert send(envelope(ingest.dsn)).status_code == 200


@pytest.mark.parametrize(("places", "places_of_client"), [(8, 8), (20, 5)])
def test_envelopes_on_their_way_do_not_pile_up(
    places: int, places_of_client: int, send: Send, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "MAX_IN_FLIGHT", places)
    monkeypatch.setattr(core, "MAX_IN_FLIGHT_OF_CLIENT", places_of_client)
    monkeypatch.setattr(core, "FORWARD_SECONDS", 120)
    most = min(places, places_of_client)
    ingest.may_answer.clear()
    answered = threading.Semaphore(0)

    def post() -> Response:
        answer = send(envelope(ingest.dsn))
        answered.release()
        return answer

    with ThreadPoolExecutor(most + 5) as pool:
        futures = [pool.submit(post) for _ in range(most + 5)]
        # The five that find no place are answered while the others wait.
        for _ in range(5):
            assert answered.acquire(timeout=60)
        ingest.may_answer.set()
        answers = [future.result() for future in futures]

    assert sorted(answer.status_code for answer in answers) == [200] * most + [503] * 5
    assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 503} == {"5"}
    assert len(ingest.requests) == most
    assert send(envelope(ingest.dsn)).status_code == 200


def test_a_client_that_sends_too_much_is_told_to_wait(send: Send, ingest: Ingest, caller: TestClient) -> None:
    limiter = caller.app.state.tunnel.clients  # type: ignore[attr-defined]
    for _ in range(REQUESTS_PER_WINDOW):
        limiter.wait_for("testclient")

    answer = send(envelope(ingest.dsn))

    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert ingest.requests == []


def test_clients_are_limited_one_by_one_until_their_minute_is_over() -> None:
    now = 0.0
    limiter = ClientLimiter(clock=lambda: now)

    assert [limiter.wait_for("192.0.2.1") for _ in range(REQUESTS_PER_WINDOW + 2)][-3:] == [0, 60, 60]
    assert limiter.wait_for("192.0.2.2") == 0
    now = 59.5
    assert limiter.wait_for("192.0.2.1") == 1
    now = 60
    assert limiter.wait_for("192.0.2.1") == 0


def test_addresses_of_one_network_are_one_client() -> None:
    limiter = ClientLimiter(clock=lambda: 0.0)

    waits = [limiter.wait_for(f"2001:db8::{number:x}") for number in range(REQUESTS_PER_WINDOW + 1)]

    assert waits[-1] == 60
    assert limiter.wait_for("2001:db8:0:1::1") == 0
    assert limiter.wait_for("") == limiter.wait_for("no address") == 0


def test_the_memory_of_clients_is_bounded() -> None:
    limiter = ClientLimiter(clock=lambda: 0.0)

    for number in range(MAX_CLIENTS + 10):
        limiter.wait_for(str(number))

    assert len(limiter._windows) == MAX_CLIENTS


def test_it_leaves_no_trace_of_itself_in_sentry(ingest: Ingest, make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"integrations": ["httpx2.Httpx2Integration"]}, SENTRY_TRACES_SAMPLE_RATE="1")
    ingest.status = 500
    with TestClient(make_app(VITE_SENTRY_DSN=ingest.dsn)) as caller:
        # The client of the test is instrumented too; what it does is no part of this.
        sampled = {"Sentry-Trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"}
        answer = caller.post(PATH, content=envelope(ingest.dsn), headers={**ORIGIN, **sampled})

    assert answer.status_code == 500
    assert sent.events == sent.transactions == []
    assert {"sentry-trace", "baggage"}.isdisjoint(ingest.requests[0].headers)


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("https://k@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/"),
        ("https://k:old@sentry.example.com/7", "https://sentry.example.com/api/7/envelope/"),
        ("http://k@[::1]:8969/prefix/7", "http://[::1]:8969/prefix/api/7/envelope/"),
    ],
)
def test_the_destination_comes_from_the_settings(dsn: str, url: str) -> None:
    tunnel = Tunnel(dsn)

    assert tunnel._url == url
    assert tunnel.accepts(dsn.replace(":old", ""))
    assert not tunnel.accepts(None)


def test_a_proxy_of_the_environment_is_used(ingest: Ingest, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{ingest.port}")
    dsn = "http://public@sentry.example.com/1"

    with TestClient(make_app(VITE_SENTRY_DSN=dsn)) as caller:
        answer = caller.post(PATH, content=envelope(dsn), headers=ORIGIN)

    assert answer.status_code == 200
    assert ingest.requests[0].path == "http://sentry.example.com/api/1/envelope/"


@pytest.mark.parametrize("proxy", ["http://proxy.example.com:none", "http://[proxy:3128", "http://a:99999999"])
def test_a_proxy_that_is_none_is_told_and_left_out(
    proxy: str, ingest: Ingest, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)

    with TestClient(make_app(VITE_SENTRY_DSN=ingest.dsn)) as caller:
        answer = caller.post(PATH, content=envelope(ingest.dsn), headers=ORIGIN)

    assert answer.status_code == 200
    assert len(ingest.requests) == 1
    assert "HTTP_PROXY or HTTPS_PROXY: the value is not an address" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode() + b"\n"), gzipped=st.booleans())
def test_reading_a_header_fails_in_one_way_only(body: bytes, gzipped: bool) -> None:
    try:
        dsn = read_dsn(gzip.compress(body) if gzipped else body, gzipped=gzipped)
    except BadEnvelopeError:
        return
    assert dsn is None or isinstance(dsn, str)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_but_the_right_dsn_reaches_the_ingest(data: st.DataObject, send: Send, ingest: Ingest) -> None:
    at = data.draw(st.integers(0, len(ingest.dsn)))
    length = data.draw(st.integers(0, 3))
    dsn = ingest.dsn[:at] + data.draw(st.text(max_size=5)) + ingest.dsn[at + length :]
    more: dict[str, Any] = data.draw(st.dictionaries(st.text(), JSON, max_size=3))

    answer = send(json.dumps({**more, "dsn": dsn}).encode() + b"\n" + data.draw(st.binary()))

    assert answer.status_code == (200 if dsn == ingest.dsn else 403)
    assert len(ingest.requests) == (dsn == ingest.dsn)
    ingest.requests.clear()


@pytest.fixture
def port(ingest: Ingest, make_app: MakeApp) -> Iterator[int]:
    """Serve the API with a real server and return its port."""
    config = uvicorn.Config(make_app(VITE_SENTRY_DSN=ingest.dsn), log_config=None)
    server = uvicorn.Server(config)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def speak(port: int, head: str, *parts: bytes) -> bytes:
    """Send the words of a request as they are and return the first line of the answer."""
    lines = f"POST {PATH} HTTP/1.1\r\nHost: api\r\nOrigin: http://api\r\n{head}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for part in (lines.encode("latin-1"), *parts):
            try:
                connection.sendall(part)
            except OSError:
                break
        return connection.makefile("rb").readline().strip()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_a_body_in_chunks_is_forwarded(port: int, ingest: Ingest) -> None:
    body = envelope(ingest.dsn)

    line = speak(port, "Transfer-Encoding: chunked", *(chunk(bytes([byte])) for byte in body), b"0\r\n\r\n")

    assert line == b"HTTP/1.1 200 OK"
    assert ingest.requests[0].body == body


def test_a_body_in_chunks_ends_at_the_limit(port: int, ingest: Ingest) -> None:
    start = chunk(envelope(ingest.dsn))

    line = speak(port, "Transfer-Encoding: chunked", start, *[chunk(b"x" * 65536)] * 81)

    assert line.startswith(b"HTTP/1.1 413")
    assert ingest.requests == []


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (f"Content-Length: {MAX_ENVELOPE_BYTES + 1}", b"", b"413"),
        ("Content-Length: 99999999999999999999", b"", b"413"),
        ("Content-Length: -1", b"", b"400"),
        ("Content-Length: 100", b"{", b"408"),
        ("Transfer-Encoding: chunked", b"5\r\n{", b"408"),
        ("Content-Length: 2\r\nX: \x00", b"{}", b"400"),
        ("X-Large: " + "x" * 100_000, b"", b"4"),
    ],
)
def test_lies_and_silence_are_refused(
    head: str, body: bytes, status: bytes, port: int, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "READ_SECONDS", 0.5)
    assert speak(port, head, body).split()[1].startswith(status)
    assert ingest.requests == []


def test_a_length_that_is_too_short_cuts_the_body(port: int, ingest: Ingest) -> None:
    assert speak(port, "Content-Length: 5", envelope(ingest.dsn)).split()[1] == b"400"
    assert ingest.requests == []


def test_a_client_that_leaves_disturbs_nobody(port: int, ingest: Ingest) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: api\r\nOrigin: http://api\r\n".encode())
        connection.sendall(b"Content-Length: 100\r\n\r\n{")

    body = envelope(ingest.dsn)
    assert speak(port, f"Content-Length: {len(body)}", body) == b"HTTP/1.1 200 OK"
