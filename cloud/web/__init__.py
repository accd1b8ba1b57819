"""The backend's HTTP side: the devices' API, and the operator's pages."""
