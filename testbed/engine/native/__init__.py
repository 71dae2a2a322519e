"""The engine on the machine's own kernel, in namespaces of its own.

engine   what it is, as `testbed.engine.engine` asks for it
probe    whether the machine's kernel has what a run needs
boot     makes the namespaces and what is mounted in them, then becomes the agent
guest    the host's side: starts `boot`, and listens to it
"""
