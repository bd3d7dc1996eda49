"""The description of the API."""

import json
import subprocess
import sys

from app.core.contracts import CONTRACTS, ROOT
from app.main import app
from app.openapi import PATH, describe


def test_the_document_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == describe(app), "contracts/openapi.json is stale: run make openapi"


def test_the_document_does_not_depend_on_the_release() -> None:
    assert json.loads(describe(app))["info"]["version"] == "1"


def test_every_operation_declares_its_problems_and_has_a_name_of_its_own() -> None:
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["responses"]["default"]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }


def test_the_command_writes_the_document() -> None:
    before = PATH.read_bytes()

    subprocess.run([sys.executable, "-m", "app.openapi"], cwd=ROOT / "backend", check=True, capture_output=True)

    assert PATH.read_bytes() == before
    assert PATH.parent == CONTRACTS
