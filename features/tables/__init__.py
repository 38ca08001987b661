"""The canonical tables, one module per area; `features.events` is the door to all of them."""
