"""A store that fails: a full disk, a read-only mount, a failed fsync, and files that are not ours."""
