"""What a request to Sentry's API has to look like, for the calls that sentry-cli makes for a release.

Written by hand after Sentry's public OpenAPI description (https://github.com/getsentry/sentry-api-schema), stricter
where it lets everything pass; what it leaves out, such as the upload of files, after sentry-cli 3.8.
"""

import re
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
SHA1 = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
SLUGS = {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"}, "minItems": 1}
URL = {"type": "string", "pattern": "^https?://"}
VERSION = r"[^/\s]{1,250}"
RELEASE = r"/api/0/organizations/[^/]+/releases/"


def _object(required: tuple[str, ...] = (), **properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


COMMIT = _object(
    ("id", "repository", "timestamp"),
    id=SHA1,
    repository=_or_null(_text(64)),
    message={"type": "string"},
    author_name=_text(128),
    author_email=_text(200),
    timestamp=TIME,
    patch_set={"type": "array", "items": _object(("path", "type"), path=_text(510), type=_text(1))},
)
REF = _object(("commit", "repository"), commit=SHA1, repository=_text(200), previousCommit=_or_null(_text(64)))


@dataclass(frozen=True)
class Call:
    """A kind of request: method, pattern of its path, its query, and the schema of its JSON body, if it has one."""

    method: str
    path: str
    query: str = ""
    body: dict[str, Any] | None = None


CALLS = {
    "new release": Call(
        "POST",
        RELEASE,
        body=_object(
            ("version", "projects"), version=_text(200), projects=SLUGS, dateStarted=TIME, dateReleased=TIME, url=URL
        ),
    ),
    "update release": Call(
        "PUT",
        rf"{RELEASE}(?P<version>{VERSION})/",
        body={
            **_object(
                projects=SLUGS,
                dateReleased=TIME,
                commits={"type": "array", "items": COMMIT, "minItems": 1},
                refs={"type": "array", "items": REF, "minItems": 1},
            ),
            "minProperties": 1,
        },
    ),
    "previous commits": Call("GET", rf"{RELEASE}(?P<version>{VERSION})/previous-with-commits/"),
    "repositories": Call("GET", r"/api/0/organizations/[^/]+/repos/", query=r"cursor=[^&]*"),
    "deploys": Call("GET", rf"{RELEASE}(?P<version>{VERSION})/deploys/"),
    "new deploy": Call(
        "POST",
        rf"{RELEASE}(?P<version>{VERSION})/deploys/",
        body=_object(
            ("environment",),
            environment={"enum": ["development", "staging", "production"]},
            name=_or_null(_text(64)),
            url=_or_null(URL),
            dateStarted=_or_null(TIME),
            dateFinished=_or_null(TIME),
            projects=SLUGS,
        ),
    ),
    "upload options": Call("GET", r"/api/0/organizations/[^/]+/chunk-upload/"),
    "upload": Call("POST", r"/api/0/organizations/[^/]+/chunk-upload/"),
    "assemble": Call(
        "POST",
        r"/api/0/organizations/[^/]+/artifactbundle/assemble/",
        body=_object(
            ("checksum", "chunks", "projects", "version"),
            checksum=SHA1,
            chunks={"type": "array", "items": SHA1, "minItems": 1},
            projects=SLUGS,
            version=_text(200),
            dist=_or_null(_text(64)),
        ),
    ),
}


def recognise(method: str, path: str, query: str) -> tuple[str, str]:
    """Return which call a request is, and the version that its path names; both are empty when it is none."""
    for name, call in CALLS.items():
        found = re.fullmatch(call.path, path)
        if found and call.method == method and re.fullmatch(call.query, query):
            return name, found.groupdict().get("version", "")
    return "", ""


def complaints(name: str, body: object) -> list[str]:
    """Say what a body has against the schema of its call."""
    schema = CALLS[name].body
    if schema is None:
        return []
    return [f"{name}: {error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)]
