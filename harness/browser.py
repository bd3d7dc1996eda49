"""Drive a real Chromium: the one of ``CHROMIUM_PATH``, else an installed one, else Playwright's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

COMMANDS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

# Without these a start-up looks up hosts of the browser's maker, which a closed network answers slowly.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class MissingBrowserError(Exception):
    """No browser was found and none could be downloaded; the message says what to install."""


def chromium_path() -> str:
    """Return the path of a Chromium, downloading Playwright's own when none is installed.

    Raises:
        MissingBrowserError: there is none, or ``CHROMIUM_PATH`` names a file that does not exist.
    """
    if chosen := os.environ.get("CHROMIUM_PATH"):
        if not Path(chosen).is_file():
            raise MissingBrowserError(f"CHROMIUM_PATH: there is no file {chosen}.")
        return chosen
    for command in COMMANDS:
        if path := shutil.which(command):
            return path
    return _downloaded_chromium()


def _downloaded_chromium() -> str:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if not Path(path).is_file():
        download = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
        if subprocess.run(download, check=False).returncode != 0 or not Path(path).is_file():
            raise MissingBrowserError(
                "No browser was found and Playwright could not download one: install chromium "
                "(Debian: apt-get install chromium), or set CHROMIUM_PATH to a Chromium or Chrome."
            )
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium for the length of a ``with`` block."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
