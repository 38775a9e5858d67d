"""A second set of ordinary programs, of which nothing was known when the search was settled.

The figures of `programs.PROGRAMS` had been looked at before, if not tuned by; none of these had been recorded.
Whatever their input, the certificates ask for the same pages: they do not count.
"""

from __future__ import annotations

from programs import Program

__all__ = ["SECOND"]

SECOND = {
    "epochs": Program(
        "training on a file of examples: each epoch in another order, a validation set read through, a checkpoint",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
examples, held = os.open("examples", os.O_RDONLY), os.open("held", os.O_RDONLY)
order = list(range(3600))
for epoch in range(4):
    rng.shuffle(order)
    for at in order: os.pread(examples, 1200, at * 1200)
    for at in range(200): os.pread(held, 1200, at * 1200)
    with open("model", "wb") as model: model.write(bytes(200000))
    with open("model", "rb") as model: model.read()
""",
        """#py
for name, rows in (("examples", 3600), ("held", 200)):
    with open(name, "wb") as out: out.write(bytes(1200 * rows))
""",
    ),
    "jobs": Program(
        "SQLite as a queue of jobs: put, take the most urgent, note the result, count, forget what is old",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db", isolation_level=None)
db.executescript("PRAGMA cache_size=16; PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL")
for turn in range(1300):
    for _ in range(rng.randrange(4)):
        db.execute("INSERT INTO job(state, urgency, owner, body) VALUES(0,?,?,?)",
                   (rng.randrange(9), int(400 ** rng.random()), "x" * rng.randrange(50, 400)))
    for i, in db.execute("SELECT id FROM job WHERE state=0 ORDER BY urgency DESC, id LIMIT 2").fetchall():
        db.execute("UPDATE job SET state=1 WHERE id=?", (i,))
        db.execute("INSERT INTO result VALUES(?,?)", (i, "y" * 200))
    db.execute("SELECT count(*) FROM job WHERE owner=?", (int(400 ** rng.random()),)).fetchone()
    if turn % 200 == 199:
        db.execute("DELETE FROM job WHERE state=1 AND id < (SELECT max(id) - 3500 FROM job)")
""",
        """#py
import random, sqlite3
rng = random.Random(2)
db = sqlite3.connect("a.db")
db.executescript("CREATE TABLE job(id INTEGER PRIMARY KEY, state INTEGER, urgency INTEGER, owner INTEGER, body TEXT);"
    "CREATE TABLE result(id INTEGER PRIMARY KEY, body TEXT);"
    "CREATE INDEX urgent ON job(state, urgency); CREATE INDEX owner ON job(owner, state)")
db.executemany("INSERT INTO job(state, urgency, owner, body) VALUES(0,?,?,?)",
    ((rng.randrange(9), int(400 ** rng.random()), "x" * rng.randrange(50, 400)) for _ in range(12000)))
db.commit()
""",
    ),
    "kinship": Program(
        "SQLite: recursive queries up and down a tree of 50,000 nodes, some branches often",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db")
db.execute("PRAGMA cache_size=16")
up = "WITH RECURSIVE a(i) AS (VALUES(?) UNION ALL SELECT parent FROM node JOIN a ON id=i WHERE parent>0)"
down = "WITH RECURSIVE a(i) AS (VALUES(?) UNION ALL SELECT id FROM node JOIN a ON parent=i LIMIT 60)"
for turn in range(700):
    leaf = 50000 - int(50000 ** rng.random()) if turn % 3 else rng.randrange(1, 50000)
    db.execute(up + " SELECT note FROM node JOIN a ON id=i", (leaf,)).fetchall()
    if turn % 2:
        top = int(20000 ** rng.random())
        db.execute(down + " SELECT count(*), max(note) FROM node JOIN a ON id=i", (top,)).fetchall()
""",
        """#py
import random, sqlite3
rng = random.Random(8)
db = sqlite3.connect("a.db")
db.executescript("CREATE TABLE node(id INTEGER PRIMARY KEY, parent INTEGER, note TEXT); CREATE INDEX p ON node(parent)")
db.executemany("INSERT INTO node VALUES(?,?,?)",
    ((i, i // rng.randrange(2, 9), "n" * rng.randrange(20, 160)) for i in range(1, 50000)))
db.commit()
""",
    ),
    "player": Program(
        "a film with an index: it plays, jumps to chapters, repeats scenes; subtitles and thumbnails beside it",
        """#py
import os, random
rng = random.Random(os.environ["INPUT"])
film, index, small = (os.open(name, os.O_RDONLY) for name in ("film", "index", "thumbnails"))
size, at = 30 << 20, 0
chapters = [rng.randrange(size) for _ in range(12)]
for turn in range(420):
    for _ in range(rng.randrange(3, 14)):
        os.pread(film, 16384, at); at = (at + 16384) % size
    os.pread(index, 512, at // 65536 * 512)
    kind = rng.random()
    if kind < .35: at = max(0, at - rng.randrange(1, 12) * 16384)
    elif kind < .5: at = rng.choice(chapters)
    elif kind < .55: at = rng.randrange(size)
    if turn % 6 == 0:
        for shown in range(10): os.pread(small, 2000, (at // 100000 + shown) * 2000)
""",
        """#py
for name, size in (("film", 31 << 20), ("index", 300000), ("thumbnails", 800000)):
    with open(name, "wb") as out: out.truncate(size)
""",
    ),
    "certificates": Program(
        "openssl: certificates shown and verified one by one, against a folder of them",
        """for turn in 1 2; do for n in $INPUT; do
  openssl x509 -in c$n.pem -noout -subject; openssl verify -CAfile root.pem c$n.pem; openssl dgst -sha256 c$n.pem
done; done > /dev/null""",
        """openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=root -days 9 2> /dev/null
for n in 1 2 3 4 5 6; do openssl req -newkey rsa:2048 -nodes -keyout k.key -out c.csr -subj /CN=$n 2> /dev/null
openssl x509 -req -in c.csr -CA root.pem -CAkey root.key -CAcreateserial -out c$n.pem -days 9 2> /dev/null; done""",
        inputs=("1 2 3 4", "6 5 4 3"),
        needs=("openssl",),
    ),
    "templates": Program(
        "g++ reads the headers of the C++ library, four files and two of them again",
        """for h in $INPUT; do g++ -fsyntax-only $h.cc; done""",
        """for h in vector map string sstream algorithm set deque functional; do
printf '#include <%s>\\nint f() { return 1; }\\n' $h > $h.cc; done""",
        inputs=("vector map string sstream map vector", "algorithm set deque functional set algorithm"),
        needs=("g++",),
    ),
    "editor": Program(
        "vim without a screen: files opened, changed, searched and written, some of them again",
        """for f in $INPUT; do
  vim -u NONE -i NONE -es -c '%s/self/this/ge' -c 'g/import/m0' -c w -c q $f < /dev/null
  vim -i NONE -es -c '/def' -c wq $f < /dev/null
done; true""",
        """cp /usr/lib/python3*/[a-d]*.py . 2> /dev/null; true""",
        inputs=("ast.py argparse.py bisect.py ast.py calendar.py", "datetime.py cmd.py dis.py csv.py cmd.py"),
        needs=("vim",),
    ),
    "sessions": Program(
        "awk and grep over web logs: who came, what failed, one user after the other, then a merge of all",
        """for user in $INPUT; do
  grep -h "user=$user " log.* > found; awk '{ n[$3]++ } END { for (p in n) print n[p], p }' found | sort -rn > by.$user
  tail -n 200 log.4 > /dev/null; awk '$4 >= 500' log.1 > /dev/null
done; sort -m -k2 log.1 log.2 > merged; wc merged > /dev/null""",
        """#py
import random
rng = random.Random(6)
for day in range(1, 5):
    with open(f"log.{day}", "w") as out:
        for at in range(9000):
            user, page = int(300 ** rng.random()), int(900 ** rng.random())
            status, rest = rng.choice((200, 200, 304, 500)), "-" * rng.randrange(40)
            out.write(f"{at * 9:06d} user={user} /page/{page} {status} {rest}\\n")
""",
        inputs=("1 7 20", "3 5 90"),
        needs=("awk", "grep", "sort"),
    ),
    "tables": Program(
        "SQLite: two tables changed in bulk, checked, put in order again (VACUUM), and read by ranges",
        """#py
import os, random, sqlite3
rng = random.Random(os.environ["INPUT"])
db = sqlite3.connect("a.db", isolation_level=None)
db.executescript("PRAGMA cache_size=32; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE")
for turn in range(4):
    low = rng.randrange(9000)
    db.execute("UPDATE a SET v=v+1 WHERE k BETWEEN ? AND ?", (low, low + 900))
    db.execute("DELETE FROM b WHERE k % 17 = ?", (rng.randrange(17),))
    for _ in range(60):
        at = int(10000 ** rng.random())
        db.execute("SELECT a.v, b.t FROM a JOIN b ON b.k=a.k WHERE a.v BETWEEN ? AND ?", (at, at + 12)).fetchall()
    db.execute("VACUUM" if turn % 2 else "PRAGMA quick_check").fetchall()
""",
        """#py
import random, sqlite3
rng = random.Random(11)
db = sqlite3.connect("a.db")
db.executescript("CREATE TABLE a(k INTEGER PRIMARY KEY, v INTEGER, t TEXT);"
    "CREATE TABLE b(k INTEGER PRIMARY KEY, t TEXT); CREATE INDEX v ON a(v)")
for name in "ab":
    db.executemany(f"INSERT INTO {name} VALUES({'?,?,?' if name == 'a' else '?,?'})",
        (((i, rng.randrange(10000), "t" * 150) if name == "a" else (i, "u" * 250)) for i in range(10000)))
db.commit()
""",
    ),
    "tcl": Program(
        "tclsh and bc: small scripts that start one after the other, with packages of their own",
        """for n in $INPUT; do
  echo "package require $n; puts [clock format 0]" | tclsh > /dev/null 2>&1
  echo "2^$(echo $n | wc -c)" | bc -l > /dev/null
  tclsh calc.tcl $n > /dev/null
done; true""",
        """printf 'source lib.tcl\\nputs [twice [string length $argv]]\\n' > calc.tcl
printf 'proc twice x { expr {2 * $x} }\\n' > lib.tcl""",
        inputs=("http msgcat tcltest http opt platform msgcat", "opt tcltest platform http opt msgcat http"),
        needs=("tclsh", "bc"),
    ),
}
