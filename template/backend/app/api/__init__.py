"""What the world sees: routes and errors."""
