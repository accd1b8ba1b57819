"""A whole lane on one desk: every process of the appliance, with virtual devices, for `make run` and the tests."""
