"""The routes, a module per concern."""
