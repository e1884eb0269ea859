"""The version, alone, so that a build and a seal can read it without the package."""

__version__ = "0.1.0"
