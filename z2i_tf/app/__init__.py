"""The page for painting away what is not wanted in a photograph, and the HTTP API under it."""
