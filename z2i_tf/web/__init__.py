"""Serves this package's web pages: the HTTP server and its access checks."""
