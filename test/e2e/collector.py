"""A collector of OpenTelemetry in a process of its own, and its messages as python3-protobuf reads them."""
import base64
import functools
import json
import pathlib
import subprocess
import tempfile
import threading

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import ROOT

PACKAGE = "opentelemetry.proto.collector"


@functools.cache
def messages():
    """From proto/, by another implementation than the one that wrote them."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "set"
        names = [str(path.relative_to(ROOT / "proto")) for path in sorted((ROOT / "proto").rglob("*.proto"))]
        subprocess.run(["protoc-c", "-I.", f"--descriptor_set_out={out}", "--include_imports", *names], cwd=ROOT / "proto", check=True)
        found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in found.file:
        pool.Add(file)
    return message_factory.MessageFactory(pool), pool


def decode(name, data):
    factory, pool = messages()
    return factory.GetPrototype(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")).FromString(data)


def plain(attributes):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


class Span:
    def __init__(self, span, resource):
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.name, self.kind, self.flags = span.name, span.kind, span.flags
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.attributes, self.resource = plain(span.attributes), resource
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
        self.failed, self.words = span.status.code == 2, span.status.message

    def __repr__(self):
        return f"<{self.name} {self.trace} {self.id} under {self.parent or '-'} {self.attributes}>"


class Collector:
    def __init__(self, kind):
        self.kind, self.got = kind, []
        self.process = subprocess.Popen(["node", str(ROOT / "test/e2e/collector.js"), kind], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.got.append(json.loads(line))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def answer(self, how):
        """take, silent, nonsense, unavailable or refuse, from now on."""
        self.process.stdin.write(f"{how}\n")
        self.process.stdin.flush()

    def bodies(self, what):
        """Of "trace" or "metrics": what was sent, without gRPC's prefix."""
        for one in list(self.got):
            if what in one["path"]:
                data = base64.b64decode(one["body"])
                if self.kind == "grpc":
                    assert data[0] == 0 and int.from_bytes(data[1:5], "big") == len(data) - 5
                    data = data[5:]
                yield data

    @property
    def spans(self):
        return [Span(span, plain(per.resource.attributes)) for data in self.bodies("trace")
                for per in decode("trace.v1.ExportTraceServiceRequest", data).resource_spans
                for scope in per.scope_spans for span in scope.spans]

    @property
    def metrics(self):
        return {metric.name: metric for data in self.bodies("metrics")
                for per in decode("metrics.v1.ExportMetricsServiceRequest", data).resource_metrics
                for scope in per.scope_metrics for metric in scope.metrics}

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
