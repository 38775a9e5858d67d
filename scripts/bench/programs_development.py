# ruff: noqa: E501 — programs stay as they were recorded
"""Programs that the search of page replacement was tuned on: `--set development` (trainers/search/README.md).

With the six generated families (`trainers/arenas/page_replacement/families.py`, seed ``dev-7``) they were the development
set. `programs.Program` has the form.
"""

from __future__ import annotations

from programs import Program

__all__ = ["DEVELOPMENT"]

DEVELOPMENT = {
    "fts": Program(
        "SQLite full text search: words by Zipf's law, some new rows",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db")
db.executescript("PRAGMA cache_size=24; PRAGMA synchronous=OFF")
words = [f"w{i}" for i in range(3000)]
for turn in range(700):
    w = words[int(3000 ** rng.random()) - 1]
    db.execute("SELECT rowid, body FROM doc WHERE doc MATCH ? LIMIT 15", (w,)).fetchall()
    if turn % 20 == 0:
        with db: db.execute("INSERT INTO doc(body) VALUES(?)", (" ".join(words[int(3000 ** rng.random()) - 1] for _ in range(60)),))
""",
        """#py
import random, sqlite3
rng = random.Random(3)
db = sqlite3.connect("a.db")
db.execute("CREATE VIRTUAL TABLE doc USING fts5(body)")
for i in range(6000):
    db.execute("INSERT INTO doc(body) VALUES(?)", (" ".join(f"w{int(3000 ** rng.random())-1}" for _ in range(60)),))
db.commit()
""",
    ),
    "bisect": Program(
        "look-ups in a large sorted file by bisection, with a hot set that moves",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
fd = os.open("a", os.O_RDONLY); n = os.fstat(fd).st_size // 64
centre = rng.randrange(n)
for turn in range(1500):
    if turn % 250 == 0: centre = rng.randrange(n)
    want = (centre + int(rng.gauss(0, n / 60))) % n if rng.random() < .7 else rng.randrange(n)
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        os.pread(fd, 64, middle * 64)
        if middle <= want: low = middle
        else: high = middle
""",
        """#py
with open("a", "wb") as f: f.write(bytes(64 * 200000))
""",
    ),
    "columns": Program(
        "a matrix on disk, read by rows and by columns, in blocks",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
fd = os.open("a", os.O_RDONLY); n = 1024
for turn in range(10):
    r = rng.randrange(n - 40); c = rng.randrange(n - 160)
    for row in range(r, r + 40): os.pread(fd, 8 * n, row * 8 * n)
    for col in range(c, c + 160, 40):
        for row in range(0, n, 3): os.pread(fd, 8, (row * n + col) * 8)
    for row in range(r, r + 40, 2): os.pread(fd, 8 * n, row * 8 * n)
""",
        """#py
with open("a", "wb") as f: f.write(bytes(8 * 1024 * 1024))
""",
    ),
    "compact": Program(
        "a log-structured store: appends, reads of recent and popular keys, a compaction now and then",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
fd = os.open("log", os.O_RDWR | os.O_CREAT); at = {}; end = 0
def put(k):
    global end
    size = rng.randrange(200, 1500); os.pwrite(fd, bytes(size), end); at[k] = (end, size); end += size
for k in range(1500): put(k)
for turn in range(9000):
    k = int(1500 ** rng.random()) - 1 if rng.random() < .8 else rng.randrange(1500)
    if turn % 4 == 0: put(k)
    else: os.pread(fd, at[k][1], at[k][0])
    if turn % 3000 == 2999:
        for k in sorted(at): os.pread(fd, at[k][1], at[k][0]); put(k)
""",
    ),
    "graph": Program(
        "walks in a graph on disk: steps, restarts, breadth first now and then",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"]); n = 12000
fd = os.open("g", os.O_RDONLY)
def out(v):
    data = os.pread(fd, 256, v * 256)
    return [int.from_bytes(data[i:i + 4], "little") for i in range(0, 32, 4)]
home = [rng.randrange(n) for _ in range(20)]
v = home[0]
for turn in range(14000):
    v = rng.choice(home) if rng.random() < .12 else rng.choice(out(v))
    if turn % 3500 == 3499:
        seen, edge = {v}, [v]
        while len(seen) < 800:
            edge = [w for u in edge for w in out(u) if w not in seen and not seen.add(w)]
""",
        """#py
import random
rng = random.Random(4); n = 12000
with open("g", "wb") as f:
    for v in range(n):
        near = [(v + int(rng.gauss(0, 200))) % n for _ in range(6)] + [int(n ** rng.random()) - 1 for _ in range(2)]
        f.write(b"".join(w.to_bytes(4, "little") for w in near) + bytes(224))
""",
    ),
    "make": Program(
        "a make of a small project, again after changes of headers",
        """make -s -j1; for h in $INPUT; do echo '// x' >> $h.h; make -s -j1; done""",
        """for h in a b c d; do printf '#include <stdio.h>\\n#include <stdlib.h>\\nstatic int %s(int x) { return x + 1; }\\n' $h > $h.h; done
printf '#include "a.h"\\nint f1(void) { return a(1); }\\n' > f1.c
printf '#include "b.h"\\n#include <math.h>\\nint f2(void) { return b(1); }\\n' > f2.c
printf '#include "c.h"\\n#include "a.h"\\n#include <string.h>\\nint f3(void) { return c(a(1)); }\\n' > f3.c
printf '#include "d.h"\\nint f1(void); int f2(void); int f3(void); int main(void) { return f1() + f2() + f3() + d(0); }\\n' > m.c
printf 'm: m.o f1.o f2.o f3.o\\n\\tgcc -o m m.o f1.o f2.o f3.o\\nf1.o: a.h\\nf2.o: b.h\\nf3.o: c.h a.h\\nm.o: d.h\\n' > Makefile""",
        inputs=("a b c", "d c a b"),
        needs=("make", "gcc"),
    ),
    "shells": Program(
        "a shell script that starts many small programs",
        """for w in $INPUT $INPUT $INPUT; do
  echo $w | tr a-z A-Z | sed s/A/B/ | awk '{print $1}' | cut -c1-3 | sort | uniq -c | wc -l; basename $w; dirname /a/$w; date; expr 1 + 2; seq 3 | head -1; done > /dev/null""",
        inputs=("alpha beta gamma", "one two three four"),
    ),
    "diffs": Program(
        "diff -r of two trees, cksum, and a copy",
        """for d in $INPUT; do diff -rq one/$d two/$d; cat one/$d/*.py | cksum; diff -r one/$d two/$d; cp -r two/$d three-$d; grep -r import three-$d; diff -rq two/$d three-$d; done > /dev/null; true""",
        """mkdir one two; for d in email json asyncio http logging unittest; do cp -r /usr/lib/python3*/$d one/; cp -r /usr/lib/python3*/$d two/; done
find one two -name __pycache__ -prune -exec rm -r {} +; for f in two/*/[a-m]*.py; do echo x >> $f; done""",
        inputs=("email json", "asyncio http logging"),
    ),
    "joins": Program(
        "a block nested loop join and a hash join by partitions, of plain files",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
r = os.open("r", os.O_RDONLY); s = os.open("s", os.O_RDONLY); t = os.open("t", os.O_RDWR | os.O_CREAT)
pages = rng.randrange(150, 220)
for outer in range(0, 240, 30):
    for p in range(outer, outer + 30): os.pread(r, 4096, p * 4096)
    for p in range(pages):
        os.pread(s, 4096, p * 4096)
        if rng.random() < .3: os.pread(r, 100, (outer + rng.randrange(30)) * 4096)
ends = [0] * 16
for p in range(300):
    os.pread(r, 4096, p * 4096)
    for _ in range(20):
        b = rng.randrange(16); os.pwrite(t, bytes(60), b * 100000 + ends[b]); ends[b] += 60
for b in range(16):
    for at in range(0, ends[b], 4096): os.pread(t, 4096, b * 100000 + at)
""",
        """#py
for n in "rs":
    with open(n, "wb") as f: f.write(bytes(4096 * 300))
""",
    ),
    "ring": Program(
        "several logs followed and rotated while a table of sessions is read and written",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
table = os.open("table", os.O_RDWR | os.O_CREAT); os.ftruncate(table, 1 << 21)
logs = [open(f"log{i}", "ab", 0) for i in range(3)]; sizes = [0, 0, 0]
for turn in range(16000):
    s = int(5000 ** rng.random()); at = (s * 2654435761 % 5000) * 400
    os.pread(table, 400, at)
    if rng.random() < .3: os.pwrite(table, bytes(400), at)
    i = rng.randrange(3); logs[i].write(bytes(150)); sizes[i] += 150
    if turn % 1300 == 1299:
        with open(f"log{i}", "rb") as f:
            while f.read(4096): pass
    if sizes[i] > 400000: os.rename(f"log{i}", f"old{i}"); logs[i] = open(f"log{i}", "ab", 0); sizes[i] = 0
""",
    ),
    "spatial": Program(
        "tiles of a map at four zooms: a viewer who pans and zooms, and others who look at popular places",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
fd = os.open("t", os.O_RDONLY); base = [0, 64, 320, 1344]
x = y = .5; z = 2
for turn in range(1800):
    if turn % 3:
        x = min(.93, max(.05, x + rng.uniform(-.04, .04))); y = min(.93, max(.05, y + rng.uniform(-.04, .04)))
        if rng.random() < .1: z = rng.randrange(4)
        u, v, w = x, y, z
    else:
        k = int(40 ** rng.random()); u, v, w = (k * .37) % .9, (k * .61) % .9, 3 - k % 2
    n = 8 << w
    for i in range(3):
        for j in range(3):
            tx, ty = min(n - 1, int(u * n) + i), min(n - 1, int(v * n) + j)
            os.pread(fd, 3000, (base[w] + ty * n + tx) * 3000)
""",
        """#py
with open("t", "wb") as f: f.write(bytes(3000 * 5500))
""",
    ),
    "merge": Program(
        "an external merge sort of a file in Python, then binary searches in the result",
        """#py
import heapq, os, random
rng = random.Random(os.environ["INPUT"])
rows = [b"%015d\\n" % rng.randrange(10**12) for _ in range(60000)]
runs = []
for i in range(0, 60000, 5000):
    name = f"run{i}"
    with open(name, "wb", 4096) as f: f.writelines(sorted(rows[i:i + 5000]))
    runs.append(open(name, "rb", 4096))
with open("all", "wb", 4096) as f: f.writelines(heapq.merge(*runs))
with open("all", "rb", 4096) as f, open("top", "wb", 4096) as g:
    for k, line in enumerate(f):
        if k % 7 == 0: g.write(line)
fd = os.open("all", os.O_RDONLY)
for _ in range(500):
    low, high = 0, 60000
    while high - low > 1:
        m = (low + high) // 2
        if rng.random() < .5: low = m
        else: high = m
        os.pread(fd, 16, 16 * m)
for part in range(3):
    with open("top", "rb", 4096) as f:
        for line in f: pass
""",
    ),
}
