"""Second Brain Foundation: notebooks."""

__version__ = "0"
