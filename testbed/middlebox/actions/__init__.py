"""What the box does to a flow that matched: one kind a module, with its keys in a profile and what it does to packets.

A new action is a new module here, with an `action.Action` whose ``kind`` profiles then know: its fields are keys of the
section ``action``, `Action.make` gives what stands for one flow, and ``effect`` says what that means for a label.
Nothing else has to learn of it. `segments` is what some of them share.
"""

from __future__ import annotations

from testbed.middlebox.actions.action import Action, Treatment
from testbed.middlebox.kinds import Kinds

__all__ = ["ACTIONS", "Action", "Treatment"]

ACTIONS: Kinds[Action] = Kinds(__name__, __path__, Action)
"""Every kind of action, by its name in profiles."""
