"""The API's description, ``contracts/openapi.json``: ``python -m app.openapi`` writes it."""

import json

from fastapi import FastAPI

from app.core.contracts import CONTRACTS
from app.main import app

PATH = CONTRACTS / "openapi.json"


def describe(api: FastAPI) -> str:
    """Return the OpenAPI document: the same text for the same API, whatever the release."""
    return json.dumps(api.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(describe(app), encoding="utf-8")
