"""The real Prometheus and Alertmanager, each on a free port of loopback with short intervals."""
import contextlib
import json
import urllib.parse
import urllib.request

from services import Service

RULES_FROM_DEPLOY = "deploy/prometheus/drumbeat.rules.yml"


def ask(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


class Watcher(Service):
    def __init__(self, files):
        super().__init__()
        for name, text in files.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o644)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def answers(self):
        with contextlib.suppress(OSError):
            return ask(f"{self.url}/-/ready") is not None


class Alertmanager(Watcher):
    name = "alertmanager"

    def __init__(self, webhook):
        config = {"route": {"receiver": "slack", "group_by": ["alertname", "destination"], "group_wait": "0s",
                            "group_interval": "1s", "repeat_interval": "1h",
                            "routes": [{"matchers": ["alertname = Watchdog"], "receiver": "nobody"}]},
                  "receivers": [{"name": "nobody"},
                                {"name": "slack", "slack_configs": [{
                                    "api_url": webhook, "channel": "#ops", "send_resolved": True,
                                    "title": "{{ .Status | toUpper }}: {{ .GroupLabels.alertname }}",
                                    "text": "{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}"}]}]}
        super().__init__({"alertmanager.yml": json.dumps(config)})

    def command(self):
        return ("prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml", "--cluster.listen-address=",
                f"--storage.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}")


class Prometheus(Watcher):
    name = "prometheus"

    def __init__(self, targets, rules="groups: []", alertmanager=None):
        config = {"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
                  "rule_files": ["rules.yml"],
                  "scrape_configs": [{"job_name": "drumbeat", "static_configs": [{"targets": targets}]}]}
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [
                {"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]}
        super().__init__({"prometheus.yml": json.dumps(config), "rules.yml": rules})

    def command(self):
        return ("prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--enable-feature=exemplar-storage")

    def get(self, path, **parameters):
        answer = json.loads(ask(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """Its series, as label set and value."""
        return [(item["metric"], float(item["value"][1])) for item in self.get("query", query=expression)["result"]]
