"""One release from its build to its deploy: ``python3 -m ops.release``, from the project's root.

Needs Python 3.11 or newer and no package; for Sentry, the ``sentry-cli`` that the page's packages bring.
"""

import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - who runs this has whatever python3 is
    sys.exit("Python 3.11 or newer is needed, not " + sys.version.split()[0] + ". Put it first on PATH, as python3")

ROOT = Path(__file__).resolve().parents[2]

FOLDER = ROOT / "release"
"""What is known of the build of this working copy and is not served; not in git."""


class ReleaseError(Exception):
    """Refused, misconfigured or not as it should be: each argument is a sentence that says what to do."""


class OutageError(Exception):
    """A server could not be reached, or is broken: the same command may work later."""
