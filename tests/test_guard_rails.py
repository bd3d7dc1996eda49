"""The rules of a generated project are tested by breaking them: each break fails its lint and names the culprit."""

from pathlib import Path

import pytest

from harness.project import Project


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("backend/app/api/routes/health.py", "import sentry_sdk", "sentry_sdk"),
        ("backend/app/main.py", "import sentry_sdk", "sentry_sdk"),
        ("backend/app/core/exceptions.py", "from app.api import router", "app.api"),
        ("backend/app/core/extension.py", "from app.extensions import EXTENSIONS", "app.extensions"),
    ],
)
def test_a_wrong_import_in_the_backend_is_found_by_the_import_linter(
    file: str, line: str, complaint: str, restore: Project
) -> None:
    path = restore.path / file
    path.write_text(f"{line}\n{path.read_text('utf-8')}", "utf-8")
    result = restore.run("uv", "run", "--directory", "backend", "lint-imports", check=False)
    assert result.returncode != 0
    assert "BROKEN" in result.stdout
    assert complaint in result.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("frontend/src/features/diagnostics/wrong.ts", 'export { captureMessage } from "@sentry/react";'),
        ("frontend/src/components/errors/wrong.ts", 'export { captureException } from "@sentry/browser";'),
        ("frontend/src/lib/api/wrong.ts", 'export * from "../../features/diagnostics/DiagnosticsPage";'),
        ("frontend/src/components/errors/wrong.ts", 'export * from "../../app/App";'),
        ("frontend/src/config/wrong.ts", 'export * from "../components/CopyButton";'),
    ],
)
def test_a_wrong_import_in_the_frontend_fails_lint(file: str, line: str, restore: Project) -> None:
    (restore.path / file).write_text(f"{line}\n", "utf-8")
    result = restore.run("npm", "--prefix", "frontend", "run", "lint", check=False)
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert "noRestrictedImports" in output
    assert Path(file).name in output


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("backend/app/api/unformatted.py", '"""A module."""\n\nNUMBERS = [ 1,2 ]\n'),
        (
            "backend/app/api/untyped.py",
            '"""A module."""\n\n\ndef double(n):  # noqa: ANN001, ANN201\n    """Double."""\n    return n * 2\n',
        ),
        ("ops/unformatted.py", '"""A module."""\n\nNUMBERS = [ 1,2 ]\n'),
        ("frontend/src/lib/unformatted.ts", "export const numbers = [ 1,2 ]\n"),
        ("frontend/src/lib/untyped.ts", "export const anything: any = 1;\n"),
        ("frontend/src/lib/unsafe.ts", "const numbers = [1];\nexport const first: number = numbers[0];\n"),
    ],
)
def test_an_unformatted_or_untyped_file_fails_lint(file: str, text: str, restore: Project) -> None:
    (restore.path / file).write_text(text, "utf-8")
    result = restore.make("lint", check=False)
    assert result.returncode != 0
    assert Path(file).name in result.stdout + result.stderr


def test_a_changed_api_without_a_new_contract_fails_the_tests_and_says_what_to_run(restore: Project) -> None:
    health = restore.path / "backend/app/api/routes/health.py"
    health.write_text(
        health.read_text("utf-8").replace('"/health/live"', '"/health/alive"').replace('"/live"', '"/alive"'), "utf-8"
    )
    only_those = {"PYTEST_ADDOPTS": "tests/test_main.py"}
    result = restore.make("test", environment=only_those, check=False)
    assert result.returncode != 0
    assert "make openapi" in result.stdout


def test_an_old_typed_client_fails_lint(restore: Project) -> None:
    contract = restore.path / "contracts/openapi.json"
    contract.write_text(contract.read_text("utf-8").replace('"/health/live"', '"/health/alive"'), "utf-8")
    result = restore.run("npm", "--prefix", "frontend", "run", "lint", check=False)
    assert result.returncode != 0
