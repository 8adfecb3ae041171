"""What deploy/ has for containers: it is what the readers of such files expect, and the files that it mounts are those
with which the real programs start."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import urllib.parse

import pytest
import yaml

import image
from harness import ROOT, Server, command, event, until
from services import Service, free_port, output, sql

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "docker-compose.yml"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
NODE = "build/node/node_modules"


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def wrong(kind, found):
    done = subprocess.run(["node", ROOT / "test/e2e/manifests.js", kind], input=json.dumps(found), capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout)


# ---- docker-compose.yml ----

def compose():
    [document] = documents(COMPOSE)
    return {key: value for key, value in document.items() if not key.startswith("x-")}


def test_the_compose_file_is_one():
    assert wrong("compose", [compose()]) == []
    broken = compose()
    broken["services"]["db"]["imagee"] = "postgres"
    broken["services"]["db"]["healthcheck"]["interval"] = "soon"
    assert any("db" in line for line in wrong("compose", [broken]))


def test_the_compose_file_pins_bounds_and_asks():
    services = compose()["services"]
    for name, service in services.items():
        assert re.search(r":v?\d[\w.-]*\d$", service["image"]), f"{name} has no version"
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert "container_name" not in service, "--scale"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} is published to everybody"
    asked = {name for name, service in services.items() if service.get("healthcheck", {}).get("test")}
    # drumbeat's are in its image; the collector's image has nothing that could ask it; migrate ends.
    assert set(services) - asked == {"ingest", "worker", "migrate", "collector"}
    assert "ports" not in services["worker"]


def test_no_password_stands_in_a_file_of_deploy():
    text = COMPOSE.read_text()
    assert not re.search(r"PASSWORD[\"']?: *[\"']?\w", text.replace("PASSWORD_FILE", "").replace("PASSWORD__FILE", ""))
    for secret in compose()["secrets"].values():
        assert secret["file"].startswith("${DRUMBEAT_SECRETS:?")
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            for url in re.findall(r"\w+://\w*:([^@\s\"]+)@", path.read_text(errors="replace")):
                assert url.startswith("${"), f"{path}: {url}"


@pytest.mark.skipif(not (DEPLOY / "prometheus").exists(), reason="the rules are not in this tree")
def test_what_is_mounted_is_there():
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"


# ---- what it mounts ----

@pytest.fixture
def secrets(folder):
    """Those that a reader makes; again, and they are the same."""
    for _ in range(2):
        subprocess.run([DEPLOY / "compose/secrets.sh", folder / "secrets"], check=True)
        found = {path.name: path.read_text().strip() for path in (folder / "secrets").iterdir()}
        assert set(found) == {"DB_PASSWORD", "REDIS_PASSWORD", "grafana_password", "userlist.txt", "redis.acl", "slack.url"}
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700 and len(found["DB_PASSWORD"]) == 48
    for name, service in compose()["secrets"].items():
        assert pathlib.PurePath(service["file"]).name in found, name
    return found


class Mounted(Service):
    """A program that starts with a file of deploy/compose, its addresses changed."""

    def __init__(self, name, text, words, files):
        self.name, self.text, self.words, self.files = name, text, words, files
        super().__init__()

    def prepare(self):
        for name, text in {**self.files, "config": self.text}.items():
            path = self.folder / name
            path.write_text(text.replace("PORT", str(self.port)).replace("FOLDER", str(self.folder)))
            if os.geteuid() == 0:
                shutil.chown(path, self.folder.owner(), self.folder.group())

    def command(self):
        return [word.replace("FOLDER", str(self.folder)) for word in self.words]

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True


@pytest.fixture
def pooler(database, secrets):
    text = (DEPLOY / "compose/pgbouncer.ini").read_text()
    parts = urllib.parse.urlsplit(database)
    for old, new in (("host=db port=5432", f"host=127.0.0.1 port={parts.port} dbname={parts.path[1:]}"), ("= *", "= 127.0.0.1"),
                     ("6432", "PORT"), ("/etc/pgbouncer/userlist.txt", "FOLDER/userlist.txt")):
        assert old in text
        text = text.replace(old, new)
    with Mounted("pgbouncer", text, ["/usr/sbin/pgbouncer", "FOLDER/config"], {"userlist.txt": secrets["userlist.txt"]}) as it:
        yield it


@pytest.fixture
def limits(secrets):
    text = (DEPLOY / "compose/redis.conf").read_text()
    for old, new in (("port 6379", "port PORT\nbind 127.0.0.1"), ("/run/secrets/redis.acl", "FOLDER/redis.acl")):
        assert old in text
        text = text.replace(old, new)
    with Mounted("redis", text, ["redis-server", "FOLDER/config"], {"redis.acl": secrets["redis.acl"]}) as it:
        yield it


def test_drumbeat_works_with_the_files_that_are_mounted(folder, database, secrets, pooler, limits, receiver):
    config = (DEPLOY / "compose/drumbeat.yaml").read_text()
    parts = urllib.parse.urlsplit(database)
    for old, new in (("@pgbouncer:6432", f"@127.0.0.1:{pooler.port}"), ("redis:6379", f"127.0.0.1:{limits.port}"),
                     ("@db:5432/marketing", f"@127.0.0.1:{parts.port}{parts.path}"), ("0.0.0.0:8120", "0.0.0.0:PORT")):
        assert old in config
        config = config.replace(old, new)
    config += f"destinations: {{crm: {{url: \"{receiver.url('/crm')}\", allow_private: true, limit: 50/s, on_unknown: retry}}}}\n"
    config += "routes: {all: {from: LEAD, to: [crm]}}\n"
    for path in (folder / "secrets").iterdir():
        path.chmod(0o600)  # beside the file, where /run/secrets would be in a container
    servers = []
    for role in ("ingest", "worker"):
        home = folder / role
        home.mkdir()
        (home / "secrets").symlink_to(folder / "secrets")
        server = Server(home)
        server.own_port = free_port()
        (home / "drumbeat.yaml").write_text(config.replace("PORT", str(server.own_port)))
        servers.append(server)
    ingest, worker = servers
    try:
        refused = command(ingest.folder, "serve", "--role", "ingest")
        assert refused.code == 3 and "drumbeat keys create" in refused.err, refused
        migrated = command(ingest.folder, "migrate", "--yes")
        assert migrated.code == 0, migrated
        key = command(ingest.folder, "keys", "create", "--role", "owner", "--name", "me", "-o", "json")
        assert key.code == 0, key
        for server, role in ((ingest, "ingest"), (worker, "worker")):
            server.key = json.loads(key.out)["key"]
            server.start("--role", role)
        answer = ingest.post(event(kind="LEAD"))
        assert answer.outcome == (200, "ACCEPTED"), answer
        assert worker.settled(answer.json["eventId"], "COMPLETED")
        healthy = command(worker.folder, *health_check()[1:], env={"RUNTIME_DIRECTORY": str(worker.folder)})
        assert healthy.code == 0 and "counted by redis" in command(worker.folder, "status").out, healthy
        server.key = None
        assert server.get("/metrics").status == 200, "Prometheus has no key"
        ask = ["redis-cli", "-p", str(limits.port), "--no-auth-warning", "-a", secrets["REDIS_PASSWORD"]]
        assert output([*ask, "config", "get", "maxmemory-policy"]).split()[-1] == "noeviction"
        assert "NOAUTH" in output(["redis-cli", "-p", str(limits.port), "ping"])
        wrong_password = database.replace(f":{parts.port}", f":{pooler.port}").replace("drumbeat@", "drumbeat:wrong@")
        with pytest.raises(Exception, match="password authentication failed|SASL authentication failed"):
            sql(urllib.parse.urlsplit(wrong_password)._replace(path="/marketing").geturl(), "SELECT 1")
    finally:
        for server in servers:
            if server.process:
                server.kill()


@pytest.mark.skipif(not (DEPLOY / "prometheus").exists(), reason="the rules are not in this tree")
def test_prometheus_takes_its_file(folder):
    rules = DEPLOY / "prometheus/drumbeat.rules.yml"
    shutil.copy(DEPLOY / "compose/prometheus.yml", folder)
    shutil.copy(rules, folder)
    done = subprocess.run(["promtool", "check", "config", folder / "prometheus.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_collector_has_what_its_pipelines_name():
    [config] = documents(DEPLOY / "compose/collector.yaml")
    for name, pipeline in config["service"]["pipelines"].items():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(config[kind]), f"{name}: {kind}"
    assert set(config["service"]["extensions"]) <= set(config["extensions"])
    scraped = documents(DEPLOY / "compose/prometheus.yml")[0]["scrape_configs"][1]["static_configs"][0]["targets"]
    assert config["exporters"]["prometheus"]["endpoint"].split(":")[1] == scraped[0].split(":")[1]
    assert config["exporters"]["otlp/jaeger"]["endpoint"] == "jaeger:4317"


@pytest.mark.skipif(not (DEPLOY / "prometheus").exists(), reason="the rules are not in this tree")
def test_the_dashboards_find_their_sources():
    ours = documents(DEPLOY / "compose/datasources.yml")[0]["datasources"]
    theirs = documents(next((DEPLOY / "grafana/provisioning/datasources").glob("*.yml")))[0]["datasources"]
    assert {source["uid"] for source in ours} >= {source["uid"] for source in theirs}


# ---- Dockerfile ----

def health_check():
    line = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    return json.loads(line[1])


def test_the_image_has_no_root_and_its_commands_are_known(folder):
    last = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")[-1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert health_check()[0] == "drumbeat"
    assert command(folder, *health_check()[1:]).code != 2, "it is an option that there is not"
    assert f"ENTRYPOINT {json.dumps(['drumbeat'])}" in last


@pytest.mark.skipif(not image.clean_base(), reason="it wants a clean root and a network: ./dev deb-test")
def test_the_image_is_built_and_serves(folder):
    """What docker would do with the Dockerfile, but for docker."""
    with image.build((DEPLOY / "Dockerfile").read_text(), image.clean_base(), folder) as stage:
        (stage.root / "etc/drumbeat/drumbeat.yaml").write_text(
            f"version: 1\nstore: /var/lib/drumbeat/drumbeat.db\nserver: {{listen: \"127.0.0.1:{free_port()}\"}}\n")
        assert stage.run(["id", "-u"]).stdout == "10001\n"
        assert stage.run(stage.health).returncode == 6, "nothing runs yet"
        server = subprocess.Popen(stage.words(stage.entrypoint + stage.command), env=stage.env, stderr=subprocess.DEVNULL)
        try:
            until(lambda: stage.run(stage.health).returncode == 0, "the health check to be content")
            sent = stage.run([*stage.entrypoint, "send", "LEAD", "--data", "{}"])
            assert sent.returncode == 0, sent
        finally:
            server.terminate()
            assert server.wait(30) == 0
        assert stage.run(stage.health).returncode == 6
        assert stage.run(["sh", "-c", "command -v gcc systemctl"]).returncode != 0, "only what is needed is there"


# ---- Kubernetes ----

def test_the_manifests_are_what_kubernetes_reads():
    found = [document for path in KUBERNETES for document in documents(path) if "kind" in document]
    assert wrong("kubernetes", found) == []
    deployment = next(document for document in found if document["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    deployment["spec"]["replicas"] = "two"
    said = wrong("kubernetes", [deployment])
    assert any("livenessProb" in line for line in said) and any("replicas" in line for line in said)


def test_the_manifests_agree_with_one_another_and_with_the_server(serve):
    found = [document for path in KUBERNETES for document in documents(path) if "kind" in document]
    pods = {document["metadata"]["name"]: document["spec"]["template"] for document in found
            if document["kind"] in ("Deployment", "Job")}
    kinds = {kind: [document for document in found if document["kind"] == kind] for kind in
             ("Service", "PodDisruptionBudget", "HorizontalPodAutoscaler")}

    def chosen(selector):
        return [name for name, pod in pods.items() if selector.items() <= pod["metadata"]["labels"].items()]
    assert chosen(kinds["Service"][0]["spec"]["selector"]) == ["drumbeat-ingest"]
    assert sorted(sum((chosen(budget["spec"]["selector"]["matchLabels"]) for budget in kinds["PodDisruptionBudget"]), [])) == \
        ["drumbeat-ingest", "drumbeat-worker"]
    [scaler] = kinds["HorizontalPodAutoscaler"]
    assert scaler["spec"]["scaleTargetRef"]["name"] in pods
    server = serve()
    published = server.get("/metrics").body.decode()
    assert re.search(rf"^{scaler['spec']['metrics'][0]['external']['metric']['name']} \d", published, re.MULTILINE)
    for name, pod in pods.items():
        [container] = pod["spec"]["containers"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["resources"]["limits"]["memory"] and container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            if name != "drumbeat-migrate":
                assert server.get(container[probe]["httpGet"]["path"]).status == 200
        known = command(server.folder, *container["args"][:1], "--help")
        assert known.code == 0, known
