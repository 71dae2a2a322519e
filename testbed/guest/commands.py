"""A user's program in the place of measurements, and what is typed for it.

Not for: what it finds on its node (surroundings.py), may do (user_program.py) and sees (file_view.py); nor for programs
that are named while the run goes on (shell.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.guest.surroundings import Surroundings
from testbed.guest.user_program import Program, read_order, start_program

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.guest.child import Child
    from testbed.guest.network.node import NamespaceNode
    from testbed.guest.stage import Stage

__all__ = ["UserCommands"]


class UserCommands:
    """The user's program: there is at most one in a run.

    Attributes:
        services: What it needs to live as long as it does.
        began_s: When it was started, seconds since the start of the run; None: not yet.
        status: Its exit status; None: it has not ended.

    Args:
        stage: Where it runs.
        authority: The certificate authority of the origins, PEM, which it is to trust.
    """

    def __init__(self, stage: Stage, authority: Path) -> None:
        self.services: list[Child[None]] = []
        self.began_s: float | None = None
        self.status: int | None = None
        self._stage = stage
        self._authority = authority
        self._program: Program | None = None
        self._typed = b""

    def start(self, node: NamespaceNode) -> None:
        """Start the program, with a resolver on its node: it asks DNS itself, and has no other server.

        Raises:
            GuestError: The resolver did not start.
        """
        surroundings = Surroundings(self._stage, self._authority)
        self.services.append(surroundings.resolver(node))
        # Before it is started: what its client captured earlier is not its own (recordings are made on the same line).
        self.began_s = self._stage.now_s()
        order = read_order(self._stage.output / "command.json")
        self._program = start_program(
            order, node, self._stage.output, surroundings.etc(node, self._stage.work / "etc"),
            is_contained=self._stage.is_contained,
        )  # fmt: skip
        self.type(b"")

    @property
    def program(self) -> Program | None:
        """The program while it runs."""
        return None if self.status is not None else self._program

    def has_ended(self) -> None:
        """Note its exit status.

        Raises:
            GuestError: It could not be started.
        """
        if self._program is not None:
            self.status = self._program.status()

    def resize(self, rows: int, columns: int) -> None:
        """Tell the program's terminal that the user's window has another size."""
        if self._program is not None and self._program.terminal is not None:
            self._program.terminal.resize(rows, columns)

    def type(self, data: bytes) -> None:
        """Pass on what the user typed; before there is a program to take it, keep it."""
        self._typed += data
        if self._program is not None:
            if self._program.terminal is not None and self._typed:
                self._program.terminal.type(self._typed)
            self._typed = b""
