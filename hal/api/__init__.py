"""What the hardware daemon says on its socket: records, interface descriptions, and a client. A leaf."""
