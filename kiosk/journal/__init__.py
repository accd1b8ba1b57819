"""The append-only store of what happened on this lane, and the tool that verifies it."""
