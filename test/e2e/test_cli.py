"""The command line: every command asked once, the exit codes, and -o json as the API has it."""
