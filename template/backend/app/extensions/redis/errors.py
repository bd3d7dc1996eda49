"""What goes wrong when Redis is away."""

from app.core.exceptions import UnavailableError


class RedisUnavailableError(UnavailableError):
    """Redis is not configured, away or too slow. The application is built to survive that: counted, not reported."""

    expected = True
