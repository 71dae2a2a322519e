"""Every error the testbed raises on purpose, and the exit status each one ends a command with.

    TestbedError                   1  something failed
    ├── InputError                 2  the user's input cannot be used
    │   ├── ScenarioError             a scenario file, a profile or a --set value
    │   ├── CaptureError              a capture file
    │   └── RecordError               a run directory
    ├── MissingError               3  this machine lacks something; the message names the command that mends it
    └── InvalidRunError            4  a run that must not be scored
        ├── GuestError                the guest hung, crashed or ended early
        └── CertificateError          what was built is not what was planned

Not for: warnings and progress, which go to stderr through `testbed.cli`.
"""

from __future__ import annotations

__all__ = [
    "CaptureError",
    "CertificateError",
    "GuestError",
    "InputError",
    "InvalidRunError",
    "MissingError",
    "RecordError",
    "ScenarioError",
    "TestbedError",
]


class TestbedError(Exception):
    """Root of the tree. The message says what failed, with which value, and what to do next."""

    exit_status = 1
    __test__ = False  # the name begins with "Test": keep pytest from collecting it


class InputError(TestbedError):
    """The user's input cannot be used."""

    exit_status = 2


class ScenarioError(InputError):
    """A scenario, a profile, a topology parameter or a ``--set`` value cannot be used."""


class CaptureError(InputError):
    """A capture file cannot be read."""


class RecordError(InputError):
    """A run directory is absent, unreadable or cannot be written."""


class MissingError(TestbedError):
    """This machine lacks something that the command needs."""

    exit_status = 3


class InvalidRunError(TestbedError):
    """A run whose result must not be scored."""

    exit_status = 4


class GuestError(InvalidRunError):
    """The guest hung, crashed or ended before its work was done."""


class CertificateError(InvalidRunError):
    """What was built inside the guest is not what the plan asked for."""
