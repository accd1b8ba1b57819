"""Byte-level peers of every device, and the bench that operates them.

They stand at the far end of a real pty or socket and are written from the public specifications alone:
nothing here is shared with the drivers (a shared codec would hide shared mistakes), and nothing imports this
package.
"""
