"""Where packets come from: a live queue, a capture file."""
