"""Its variables: what they may hold, and that a message never shows them."""

import pytest

from app.core.config import ConfigurationError, load_settings
from app.extensions.storage.settings import StorageSettings
from tests.support import LoadSettings

CANARY = "zq7canary"
KEYS = {"STORAGE_ACCESS_KEY_ID": f"AKIA{CANARY}", "STORAGE_SECRET_ACCESS_KEY": f"{CANARY}secret"}


def test_nothing_is_needed(load: LoadSettings) -> None:
    load()

    assert StorageSettings().bucket is None


def test_empty_means_not_set(load: LoadSettings) -> None:
    load(STORAGE_BUCKET="", STORAGE_REGION="", STORAGE_TIMEOUT="", STORAGE_ACCESS_KEY_ID="")

    settings = StorageSettings()

    assert (settings.bucket, settings.region, settings.timeout) == (None, "us-east-1", 20.0)


def test_keys_are_never_shown(load: LoadSettings) -> None:
    load(**KEYS)

    assert CANARY not in repr(StorageSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUCKET", "No_Bucket"),
        ("BUCKET", f"a/{CANARY}"),
        ("ENDPOINT_URL", "s3.example.com"),
        ("ENDPOINT_URL", "ftp://s3.example.com"),
        ("ENDPOINT_URL", f"https://user:{CANARY}@s3.example.com"),
        ("ENDPOINT_URL", f"https://s3.example.com/{CANARY}"),
        ("ENDPOINT_URL", "https://s3.example.com:99999"),
        ("REGION", "EU Central"),
        ("ACCESS_KEY_ID", f"{CANARY} {CANARY}"),
        ("SECRET_ACCESS_KEY", f"{CANARY} {CANARY}"),
        ("SECRET_ACCESS_KEY", f"{CANARY}é"),
        ("CONNECT_TIMEOUT", "0"),
        ("TIMEOUT", "nan"),
        ("TIMEOUT", "301"),
        ("TIMEOUT", "soon"),
        ("ROUTES", "ajar"),
    ],
)
def test_a_bad_value_is_one_readable_line(load: LoadSettings, name: str, value: str) -> None:
    load(**{**KEYS, f"STORAGE_{name}": value})

    with pytest.raises(ConfigurationError) as caught:
        load_settings([StorageSettings])

    lines = str(caught.value).splitlines()
    assert [line for line in lines if line.startswith(f"STORAGE_{name}: ")], lines
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", sorted(KEYS))
def test_half_a_key_is_refused(load: LoadSettings, name: str) -> None:
    load(**{name: KEYS[name]})

    with pytest.raises(ConfigurationError, match="need each other"):
        load_settings([StorageSettings])
