"""Ordinary programs to record: what is made beforehand, and what runs under strace, each in a folder of its own.

They were chosen before any search ran on them, and none is among the recordings that come with the project.
Each runs twice, with other inputs: ``INPUT`` is its seed, or its words. A text that begins with ``#py`` is a Python
script, any other one for sh.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROGRAMS", "Program"]


@dataclass(frozen=True, slots=True)
class Program:
    """One program: what is recorded, what is made first, the inputs to search with and to judge by, what it takes."""

    meaning: str
    run: str
    make: str = ""
    inputs: tuple[str, str] = ("1", "2")
    needs: tuple[str, ...] = ()


_TABLE = """#py
import random, sqlite3
rng = random.Random(1)
db = sqlite3.connect("a.db")
text = lambda n: "".join(rng.choices("abcdefghij", k=n))
"""

PROGRAMS = {
    "keys": Program(
        "SQLite: look-ups and updates by text key, by Zipf's law",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db")
db.executescript("PRAGMA cache_size=16; PRAGMA synchronous=OFF")
keys = [k for (k,) in db.execute("SELECT k FROM t")]
rng.shuffle(keys)
for turn in range(6000):
    k = keys[int(len(keys) ** rng.random()) - 1]
    if turn % 5:
        db.execute("SELECT v FROM t WHERE k=?", (k,)).fetchone()
    else:
        with db:
            db.execute("UPDATE t SET v=v+1 WHERE k=?", (k,))
""",
        _TABLE
        + """db.execute("CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER, note TEXT) WITHOUT ROWID")
db.executemany("INSERT INTO t VALUES(?,?,?)", ((text(16) + str(i), i, text(90)) for i in range(60000)))
db.commit()
""",
    ),
    "reports": Program(
        "SQLite: grouped joins of two tables, sorted on disk",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db")
db.executescript("PRAGMA cache_size=48; PRAGMA temp_store=FILE")
for day in (rng.randrange(280) for _ in range(25)):
    db.execute(
        "SELECT c.city, count(*), sum(s.amount) FROM sale s JOIN customer c ON c.id=s.customer"
        " WHERE s.day BETWEEN ? AND ? GROUP BY c.city ORDER BY 3", (day, day + 20)).fetchall()
""",
        _TABLE
        + """db.executescript(
    "CREATE TABLE customer(id INTEGER PRIMARY KEY, city TEXT, note TEXT);"
    "CREATE TABLE sale(id INTEGER PRIMARY KEY, customer INTEGER, day INTEGER, amount INTEGER);"
    "CREATE INDEX sale_day ON sale(day)")
db.executemany("INSERT INTO customer VALUES(?,?,?)", ((i, text(2), text(120)) for i in range(8000)))
db.executemany(
    "INSERT INTO sale VALUES(?,?,?,?)",
    ((i, int(8000 ** rng.random()) - 1, (i * 7919) % 300, rng.randrange(999)) for i in range(40000)))
db.commit()
""",
    ),
    "ledger": Program(
        "SQLite: rows inserted under three indexes in no order, and now and then the account's last ones",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db")
db.executescript("PRAGMA cache_size=24; PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL")
for turn in range(900):
    with db:
        for _ in range(4):
            db.execute(
                "INSERT INTO entry(account, other, stamp, sum) VALUES(?,?,?,?)",
                (int(3000 ** rng.random()), rng.randrange(3000), 40000 + turn, rng.randrange(999)))
    if turn % 3 == 0:
        db.execute(
            "SELECT * FROM entry WHERE account=? ORDER BY stamp DESC LIMIT 20", (int(3000 ** rng.random()),)).fetchall()
""",
        _TABLE
        + """db.executescript(
    "CREATE TABLE entry(id INTEGER PRIMARY KEY, account INTEGER, other INTEGER, stamp INTEGER, sum INTEGER);"
    "CREATE INDEX a ON entry(account, stamp); CREATE INDEX b ON entry(other); CREATE INDEX c ON entry(sum)")
db.executemany(
    "INSERT INTO entry(account, other, stamp, sum) VALUES(?,?,?,?)",
    ((int(3000 ** rng.random()), rng.randrange(3000), i, rng.randrange(999)) for i in range(40000)))
db.commit()
""",
    ),
    "map": Program(
        "SQLite's R-tree: what lies in a window that wanders, and in others anywhere",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db")
db.execute("PRAGMA cache_size=16")
x = y = 500.0
for turn in range(1500):
    x, y = (min(990, max(0, v + rng.uniform(-15, 15))) for v in (x, y))
    u, v = (x, y) if turn % 4 else (rng.uniform(0, 990), rng.uniform(0, 990))
    db.execute(
        "SELECT p.name FROM box b JOIN place p ON p.id=b.id WHERE x0<=? AND x1>=? AND y0<=? AND y1>=?",
        (u + 8, u, v + 8, v)).fetchall()
""",
        _TABLE
        + """db.executescript(
    "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1); CREATE TABLE place(id INTEGER PRIMARY KEY, name TEXT)")
for i in range(40000):
    x, y = rng.uniform(0, 1000), rng.uniform(0, 1000)
    db.execute("INSERT INTO box VALUES(?,?,?,?,?)", (i, x, x + 1, y, y + 1))
    db.execute("INSERT INTO place VALUES(?,?)", (i, text(60)))
db.commit()
""",
    ),
    "mail": Program(
        "an mbox: the newest messages often, old ones by Zipf's law, and searches through all of it",
        """#py
import mailbox, os, random
rng = random.Random(os.environ["INPUT"])
box = mailbox.mbox("box")
n = len(box)
for turn in range(2500):
    box.get_bytes(n - int(n ** rng.random()))
    if turn % 700 == 699:
        sum(b"abcab" in box.get_bytes(i) for i in range(n))
""",
        """#py
import random
rng = random.Random(5)
with open("box", "w") as box:
    for i in range(2500):
        body = "".join(rng.choices("abcdefghij \\n", k=int(400 * 30 ** rng.random())))
        box.write(f"From a@example.org Thu Jan  1 00:00:00 1970\\nSubject: {i}\\n\\n{body}\\n\\n")
""",
    ),
    "zip": Program(
        "a zip archive: members by Zipf's law, a test of all of them now and then",
        """#py
import os, random, zipfile
rng = random.Random(os.environ["INPUT"])
archive = zipfile.ZipFile("a.zip")
names = archive.namelist()
rng.shuffle(names)
for turn in range(1600):
    archive.read(names[int(len(names) ** rng.random()) - 1])
    if turn % 500 == 499:
        archive.testzip()
""",
        """#py
import pathlib, sysconfig, zipfile
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py")):
        archive.write(path, path.name)
""",
    ),
    "web": Program(
        "python -m http.server: pages by Zipf's law, and a crawler that fetches all",
        """#py
import functools, http.server, os, pathlib, random, threading, urllib.request
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="site"))
threading.Thread(target=server.serve_forever, daemon=True).start()
rng = random.Random(os.environ["INPUT"])
names = sorted(path.name for path in pathlib.Path("site").iterdir())
rng.shuffle(names)
get = lambda name: urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{name}").read()
for turn in range(1500):
    get(names[int(len(names) ** rng.random()) - 1])
    if turn % 400 == 399:
        for name in sorted(names): get(name)
""",
        """#py
import pathlib, random
rng = random.Random(7)
site = pathlib.Path("site"); site.mkdir()
for i in range(300):
    (site / f"{i}.html").write_bytes(rng.randbytes(int(1000 * 80 ** rng.random())))
""",
    ),
    "search": Program(
        "grep through one tree, a word after the other",
        """for word in $INPUT; do
  grep -rc $word /usr/lib/python3*/email /usr/lib/python3*/json /usr/lib/python3*/asyncio > /dev/null
  grep -rl $word /usr/lib/python3*/email /usr/lib/python3*/logging > /dev/null
done""",
        inputs=("import yield raise lambda", "class return while with"),
        needs=("grep",),
    ),
    "headers": Program(
        "gcc reads the headers of six files, again after a change",
        """for turn in 1 2; do for n in 1 2 3 4 5 6; do gcc -O0 -S -o $n.s $n.c; done; done""",
        """n=0; for h in $INPUT; do n=$((n + 1))
  printf '#include <%s.h>\\n#include <sys/socket.h>\\nint f(int a) { return a + %s; }\\n' $h $n > $n.c
done""",
        inputs=("stdio stdlib string math time regex", "errno ctype locale wchar signal glob"),
        needs=("gcc",),
    ),
    "perl": Program(
        "perl programs that start, each with modules of its own",
        """for turn in 1 2 3; do for m in $INPUT; do
  perl -M$m -e '1'; perl -M$m -MEncode -e '1'
done; done""",
        inputs=("POSIX File::Find Getopt::Long Data::Dumper", "Text::Wrap Storable Time::Local File::Copy"),
        needs=("perl",),
    ),
    "magic": Program(
        "file: which kind each of a few files is, asked one by one",
        """for f in $INPUT; do
  file -b $f; file -bi $f
done > /dev/null""",
        inputs=("/bin/ls /bin/sh /etc/passwd", "/bin/cat /etc/hosts /usr/bin/perl"),
        needs=("file",),
    ),
    "tape": Program(
        "tar: append to an archive, list it, take something out, again and again",
        """for f in $INPUT; do
  cp /usr/lib/python3*/$f.py . 2> /dev/null; tar -rf a.tar $f.py; tar -tf a.tar > /dev/null
  tar -xOf a.tar $f.py > /dev/null
done; tar -cf b.tar a.tar""",
        """tar -cf a.tar -C /usr/lib python3/dist-packages 2> /dev/null || true
for d in email json asyncio; do tar -rf a.tar /usr/lib/python3*/$d/*.py 2> /dev/null; done""",
        inputs=("ast enum inspect", "argparse typing shutil"),
        needs=("tar",),
    ),
    "history": Program(
        "git: which commits changed a word, what a file was, one branch after the other",
        """cd repo; for word in $INPUT; do git log -S$word --oneline > /dev/null; done
for n in 1 3 5 7; do git show end~$n:token.py > /dev/null; git checkout -q end~$n; git status -s; done
git checkout -q end; git shortlog -s > /dev/null; git repack -adq; git log --oneline -- token.py > /dev/null""",
        """mkdir repo; cd repo; git init -q; git config user.name a; git config user.email a@b; git config gc.auto 0
cp /usr/lib/python3*/[s-u]*.py .; git add .; git commit -qm 1
for i in 2 3 4 5 6 7 8 9; do for f in *.py; do [ $(( ($(echo $f | wc -c) + i) % 5 )) = 0 ] && echo "# $i" >> $f; done
git commit -qam $i; done; git tag end""",
        inputs=("self return yield", "class import raise"),
        needs=("git",),
    ),
    "apt": Program(
        "apt-cache and apt-mark: what is there, what needs what",
        """for p in $INPUT; do
  apt-cache policy $p; apt-cache depends $p; apt-cache rdepends $p
done > /dev/null
apt-mark showmanual > /dev/null""",
        inputs=("bash coreutils perl", "python3 sed git"),
        needs=("apt-cache",),
    ),
    "sort": Program(
        "sort with a megabyte of memory, twice, and a join of the results",
        """sort -S 1M -T . a > b; sort -S 1M -T . -k2 a > c; join -j 1 b b > d; comm -12 b d > /dev/null; sort -c b""",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
with open("a", "w") as out:
    for _ in range(120000):
        out.write(f"{rng.randrange(10**9)} {rng.randrange(10**6)} {'x' * rng.randrange(20)}\\n")
""",
        needs=("sort", "join"),
    ),
    "shelf": Program(
        "Python's dbm.dumb: values read and replaced by Zipf's law, one file of values, one of keys",
        """#py
import dbm.dumb, os, random
rng = random.Random(os.environ["INPUT"])
with dbm.dumb.open("shelf") as shelf:
    for turn in range(4000):
        key = f"k{int(4000 ** rng.random())}"
        if turn % 4: shelf.get(key)
        else: shelf[key] = bytes(rng.randrange(200, 900))
        if turn % 1000 == 999: shelf.sync()
""",
        """#py
import dbm.dumb, random
rng = random.Random(9)
with dbm.dumb.open("shelf") as shelf:
    order = list(range(4000)); rng.shuffle(order)
    for i in order: shelf[f"k{i}"] = bytes(rng.randrange(200, 900))
""",
    ),
}
