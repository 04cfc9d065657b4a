"""The command: starts everything and acts on it. The only package that sees every other."""
