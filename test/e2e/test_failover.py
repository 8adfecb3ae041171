"""What is lost when PostgreSQL or processes go: nothing but time."""
import itertools
import os
import signal

import pytest

from fleet import Load, config, judge, unknown_outcomes
from harness import event, until
from services import sql

RESTARTS = 20


# PostgreSQL

def test_postgres_restarts_again_and_again_under_load(fleets, own_postgres, receiver):
    with own_postgres.database() as url:
        fleet = fleets(config(url, receiver))
        servers = fleet.start("all", "all", "all", "all")
        ways = itertools.cycle([lambda: own_postgres.stop("fast"), lambda: own_postgres.stop("immediate"),
                                own_postgres.kill])
        with Load(servers, clients=8, events_a_second=160) as load:
            for _ in range(RESTARTS):
                load.more(20)
                next(ways)()
                own_postgres.start()
            load.more(20)
        fleet.all_run()
        print(load.answers.words, sum(unknown_outcomes(url).values()))
        judge(fleet, load.answers, receiver)
