"""Write the API's contract in parts, one for each extension: ``make contracts``.

A project's ``contracts/openapi.json`` and ``frontend/src/lib/api/schema.d.ts`` depend on which extensions it has. The
template puts them together from ``extensions/<name>/openapi.json`` and ``schema.json``, which this command derives from
the running code.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from harness.project import ROOT, Project, example, render
from harness.releases import candidate

Document = dict[str, Any]

PARTS = ROOT / "extensions"
INDENT = "    "
_MEMBER = re.compile(r'^(?:"(?P<quoted>[^"]+)"|(?P<plain>[A-Za-z_$][\w$]*))\??:', re.MULTILINE)


def names() -> list[str]:
    """Return the extensions there are, in the order in which they start."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    return list(questions["extensions"]["choices"].values())


def main() -> None:
    """Write all parts anew."""
    with tempfile.TemporaryDirectory() as folder:
        template = candidate(Path(folder) / "template")
        project = render(template, Path(folder) / "project", {**example("default"), "extensions": names()})
        project.make("setup")
        core, core_schema = describe(project, [])
        write("core", core, core_schema)
        for name in names():
            document, schema = describe(project, [name])
            write(name, lacking(document, core), lacking(schema, core_schema))
            print(f"extensions/{name}: {len(lacking(document, core).get('paths', {}))} paths", flush=True)


def describe(project: Project, extensions: list[str]) -> tuple[Document, Document]:
    """Return the OpenAPI document and the sections of the typed client of a project with some of its extensions."""
    imports = "".join(f"from app.extensions.{name} import extension as {name}\n" for name in extensions)
    registry = project.path / "backend/app/extensions/__init__.py"
    registry.write_text(
        "from app.core.extension import Extension\n"
        f"{imports}\nEXTENSIONS: tuple[Extension, ...] = ({''.join(f'{name},' for name in extensions)})\n",
        "utf-8",
    )
    project.make("openapi")
    document: Document = json.loads((project.path / "contracts/openapi.json").read_text("utf-8"))
    # The answers' part.
    del document["info"]["title"], document["info"]["description"]
    client = (project.path / "frontend/src/lib/api/schema.d.ts").read_text("utf-8")
    operations = members(section(client, "export interface operations {", "}"), 1)
    sections = {
        "paths": members(section(client, "export interface paths {", "}"), 1),
        "schemas": members(section(client, f"{INDENT}schemas: {{", f"{INDENT}}};"), 2),
        # By path, because that is their order.
        "operations": {
            path: [line for method in item.values() for line in operations[method["operationId"]]]
            for path, item in in_order_of_methods(document["paths"]).items()
        },
    }
    return document, sections


def in_order_of_methods(paths: Document) -> Document:
    """Return the paths with their operations in the order in which the client has them."""
    order = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
    return {path: {method: item[method] for method in order if method in item} for path, item in paths.items()}


def section(text: str, begin: str, end: str) -> list[str]:
    """Return the lines between a line ``begin`` and the next line ``end``."""
    lines = text.splitlines()
    first = lines.index(begin) + 1
    return lines[first : lines.index(end, first)]


def members(lines: list[str], depth: int) -> dict[str, list[str]]:
    """Return the members of an interface by name, each with the comment above it."""
    found: dict[str, list[str]] = {}
    pending: list[str] = []
    closing = INDENT * depth
    for line in lines:
        pending.append(line)
        is_own_end = line.startswith(closing) and not line.startswith(f"{closing} ") and line.endswith(";")
        if is_own_end:
            head = next(
                match
                for row in pending
                if row.startswith(closing) and (match := _MEMBER.match(row.removeprefix(closing)))
            )
            found[head["quoted"] or head["plain"]] = pending
            pending = []
    return found


def lacking(document: Document, base: Document) -> Document:
    """Return what a document has and its base has not, object by object."""
    found: Document = {}
    for key, value in document.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            rest = lacking(value, base[key])
            if rest:
                found[key] = rest
        elif base.get(key) != value:
            found[key] = value
    return found


def write(name: str, document: Document, schema: Document) -> None:
    """Write the two parts of an extension, or remove them when it has no operation."""
    for file, content in (("openapi.json", document), ("schema.json", schema)):
        path = PARTS / name / file
        if content:
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
