#!/usr/bin/python3
"""Makes one header and one source of the messages below proto/, with protoc-c: proto.py OUT.h OUT.c FILE..."""
import pathlib
import re
import subprocess
import sys
import tempfile

LOCAL = re.compile(r'^#include "(opentelemetry/[^"]*)\.pb-c\.h"\n', re.MULTILINE)


def main():
    header, source, *files = map(pathlib.Path, sys.argv[1:])
    root = pathlib.Path(__file__).resolve().parent.parent / "proto"
    with tempfile.TemporaryDirectory() as folder:
        names = [path.resolve().relative_to(root) for path in files]
        subprocess.run(["protoc-c", f"-I{root}", f"--c_out={folder}", *map(str, names)], cwd=root, check=True)
        texts = {str(name.with_suffix("")): (pathlib.Path(folder) / name.with_suffix(".pb-c.h")).read_text() for name in names}
        order = []

        def add(name):
            for other in LOCAL.findall(texts[name]):
                add(other)
            if name not in order:
                order.append(name)
        for name in sorted(texts):
            add(name)
        bodies = [(pathlib.Path(folder) / f"{name}.pb-c.c").read_text() for name in order]
    header.write_text("".join(LOCAL.sub("", texts[name]) for name in order))
    source.write_text(f'#include "{header.name}"\n' + "".join(LOCAL.sub("", body) for body in bodies))


main()
