"""A testbed that replays throttling with real Linux TCP in virtual time, and knows the fate of every packet."""

from importlib import import_module

__all__ = ["Result", "Transfer", "load", "run"]


def __getattr__(name: str) -> object:
    """`testbed.api`, when it is asked for: the guest imports this package too, and must not load what runs a guest."""
    if name in __all__:
        return getattr(import_module("testbed.api"), name)
    raise AttributeError(f"module 'testbed' has no attribute {name!r}")
