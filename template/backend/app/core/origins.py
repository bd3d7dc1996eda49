"""Which pages may speak to this API where browsers do not ask: with a tunnel's POST, and with a WebSocket."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_own_origin(origin: str, host: str) -> bool:
    """Say whether a page of this host asks. Browsers name the origin, and pages cannot change it.

    The scheme does not count: behind a proxy that ends TLS nobody here knows it.

    Args:
        origin: The header of this name, or nothing.
        host: The header of this name.
    """
    scheme, _, authority = origin.partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or not authority:
        return False
    return authority.lower().removesuffix(port) == host.lower().removesuffix(port)
