"""An application full of planted secrets. It is copied into a generated backend as ``app.planted`` and runs there."""
