"""The jq worker of the real binary, spoken to as src/sandbox/frame.h says: every function that libjq brings runs under
the real filter of system calls, on small and on large input. libc asks the kernel for other things when there is much
to do; qsort() looks at the size of memory from 62 elements on."""
import json
import re
import socket
import struct
import subprocess

import pytest

from harness import BINARY

# The input is the number of elements. What takes the square of its input's size gets the first hundred ($few, $word).
GIVEN = {
    "$list": "[range($n)|.*7%1000] as $list | ",
    "$few": "[limit(100;range($n))|.*7%1000] as $few | ",
    "$text": "([range($n)|tostring]|join(\",\")) as $text | ",
    "$word": "([limit(100;range($n))|tostring]|join(\",\")) as $word | ",
    "$map": "([range($n)|{key:tostring,value:.}]|from_entries) as $map | ",
    "$rows": "[range($n)|{k:(.%10),v:.}] as $rows | ",
}
PROGRAMS = """
$list | sort, sort_by(-.), group_by(.%3), unique, unique_by(.%9), reverse, flatten, flatten(1), map(.)
$list | min, max, min_by(-.), max_by(-.), add, any(.>1), all(.>1), any(.[];.>1), all(.[];.>1), (map(.>1)|any,all)
$list | first, last, first(.[]), last(.[]), nth(0), nth(0;.[]), length, has(0), getpath([0]), (0 as $i | 0|in($list))
$list | index(4), rindex(4), indices(4), bsearch(4), contains([0]), tojson, tostring, (tojson|fromjson)
$list | del(.[0]), del(.[range(100)]), delpaths([[0],[1]]), setpath([0];1), join(","), not, walk(.), to_entries
$list | [limit(5;.[])], [.[]|select(.>3)], [paths], [leaf_paths], [paths(type=="number")], [tostream]
$list | [recurse], [recurse(empty)], [recurse(empty;true)], [recurse_down], [.[]|scalars], isempty(.[]), path(.[0])
$list | [.[]|numbers,strings,booleans,nulls,arrays,objects,iterables,values,scalars_or_empty], [[$list,$list]|transpose]
$few | inside($few), ({a:1}|with_entries(.value+=1), map_values(.)), map_values(.+1), fromstream(tostream), [while(length>0;.[1:])], [combinations(1)], ([.,.]|[limit(1000;combinations)]), IN(1,4), IN(.[];4), INDEX(.), INDEX(.[];.)
$few | INDEX(.[];.) as $i | map([.]) | [JOIN($i;.[0]|tostring)], [JOIN($i;.[];.[0]|tostring)], [JOIN($i;.[];.[0]|tostring;.)]
$rows | sort_by(.k), sort_by(.k,.v), group_by(.k), unique_by(.k), min_by(.k), max_by(.k), unique, sort
$map | keys, keys_unsorted, to_entries, (to_entries|from_entries), del(.["1"]), add, length, tojson
[range($n)], [range(0;$n)], [range(0;$n;2)], [0|limit(10;repeat(.+1))], [0|until(.>$n;.+1)], [1|truncate_stream([[0],1],[[1,0],2])]
builtins, (try error catch 1), (try error("x") catch .), empty, get_prog_origin, get_jq_origin
$text | split(","), ascii_downcase, ascii_upcase, explode, (explode|implode), ltrimstr("0"), rtrimstr("9"), type
$text | startswith("0"), endswith("9"), utf8bytelength, length, (tonumber?), contains("0"), index("0"), rindex("0"), indices("0,")
$text | test("9$"), test("X";"i"), [match("[0-9]+")], [match("^0";"i")], [capture("(?<a>0)")], [capture("(?<a>0)";"i")]
$word | sub("0";"x"), sub("0";"x";"i"), gsub(",";";"), gsub(",";";";"i"), [scan("[0-9]")], [splits(",")], [splits(",";"i")], split(",";null)
$text | @base64, (@base64|@base64d), @html, @uri, @sh, @json, @text, format("text"), ([.]|@csv,@tsv,@sh)
$list | @csv, @tsv, @json, @html, @text, @sh
[$list[]|sin,cos,tan,asin,acos,atan,sinh,cosh,tanh,asinh,acosh,atanh,cbrt,exp,exp2,exp10,expm1]
[$list[]|log,log2,log10,log1p,logb,sqrt,ceil,floor,round,rint,nearbyint,trunc,significand,fabs]
[$list[]|gamma,lgamma,tgamma,j0,j1,y0,y1,frexp,modf,lgamma_r,isnan,isinfinite,isnormal,finites,normals]
[$list[]|pow(.;2),atan2(.;1),copysign(.;1),drem(.;3),fdim(.;1),fmax(.;1),fmin(.;1),fmod(.;3),ldexp(.;1),scalb(.;1),scalbln(.;1)]
[$list[]|nextafter(.;1),nexttoward(.;1),fma(.;2;3)], infinite, nan
[$list[]|todate,todateiso8601,gmtime,(gmtime|mktime),(gmtime|todate),strftime("%c %A %Z")]
[$list[]|todate|fromdate,fromdateiso8601,strptime("%Y-%m-%dT%H:%M:%SZ")]
"""
# The program's preamble puts something else in their place (src/base/jq_source.c), or this libm has none of them.
REPLACED = {"debug", "env", "get_search_list", "halt", "halt_error", "input", "input_filename", "input_line_number",
            "inputs", "localtime", "modulemeta", "now", "stderr", "strflocaltime"}
OF_NO_LIBM = {"erf", "erfc", "hypot", "isfinite", "jn", "pow10", "remainder", "yn"}


class Worker:
    def __init__(self, program, memory_bytes=2 << 30):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(300)
        with theirs:
            self.process = subprocess.Popen([BINARY, "jq-worker"], stdin=theirs, env={})
        text = program.encode()
        self.socket.sendall(struct.pack("=qQ", memory_bytes, len(text)) + text)
        assert self.answer() == (0, b"")

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, f"the worker ended: {self.process.wait(10)}"
            data += more
        return data

    def answer(self):
        err, count = struct.unpack("=II", self.read(8))
        return err, self.read(count)

    def ask(self, value):
        text = json.dumps(value).encode()
        self.socket.sendall(struct.pack("=QQQ", 0, len(text), 0) + text)
        return self.answer()

    def close(self):
        self.socket.close()
        self.process.wait(30)


@pytest.fixture
def work():
    workers = []

    def start(program):
        # The whole program gets a list of function, input and event: here the input alone counts.
        workers.append(Worker(program))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def test_the_filter_is_on(work):
    worker = work(".")
    with open(f"/proc/{worker.process.pid}/status", encoding="ascii") as status:
        assert "Seccomp:\t2\n" in status.read()


@pytest.mark.parametrize("program", PROGRAMS.strip().splitlines())
def test_functions_run_on_small_and_large_input(work, program):
    given = "".join(text for name, text in GIVEN.items() if name in program)
    worker = work(f".[1] as $n | {given} [{program}] | length")
    for count in (1, 100, 100_000):
        err, text = worker.ask(count)
        assert (err, text.isdigit()) == (0, True), (count, text)


def test_every_function_is_tried(work):
    _, text = work("builtins").ask(0)
    names = {tuple(name.split("/")) for name in json.loads(text)}
    assert len(names) > 150
    missing = [f"{name}/{count}" for name, count in sorted(names) if name not in REPLACED | OF_NO_LIBM
               and not re.search(rf"\b{name}\b{'(?![(])' if count == '0' else '[(]'}", PROGRAMS)]
    assert not missing
