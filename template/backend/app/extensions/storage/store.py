"""The library's client, as the settings say."""

from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import S3Store

from app.extensions.storage.settings import StorageSettings

if TYPE_CHECKING:
    # The library names this type in its stubs alone.
    from obstore.store import S3Config

# A server that is silent is given up after STORAGE_TIMEOUT; this ends a transfer that goes on for ever.
LONGEST_TRANSFER = timedelta(hours=1)


def open_store(settings: StorageSettings, bucket: str) -> S3Store:
    """Return the library's client, which takes from AWS_ variables only what has no setting here."""
    config: S3Config = {"region": settings.region}
    if settings.access_key_id and settings.secret_access_key:
        config["access_key_id"] = settings.access_key_id.get_secret_value()
        config["secret_access_key"] = settings.secret_access_key.get_secret_value()
    if settings.endpoint_url:
        config["endpoint"] = settings.endpoint_url
    timeout = timedelta(seconds=settings.timeout)
    return S3Store(
        bucket,
        config=config,
        client_options={
            "allow_http": (settings.endpoint_url or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=settings.connect_timeout),
            "read_timeout": timeout,
            "timeout": LONGEST_TRANSFER,
        },
        retry_config={
            "max_retries": 1,
            "retry_timeout": timeout,
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
        },
    )
