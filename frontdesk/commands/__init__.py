"""One file a group of commands. Each is thin: it reads settings, calls the package that does the work, and prints."""
