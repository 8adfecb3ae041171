"""The store's log (its -wal file): kept between the events of a stream, emptied when nothing comes."""
import os
import time

from harness import until

WITHIN_S = 0.9  # the log is emptied after a second without work


def log_bytes(server):
    return os.path.getsize(f"{server.store}-wal")


def sizes_in_a_stream(server):
    """After each of three events, or nothing when this machine was too slow for a stream."""
    start, sizes = time.monotonic(), []
    for _ in range(3):
        server.send()
        sizes.append(log_bytes(server))
    return sizes if time.monotonic() - start < WITHIN_S else None


def test_the_log_is_emptied_after_a_quiet_second_and_not_between_two_events(serve):
    server = serve()
    first, second, third = until(lambda: sizes_in_a_stream(server), "three events within a second")
    assert 0 < first < second < third
    until(lambda: log_bytes(server) == 0, "the log to be emptied")
