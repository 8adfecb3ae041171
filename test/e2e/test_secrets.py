"""Secrets of the configuration appear in no log, answer, page of help or store file."""
