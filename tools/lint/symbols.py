"""What the compiled objects hold and call: no mutable globals, no outside world in a pure room.

Symbols cannot be hidden behind a macro or a header as text can.
"""
import functools
import json
import os
import re
import subprocess

from tree import Finding, room_of

SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\t([0-9a-f]+)\s+(?:\.hidden )?(\S+)$")
MUTABLE = re.compile(r"^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)")
CONSTANT = re.compile(r"^\.data\.rel\.ro")  # tables of pointers; read-only once relocated
UNDEFINED = re.compile(r"^(.*):\s+[Uw] (\w+)")

OUTSIDE = {
    "clock": "time clock clock_gettime gettimeofday localtime localtime_r mktime nanosleep clock_nanosleep usleep sleep "
             "timerfd_create alarm setitimer",
    "environment": "getenv secure_getenv setenv unsetenv putenv environ gethostname uname getpid getuid sysconf",
    "output": "printf vprintf fprintf vfprintf dprintf vdprintf puts putchar fputs fputc putc fwrite fflush perror syslog "
              "vsyslog stdout stderr write pwrite writev",
    "input": "fopen fdopen freopen fread fgets fgetc getc getline scanf fscanf stdin open openat creat read pread readv "
             "close stat fstat lstat access opendir readdir mmap unlink rename mkdir ftruncate fsync fdatasync",
    "network": "socket connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg poll ppoll select "
               "epoll_wait getaddrinfo pipe pipe2 eventfd",
    "randomness": "rand srand rand_r random srandom drand48 lrand48 arc4random getrandom getentropy RAND_bytes "
                  "RAND_priv_bytes",
    "process": "fork vfork execv execve execvp posix_spawn waitpid kill raise signal sigaction pthread_create "
               "pthread_mutex_lock exit _exit",
}
KIND = {name: kind for kind, names in OUTSIDE.items() for name in names.split()}
NOWHERE = {
    "sprintf": "has no bound", "vsprintf": "has no bound", "strcpy": "has no bound", "strcat": "has no bound",
    "gets": "has no bound", "strtok": "has hidden state", "rand": "is global state", "random": "is global state",
    "setlocale": "changes how numbers are read", "uselocale": "changes how numbers are read",
    "system": "runs a shell", "popen": "runs a shell", "localtime": "has hidden state", "gmtime": "has hidden state",
}


def plain(symbol):
    """The name as written: without fortification, standard version or large file suffix."""
    symbol = re.sub(r"^__isoc\d+_", "", symbol)
    symbol = re.sub(r"^__(\w+?)(_chk|_2)$", r"\1", symbol)
    return re.sub(r"^(open|openat|creat|fopen|freopen|stat|fstat|lstat|mmap|pread|pwrite|ftruncate|readdir)64$", r"\1", symbol)


@functools.cache
def objects(tree):
    """Object file -> source path, for what lies below src/."""
    database = tree.build / "compile_commands.json"
    found = {}
    for command in json.loads(database.read_text()) if database.exists() else []:
        source = os.path.relpath(os.path.join(command["directory"], command["file"]), tree.root.resolve())
        target = os.path.join(command["directory"], command["output"])
        if source.startswith("src/") and source.endswith(".c") and os.path.exists(target):
            found[target] = source
    return found


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def line_of(tree, path, name):
    """The first line that calls it, else the first that names it."""
    for pattern in (rf"\b{name}\(", rf"\b{name}\b"):
        for number, line in enumerate(tree.lines(path), 1):
            if re.search(pattern, line):
                return number
    return 1


def check_objects(tree):
    built = set(objects(tree).values())
    for path in tree.c_files:
        if path.startswith("src/") and path.endswith(".c") and path not in built:
            yield Finding(path, 1, "symbols", "has no object; ./dev build comes first")


def check_globals(tree):
    source = ""
    if not objects(tree):
        return
    for line in output_of("objdump", "-t", *objects(tree)):
        if ":     file format " in line:
            source = objects(tree)[line.split(":     file format ")[0]]
        elif (match := SYMBOL.match(line)) and source != "src/main.c":
            flags, section, size, name = match.groups()
            if "d" in flags or int(size, 16) == 0 or not MUTABLE.match(section) or CONSTANT.match(section):
                continue
            name = name.split(".")[0]  # a static inside a function is called name.0
            if not tree.rooms.excepts("globals", source, name):
                yield Finding(source, line_of(tree, source, name), "globals", f"'{name}' is a mutable global")


def check_calls(tree):
    if not objects(tree):
        return
    for line in output_of("nm", "-A", "-u", *objects(tree)):
        if not (match := UNDEFINED.match(line)):
            continue
        source, name = objects(tree)[match.group(1)], plain(match.group(2))
        room = room_of(source)
        if name in NOWHERE and not tree.rooms.excepts("calls", source, name):
            yield Finding(source, line_of(tree, source, name), "calls", f"{name} {NOWHERE[name]}")
        elif name in KIND and room in tree.rooms.pure and not tree.rooms.excepts("calls", source, name):
            yield Finding(source, line_of(tree, source, name), "calls",
                          f"'{room}' is pure and must not call {name} ({KIND[name]})")


def check_exceptions(tree):
    """An exception that nothing needs any more is a hole; runs after the rules that ask for them."""
    for entry in tree.rooms.of_kind("except"):
        for name in entry.words[2:] or [None]:
            if (entry.line, name) not in tree.rooms.used:
                yield Finding("rooms.txt", entry.line, "exceptions", f"nothing needs this: {' '.join(entry.words[:2])} {name or ''}")
        if not entry.values:
            yield Finding("rooms.txt", entry.line, "exceptions", "an exception needs a reason")


RULES = {"symbols": check_objects, "globals": check_globals, "calls": check_calls}
LAST_RULES = {"exceptions": check_exceptions}
