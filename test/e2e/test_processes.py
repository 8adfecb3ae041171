"""Several processes on one PostgreSQL do the work of one: together they store an event once and deliver it once."""
import collections

import pytest

from fleet import Crowd, config, judge_effects, stored
from harness import event, until
from services import sql

KEYS, POSTS = 1000, 100


@pytest.fixture
def fleet(fleets, database, receiver):
    return fleets(config(database, receiver))


def test_a_thousand_keys_posted_a_hundred_times_over_four_processes(fleet, receiver):
    servers = fleet.start("all", "all", "all", "all")
    events = [event(f"key-{n}", payload={"n": n}) for n in range(KEYS)]
    crowd = Crowd(servers, POSTS, events).run()
    there = stored(fleet.url)
    assert set(there) == set(crowd.keys)
    for key, ids in zip(crowd.keys, crowd.ids):
        assert ids == {there[key]: POSTS}
    assert crowd.words == {"ACCEPTED": KEYS, "DUPLICATE": KEYS * (POSTS - 1)}
    fleet.settled()
    assert collections.Counter(receiver.keys("/hook")).most_common(1)[0][1] == 1
    assert len(receiver.of("/hook")) == KEYS
    judge_effects(fleet.url, receiver)
    fleet.verify()
