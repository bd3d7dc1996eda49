"""How every process of the application begins, whether it serves requests or not: settings, log lines, Sentry."""

import logging
import sys
from collections.abc import Collection, Iterable

from app.core.config import ConfigurationError, Settings, load_settings
from app.core.extension import Extension
from app.core.sentry import configure_sentry, find_release

LOG_FORMAT = "%(asctime)s %(levelname)-8s %(name)s: %(message)s"


def start_process(extensions: Iterable[Extension], *, ignored_paths: Collection[str] = ()) -> tuple[Settings, str]:
    """Read the settings and start logging and Sentry.

    Args:
        extensions: The application's extensions: their settings are checked, their integrations are switched on, and
            the failures that they expect are counted instead of reported.
        ignored_paths: Request paths that are never traced.

    Returns:
        The settings, and the release.

    Raises:
        SystemExit: some variables have bad values; its text names each.
    """
    extensions = tuple(extensions)
    try:
        settings = load_settings(extension.settings for extension in extensions if extension.settings)
    except ConfigurationError as error:
        sys.exit(str(error))
    logging.basicConfig(level=settings.app.log_level, format=LOG_FORMAT)
    release = settings.sentry.release or find_release()
    integrations = [name for extension in extensions for name in extension.sentry_integrations]
    expected = [extension.is_expected for extension in extensions if extension.is_expected]
    configure_sentry(settings, release, ignored_paths=ignored_paths, integrations=integrations, expected=expected)
    return settings, release
