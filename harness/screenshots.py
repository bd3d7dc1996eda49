"""Take the pictures of README.md from a generated project that runs: ``make screenshots``."""

import tempfile
from pathlib import Path

from harness.browser import chromium
from harness.development import break_both_sides, developing
from harness.processes import poll
from harness.project import ROOT, example, render
from harness.viewer import error_events

PICTURES = ROOT / "docs/pictures"
WINDOW = {"width": 1280, "height": 860}


def main() -> None:
    """Write ``docs/pictures/page.png`` and ``docs/pictures/viewer.png``."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        project = render(ROOT, Path(folder) / "project", example("default"))
        project.commit("Start")
        project.make("setup")
        with developing(project, Path(folder) / "log") as servers, chromium() as browser:
            page = browser.new_page(viewport=WINDOW)  # type: ignore[arg-type]  # a plain dict is what it takes
            break_both_sides(page, servers.web)
            page.screenshot(path=PICTURES / "page.png", full_page=True)
            event = poll(lambda: error_events(servers.viewer), awaiting="the errors in the viewer")[0]
            page.goto(f"{servers.viewer}/telemetry/errors/{event['event_id']}/details")
            page.get_by_text("at line").first.wait_for()
            page.screenshot(path=PICTURES / "viewer.png")


if __name__ == "__main__":
    main()
