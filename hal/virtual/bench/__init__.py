"""The bench: a web page and an HTTP API that operate the virtual devices, on loopback only."""
