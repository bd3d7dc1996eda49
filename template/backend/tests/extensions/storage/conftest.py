"""A real S3 server of this machine: moto, which checks signatures and permissions as Amazon does."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import pytest

from app.extensions.storage.settings import StorageSettings
from tests.extensions.servers import free_port, running_program

BUCKET = "files"
REGION = "us-east-1"
# What the server lets through before it asks for permissions: making a user, its key, its permissions and the bucket.
_UNCHECKED_CALLS = 4
_MANY_CALLS = 10_000
_POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
_IAM = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/iam/aws4_request, "
    "SignedHeaders=host, Signature=none"
}


@dataclass(frozen=True)
class Server:
    """An S3 server with one bucket, and the key that opens it."""

    url: str
    key_id: str
    secret: str

    @property
    def variables(self) -> dict[str, str]:
        """What configures the application for it."""
        return {
            "STORAGE_BUCKET": BUCKET,
            "STORAGE_ENDPOINT_URL": self.url,
            "STORAGE_ACCESS_KEY_ID": self.key_id,
            "STORAGE_SECRET_ACCESS_KEY": self.secret,
        }

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Let requests through without permissions: the server cannot check links, only follow them."""
        self._check_after(_MANY_CALLS)
        try:
            yield
        finally:
            self._check_after(0)

    def unfinished_uploads(self) -> str:
        """Return what the server says of uploads whose parts it still keeps."""
        with self.unchecked():
            answer = httpx2.get(f"{self.url}/{BUCKET}?uploads", timeout=60).raise_for_status().text
        assert "ListMultipartUploadsResult" in answer
        return "".join(re.findall(r"<Upload>.*?</Upload>", answer, re.DOTALL))

    def _check_after(self, calls: int) -> None:
        httpx2.post(f"{self.url}/moto-api/reset-auth", content=str(calls).encode(), timeout=60).raise_for_status()


@contextmanager
def s3_server() -> Iterator[Server]:
    """Run a server for the length of a ``with`` block."""
    url = f"http://127.0.0.1:{free_port()}"

    def is_ready() -> bool:
        try:
            return httpx2.get(f"{url}/moto-api/data.json").is_success
        except httpx2.TransportError:
            return False

    def ask(**call: str) -> str:
        # The first call is slow: the server loads what serves it.
        answer = httpx2.post(url, data={**call, "Version": "2010-05-08"}, headers=_IAM, timeout=60)
        return answer.raise_for_status().text

    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
    unchecked = {"INITIAL_NO_AUTH_ACTION_COUNT": str(_UNCHECKED_CALLS)}
    with running_program(command, is_ready=is_ready, environment=unchecked):
        ask(Action="CreateUser", UserName="app")
        ask(Action="PutUserPolicy", UserName="app", PolicyName="all", PolicyDocument=_POLICY)
        key = ask(Action="CreateAccessKey", UserName="app")
        httpx2.put(f"{url}/{BUCKET}", timeout=60).raise_for_status()
        key_id = re.search("<AccessKeyId>(.+?)<", key)
        secret = re.search("<SecretAccessKey>(.+?)<", key)
        assert key_id
        assert secret
        yield Server(url, key_id[1], secret[1])


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Return a server that all tests share."""
    with s3_server() as running:
        yield running


@pytest.fixture(autouse=True)
def own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the storage read the test's variables alone."""
    monkeypatch.setitem(StorageSettings.model_config, "env_file", None)
