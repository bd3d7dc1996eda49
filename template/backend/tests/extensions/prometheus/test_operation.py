"""The dashboard, the alert rules and the example of a configuration fit what the application counts."""

import json
import re
import subprocess
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.core.contracts import ROOT
from app.core.sentry import capture_exception
from app.core.sentry.delivery import delivery
from tests.extensions.servers import find_program
from tests.support import MakeApp

FILES = ROOT / "ops/extensions/prometheus"
NAME = re.compile(r"\b(?:app|http|sentry|websocket)_[a-z_]+\b")

Document = dict[str, Any]


def promtool(*arguments: str) -> str:
    program = find_program("promtool", package="prometheus")
    result = subprocess.run([program, *arguments], cwd=FILES, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def series(make_app: MakeApp) -> dict[str, set[str]]:
    """Return the labels of every series by its name."""
    with TestClient(make_app(), raise_server_exceptions=False) as caller:
        caller.get("/health")
        capture_exception(KeyError("k"))
        delivery.count_dropped("filter", "client-error")
        text = caller.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if not family.samples:
            # Nobody has connected yet.
            found[f"{family.name}_total"] = {"route"}
        for sample in family.samples:
            found[sample.name] = set(sample.labels)
    return found


def panels() -> list[Document]:
    document: Document = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    found: list[Document] = document["panels"]
    return found


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def assert_exists(expression: str, series: dict[str, set[str]]) -> None:
    names = NAME.findall(expression)
    assert names, expression
    for name, selector in re.findall(r"\b([a-z_]+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)", selector)) - {"job"}
        assert name in series, name
        assert labels <= series[name], (expression, series[name])
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= set().union(*(series[name] for name in names))


def test_every_query_of_the_dashboard_asks_for_what_exists(series: dict[str, set[str]]) -> None:
    assert len(queries()) >= 12
    for query in queries():
        assert_exists(query, series)


def test_every_metric_is_on_the_dashboard(series: dict[str, set[str]]) -> None:
    families = {name for name in series if not name.endswith(("_created", "_sum", "_count"))}
    assert families == {name for query in queries() for name in NAME.findall(query)}


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_prometheus_understands_every_query_of_the_dashboard(tmp_path_factory: pytest.TempPathFactory) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path_factory.mktemp("rules") / "queries.json"
    # JSON is YAML.
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}), "utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_every_alert_rule_asks_for_what_exists(series: dict[str, set[str]]) -> None:
    text = (FILES / "alerts.yml").read_text("utf-8")
    expressions = re.findall(r"expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)", text)
    assert len(expressions) == text.count("- alert:")
    for block, line in expressions:
        expression = block or line
        if not expression.startswith("up{"):
            assert_exists(expression, series)


def test_the_alert_rules_fire_when_they_should() -> None:
    assert "8 rules found" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")


def test_the_example_of_a_configuration_is_valid() -> None:
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "prometheus.yml")
