"""The extensions of this application, in the order in which they start."""

from app.core.extension import Extension

EXTENSIONS: tuple[Extension, ...] = ()
