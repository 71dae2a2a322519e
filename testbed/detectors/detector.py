"""What a detector is: a name, a sentence, and a function from an observation to a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation
    from testbed.detectors.verdict import Verdict

__all__ = ["Detector"]


@runtime_checkable
class Detector(Protocol):
    """A method that judges observations."""

    @property
    def name(self) -> str:
        """Short name, lower case, as given to ``--detector``."""
        ...

    @property
    def summary(self) -> str:
        """One line: the method and its source."""
        ...

    def detect(self, observation: Observation) -> Verdict:
        """Judge one observation.

        Data that the method cannot use give an inconclusive verdict with the reason, not an exception.
        """
        ...
