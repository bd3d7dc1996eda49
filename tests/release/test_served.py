"""Whether an address serves the build: what it serves instead is named."""

import re
from collections.abc import Callable

import pytest

from harness.processes import HOST
from harness.project import Project
from tests.release.support import DONE, FAILED, Ended, Site, append, served


def edited_page(site: Site) -> None:
    page = site.folder / "index.html"
    page.write_text(page.read_text("utf-8").replace("</body>", "<script>1</script></body>"), "utf-8")


def edited_script(site: Site) -> None:
    append(next((site.folder / "assets").glob("index-*.js")), "\n")


def missing_script(site: Site) -> None:
    next((site.folder / "assets").glob("index-*.js")).unlink()


def shown_map(site: Site) -> None:
    site.unknown = b'{"version": 3, "mappings": "AAAA"}'


def header(site: Site) -> None:
    site.headers["SourceMap"] = "index.js.map"


def other_release(site: Site) -> None:
    site.release = "my-app@0.0.9"


def no_api(site: Site) -> None:
    site.release = ""


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (edited_page, r"^http://\S+/: not the file that was built\. Deploy this very build$"),
        (edited_script, r"^http://\S+/assets/index-\S+\.js: not the file that was built\. Deploy this very build$"),
        (missing_script, r"^http://\S+/assets/index-\S+\.js: answered 404 instead of the file that was built$"),
        (shown_map, r"^http://\S+\.js\.map: is a source map, which visitors can read\. Serve frontend/dist"),
        (header, r"^http://\S+\.js: its header SourceMap names a source map\."),
        (other_release, r"^http://\S+/health: names the release my-app@0\.0\.9, but the build is my-app@0\.1\.0\+"),
        (no_api, r"^http://\S+/health: answered 200 and names no release, but the build is my-app@0\.1\.0\+"),
    ],
)
def test_an_address_that_serves_something_else_is_named(
    spoil: Callable[[Site], None], message: str, built: Project, release: Callable[..., Ended]
) -> None:
    with served(built) as site:
        spoil(site)
        ended = release(built, "check", "--url", site.url)
    assert ended.returncode == FAILED
    assert re.search(message, ended.stderr, re.MULTILINE), ended.stderr


def test_a_host_that_answers_every_address_with_the_page_serves_no_map(
    built: Project, release: Callable[..., Ended]
) -> None:
    with served(built) as site:
        site.unknown = (site.folder / "index.html").read_bytes()
        ended = release(built, "check", "--url", site.url)
    assert (ended.returncode, ended.stderr) == (DONE, "")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        # Nobody listens on the first port, which belongs to a protocol of 1988.
        (f"http://{HOST}:1", "/: answered nothing instead of the file that was built"),
        ("https://my-app..example", "/: answered nothing instead of the file that was built"),
        ("https://[::1", "/: answered nothing instead of the file that was built"),
        ("my-app.example", "my-app.example: not an address like https://app.example.com"),
        ("file:///etc/passwd", "file:///etc/passwd: not an address like https://app.example.com"),
        ("https://me:hunter2@x.example", "The address holds a user name or a password, which would be shown. Give it"),
    ],
)
def test_an_address_without_a_page_is_named(
    url: str, message: str, built: Project, release: Callable[..., Ended]
) -> None:
    ended = release(built, "check", "--url", url)
    assert ended.returncode == FAILED
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1, "Nobody is asked for the other files."
    assert "hunter2" not in ended.stderr
