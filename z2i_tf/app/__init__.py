"""Removes things from photographs in a browser: the page of `z2i app` and its HTTP API."""
