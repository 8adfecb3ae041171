"""Programs written for the seed: they talk to PostgreSQL alone, in a transaction of their own."""
import contextlib
import json
import subprocess

from harness import PATIENCE_S, ROOT
from services import psql_command

NODE = ["node", str(ROOT / "test/e2e/seed_client.js")]


def insert_by_node(url, events, ending="commit", news="notify"):
    """The ids that the client got, None where the key was there."""
    done = subprocess.run([*NODE, url, json.dumps(events), ending, news], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"the Node client failed; ./dev test installs its driver\n{done.stderr}"
    return json.loads(done.stdout)
