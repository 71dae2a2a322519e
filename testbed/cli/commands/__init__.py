"""What each command does: it calls, and prints. No logic of its own.

Each module has its imports at its top and is loaded when one of its commands is called, so that `testbed --help` is
quick: `testbed.cli.arguments` names a command as ``module:function``.
"""
