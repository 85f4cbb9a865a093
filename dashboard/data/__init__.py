"""What the store says, for the views: no HTTP, no HTML."""
