"""What every page that this package serves stands on: the server, and who may ask it."""
