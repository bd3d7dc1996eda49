"""How many files are rendered at most (docs/decisions/0032-files-of-extensions.md)."""

CORE_FILES = 200
"""In a project without extensions."""

EXTENSION_FILES = 35
"""That each extension adds."""


def file_limit(extensions: int) -> int:
    """Return how many files a project with so many extensions may have."""
    return CORE_FILES + extensions * EXTENSION_FILES
