"""All routes."""

from typing import Any

from fastapi import APIRouter

from app.api.errors import Problem
from app.api.routes import diagnostics, health
from app.extensions import EXTENSIONS

# Any operation may answer with a problem, so that the typed client knows its shape everywhere.
_PROBLEMS: dict[int | str, dict[str, Any]] = {"default": {"model": Problem, "description": "A problem"}}

router = APIRouter(responses=_PROBLEMS)
router.include_router(health.router)

v1 = APIRouter(prefix="/api/v1")
v1.include_router(diagnostics.router)
for extension in EXTENSIONS:
    if extension.router:
        v1.include_router(extension.router)
router.include_router(v1)
for extension in EXTENSIONS:
    if extension.root_router:
        router.include_router(extension.root_router, include_in_schema=False)
