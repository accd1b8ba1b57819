"""What the lane says on its socket: records and interface descriptions. A leaf."""
