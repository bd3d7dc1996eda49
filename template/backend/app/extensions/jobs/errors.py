"""What goes wrong with jobs."""

from app.core.exceptions import UnavailableError


class JobsUnavailableError(UnavailableError):
    """The broker does not answer. The caller is told with 503: counted, not reported."""

    expected = True


class JobFailedError(Exception):
    """Marks a job as failed for good. It says nothing else: it is kept in the broker, and the error is in Sentry."""


class JobAbandonedError(Exception):
    """A job left by ``sys.exit``, or by a cancellation of its own that it let pass."""
