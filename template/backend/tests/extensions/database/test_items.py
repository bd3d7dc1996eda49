"""The example: what callers get, on both databases."""

import pytest
from fastapi.testclient import TestClient

from app.extensions.database.models import LONGEST_NAME
from tests.extensions.database.conftest import Connect

ITEMS = "/api/v1/items"
UNKNOWN = f"{ITEMS}/2147483647"


@pytest.fixture
def client(connect: Connect, url: str) -> TestClient:
    return connect(url)


def create(client: TestClient, name: str) -> int:
    response = client.post(ITEMS, json={"name": name})
    assert response.status_code == 201, response.text
    number: int = response.json()["id"]
    return number


def test_there_is_nothing_at_first(client: TestClient) -> None:
    assert client.get(ITEMS).json() == {"items": [], "total": 0}


def test_an_item_is_created_read_changed_and_deleted(client: TestClient) -> None:
    number = create(client, "  A name with ünicode  ")
    item = client.get(f"{ITEMS}/{number}").json()
    assert item["name"] == "A name with ünicode"
    assert item["created_at"].endswith(("Z", "+00:00"))

    changed = client.patch(f"{ITEMS}/{number}", json={"name": "Another"})
    assert changed.json() == item | {"name": "Another"}
    assert client.get(ITEMS).json() == {"items": [changed.json()], "total": 1}

    assert client.delete(f"{ITEMS}/{number}").status_code == 204
    assert client.get(f"{ITEMS}/{number}").status_code == 404
    assert client.get(ITEMS).json()["total"] == 0


def test_pages_are_newest_first_and_do_not_overlap(client: TestClient) -> None:
    numbers = [create(client, f"item {index}") for index in range(5)]

    pages = [client.get(ITEMS, params={"limit": 2, "offset": offset}).json() for offset in (0, 2, 4)]

    assert [item["id"] for page in pages for item in page["items"]] == numbers[::-1]
    assert {page["total"] for page in pages} == {5}


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "offset=9999999999999999999", "limit=x"])
def test_a_page_that_cannot_be_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"{ITEMS}?{query}").status_code == 422


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_item_that_is_not_there_is_a_404(client: TestClient, method: str) -> None:
    response = client.request(method, UNKNOWN, json={"name": "x"} if method == "PATCH" else None)

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "There is no such item."


@pytest.mark.parametrize("number", ["0", "-1", "2147483648", "99999999999999999999", "x"])
def test_a_number_that_no_item_can_have_is_refused(client: TestClient, number: str) -> None:
    assert client.get(f"{ITEMS}/{number}").status_code == 422


def test_two_items_cannot_have_one_name(client: TestClient) -> None:
    create(client, "taken")
    other = create(client, "free")

    for response in (
        client.post(ITEMS, json={"name": "taken"}),
        client.patch(f"{ITEMS}/{other}", json={"name": "taken"}),
    ):
        assert response.status_code == 409
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"] == "There is an item with this name already."
    assert client.get(f"{ITEMS}/{other}").json()["name"] == "free"
    assert client.patch(f"{ITEMS}/{other}", json={"name": "free"}).status_code == 200


@pytest.mark.parametrize("name", ["", "   ", "x" * (LONGEST_NAME + 1), "zero \0", "two\nlines", 7, None])
def test_a_name_that_cannot_be_is_refused(client: TestClient, name: object) -> None:
    response = client.post(ITEMS, json={"name": name})

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["body.name"]


def test_half_a_letter_is_refused(client: TestClient) -> None:
    body = '{"name": "\\ud800"}'

    assert client.post(ITEMS, content=body, headers={"content-type": "application/json"}).status_code == 422


def test_the_longest_name_fits(client: TestClient) -> None:
    number = create(client, "ü" * LONGEST_NAME)

    assert client.get(f"{ITEMS}/{number}").json()["name"] == "ü" * LONGEST_NAME


def test_a_name_is_never_part_of_a_statement(client: TestClient) -> None:
    name = "'; DROP TABLE items; --"
    number = create(client, name)

    assert client.get(f"{ITEMS}/{number}").json()["name"] == name
