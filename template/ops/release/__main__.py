"""The commands; ``make help`` lists those that people use."""

import argparse
import sys
from collections.abc import Callable

from ops.release import OutageError, ReleaseError, checks, deploy, images, report, sentry

FAILED = 1
OUTAGE = 75
"""``EX_TEMPFAIL`` of sysexits.h: worth another try, so a pipeline may go on without it."""

ENVIRONMENTS = ("staging", "production")


def parser() -> argparse.ArgumentParser:
    """Return the parser; each command knows the function that it runs, and takes that function's arguments."""
    parser = argparse.ArgumentParser(prog="python3 -m ops.release", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[..., None], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    check = add("check", checks.check, "say whether build, release and commit belong together")
    check.add_argument("--image", help="an image of the page or of the API, which has to be of this build")
    check.add_argument("--url", help="where the page is served, which has to be this build")
    add("publish", sentry.publish, "create the release in Sentry, with its commits and source maps")
    add("sourcemaps", sentry.sourcemaps, "upload the source maps of the last build, then delete them")
    add("finalize", sentry.finalize, "mark the release in Sentry as released")
    pushing = add("images", images.images, "build both images of this very build and check them")
    pushing.add_argument("--push", action="store_true", help="push them to $REGISTRY")
    for name, run, text in (
        ("deploy", deploy.deploy, "start the pushed images on $DEPLOY_HOST"),
        ("deployed", sentry.deployed, "record in Sentry that the release runs in an environment"),
    ):
        add(name, run, text).add_argument("environment", choices=ENVIRONMENTS)
    return parser


def main() -> int:
    """Run one command.

    Returns:
        0 when it is done, or was skipped with a notice; 1 when something has to be changed first; 75 when a
        server could not be reached.
    """
    arguments = vars(parser().parse_args())
    run = arguments.pop("run")
    try:
        run(**arguments)
    except ReleaseError as refusal:
        for sentence in refusal.args:
            report.error(sentence)
        return FAILED
    except OutageError as outage:
        report.error(str(outage))
        return OUTAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
