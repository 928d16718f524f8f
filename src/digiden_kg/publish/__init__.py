"""The whole site as files, for a publisher who runs no server."""
