"""Networks whose every layer has a leading member axis."""
